"""From weights to proof: the program behind an answer, and the facts it went over.

A *program* says for each hop which relations are followed, in which direction, and which earlier steps' entities are
left out: what a SPARQL query can say. It is read off the best walk to the best answer, then run with hard 0/1 weights:
the answer set is exactly what the program gives, so that every answer has its proof.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from kgqa.reason.follow import EdgeIndex
from kgqa.types import Topic

ALTERNATIVE = 0.5
"""A relation is followed beside the chosen one when it has at least this share of its weight."""

EXCLUDED = 0.5
"""Gate above which an earlier step's entities are left out."""

Edge = tuple[int, int, int, bool]
"""Head, relation, tail, and whether it was walked from tail to head; indices into the graph's table."""


@dataclass(frozen=True, slots=True)
class RelationChoice:
    """A relation that a hop follows."""

    index: int
    inverse: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Branch:
    """One topic's walk as a program."""

    topic: Topic
    relations: tuple[tuple[RelationChoice, ...], ...]
    """For each hop the relations it follows, heaviest first."""
    excluded: tuple[tuple[int, ...], ...]
    """For each hop the earlier steps (0 = the topic) whose entities are left out after it."""


class Backtracker:
    """Walks back from an answer along the heaviest edges; edges lie sorted by where they lead."""

    def __init__(self, edges: EdgeIndex) -> None:
        self.source = edges.source.numpy()
        self.relation = edges.relation.numpy()
        counts = torch.bincount(edges.target, minlength=edges.num_entities)
        self.offsets = np.concatenate([[0], counts.cumsum(0).numpy()])
        self.num_relations = edges.num_relations

    def back(
        self, answer: int, reached: list[NDArray[np.float32]], relations: list[NDArray[np.float32]]
    ) -> list[tuple[Edge, int]] | None:
        """The heaviest walk into `answer`, first edge first, each with its directed relation; None if there is none.

        `reached[t]: [E]` entity weights before hop t + 1, `relations[t]: [2R]` weights of hop t + 1.
        """
        walk: list[tuple[Edge, int]] = []
        entity = answer
        for weights, relation_weights in zip(reversed(reached), reversed(relations), strict=True):
            arriving = slice(self.offsets[entity], self.offsets[entity + 1])
            source, relation = self.source[arriving], self.relation[arriving]
            scores = weights[source] * relation_weights[relation]
            if not len(scores) or (best := int(scores.argmax())) < 0 or scores[best] <= 0:
                return None
            came_from, directed = int(source[best]), int(relation[best])
            walk.append((self._edge(came_from, directed, entity), directed))
            entity = came_from
        return walk[::-1]

    def _edge(self, came_from: int, directed: int, entity: int) -> Edge:
        inverse = directed >= self.num_relations
        head, tail = (entity, came_from) if inverse else (came_from, entity)
        return head, directed % self.num_relations, tail, inverse


def branch(
    topic: Topic,
    walk: list[tuple[Edge, int]],
    relations: list[NDArray[np.float32]],
    exclude: list[NDArray[np.float32]],
) -> Branch:
    """The program that `walk` is an instance of: its relations, and others nearly as heavy at the same hop."""
    num_relations = len(relations[0]) // 2
    hops = []
    for (_, chosen), weights in zip(walk, relations, strict=False):
        followed = np.flatnonzero(weights >= ALTERNATIVE * weights[chosen])
        heaviest_first = followed[np.argsort(-weights[followed], kind="stable")]
        hops.append(
            tuple(
                RelationChoice(int(r) % num_relations, bool(r >= num_relations), float(weights[r]))
                for r in heaviest_first
            )
        )
    excluded = tuple(tuple(np.flatnonzero(gates > EXCLUDED).tolist()) for gates in exclude[: len(hops)])
    return Branch(topic, tuple(hops), excluded)

"""From weights to proof: the program behind an answer, and the facts it went over.

A *program* says for each hop which relations are followed, in which direction, and which earlier steps' entities are
left out: what a SPARQL query can say. It is read off the best walk to the best answer, then run with weights of 0 and
1: the answer set is exactly what the program gives, so that every answer has its proof.
"""

from dataclasses import dataclass

import numpy as np

from kgqa.reason.frontier import Adjacency, Choices, Floats, Frontier, of_row
from kgqa.types import Topic

ALTERNATIVE = 0.5
"""A relation is followed beside the chosen one when it has at least this share of its weight."""

EXCLUDED = 0.5
"""Gate above which an earlier step's entities are left out."""

_NEGLIGIBLE = 1e-3
"""Gates below it are not worth a pass over the frontier."""

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


class Walked:
    """A batch of walks: where they have been, and what they followed."""

    def __init__(self, adjacency: Adjacency, start: Frontier) -> None:
        self.adjacency = adjacency
        self.reached = [start]
        """The topics' candidates, then what each hop reached."""
        self.relations: list[Choices] = []
        """What each hop followed."""
        self.exclude: list[Floats] = []
        """Per hop the gates `[B, t + 1]` of the earlier steps."""

    def follow(self, relations: Choices, exclude: Floats) -> None:
        """Go one hop: p_t = step(p_{t-1}) * prod_s (1 - g_{t,s} p_s)."""
        arrived = self.adjacency.step(self.reached[-1], relations)
        for earlier, gate in zip(self.reached, exclude.T, strict=True):
            if gate.max(initial=0) > _NEGLIGIBLE:
                arrived = self.adjacency.without(arrived, earlier, gate)
        self.reached.append(arrived)
        self.relations.append(relations)
        self.exclude.append(exclude)

    def back(self, row: int, answer: int, num_hops: int) -> list[tuple[Edge, int]] | None:
        """The heaviest walk of `num_hops` of a row into `answer`, first edge first, each with its directed relation."""
        adjacency = self.adjacency
        walk: list[tuple[Edge, int]] = []
        entity = answer
        for t in reversed(range(num_hops)):
            followed = self.relations[t]
            part = slice(followed.offsets[row], followed.offsets[row + 1])
            relation = followed.relation[part]
            here = np.full(len(relation), entity, dtype=np.int64)
            pair, source = adjacency.neighbours(here, adjacency.inverse(relation))
            before = of_row(self.reached[t], row)
            weight = adjacency.weights_at(before, np.full(len(source), row, dtype=np.int64), source)
            scores = weight * followed.weight[part][pair]
            if not len(scores) or scores.max() <= 0:
                return None
            best = int(scores.argmax())
            directed, came_from = int(relation[pair[best]]), int(source[best])
            inverse = directed >= adjacency.num_relations
            head, tail = (entity, came_from) if inverse else (came_from, entity)
            walk.append(((head, directed % adjacency.num_relations, tail, inverse), directed))
            entity = came_from
        return walk[::-1]

    def program(self, topic: Topic, row: int, walk: list[tuple[Edge, int]]) -> Branch:
        """The program that `walk` is an instance of: its relations, and others nearly as heavy at the same hop."""
        hops = []
        for (_, chosen), followed in zip(walk, self.relations, strict=False):
            part = slice(followed.offsets[row], followed.offsets[row + 1])
            weight_of = dict(zip(followed.relation[part].tolist(), followed.weight[part].tolist(), strict=True))
            kept = [r for r, weight in weight_of.items() if weight >= ALTERNATIVE * weight_of[chosen]]
            kept.sort(key=lambda r: -weight_of[r])
            num = self.adjacency.num_relations
            hops.append(tuple(RelationChoice(r % num, r >= num, weight_of[r]) for r in kept))
        excluded = tuple(tuple(np.flatnonzero(gates[row] > EXCLUDED).tolist()) for gates in self.exclude[: len(hops)])
        return Branch(topic, tuple(hops), excluded)

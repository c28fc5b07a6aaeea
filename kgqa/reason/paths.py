"""From weights to proof: the program behind an answer, and the facts it went over.

A *program* says for each hop which relations are followed, in which direction, and which earlier steps' entities are
left out: what a SPARQL query can say. It is read off the best walk to the best answer, then run with weights of 0 and
1: the answer set is exactly what the program gives, so that every answer has its proof.
"""

from dataclasses import dataclass

import numpy as np

from kgqa.graph.subgraph import ranges
from kgqa.reason.frontier import Adjacency, Choices, Floats, Frontier, Ints, heaviest
from kgqa.types import Topic

ALTERNATIVE = 0.5
"""A relation is followed beside the chosen one when it has at least this share of its weight."""

EXCLUDED = 0.5
"""Gate above which an earlier step's entities are left out."""

_NEGLIGIBLE = 1e-3
"""Gates below it are not worth a pass over the frontier."""

Edge = tuple[int, int, int, bool]
"""Head, relation, tail, and whether it was walked from tail to head; indices into the graph's table."""

Walk = list[tuple[Edge, int]]
"""Edges, first one first, each with its directed relation."""


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

    def back(self, row: Ints, answer: Ints, num_hops: Ints) -> list[Walk | None]:
        """The heaviest walk into each of some answers, `[k]`: of a row, of so many hops; None where there is none."""
        walks: list[Walk] = [[] for _ in row]
        entity, alive = answer.copy(), np.ones(len(row), dtype=bool)
        for t in reversed(range(int(num_hops.max(initial=0)))):
            going = np.flatnonzero(alive & (num_hops > t))
            came_from, directed = self._back(t, row[going], entity[going])
            alive[going] = directed >= 0
            inverse, relation = np.divmod(directed, max(self.adjacency.num_relations, 1))
            head, tail = np.where(inverse > 0, (entity[going], came_from), (came_from, entity[going]))
            columns = (going, head, relation, tail, inverse > 0, directed)
            for k, h, r, e, is_inverse, way in zip(*(column.tolist() for column in columns), strict=True):
                walks[k].append(((h, r, e, is_inverse), way))
            entity[going] = came_from
        return [walk[::-1] if is_whole else None for walk, is_whole in zip(walks, alive.tolist(), strict=True)]

    def _back(self, t: int, row: Ints, entity: Ints) -> tuple[Ints, Ints]:
        """Where the heaviest step of hop `t` into each of some entities comes from, and its directed relation, `[k]`
        each; -1 where no step leads there."""
        followed = self.relations[t]
        item, place = ranges(followed.offsets[row], followed.offsets[row + 1])
        relation = followed.relation[place]
        pair, source = self.adjacency.neighbours(entity[item], self.adjacency.inverse(relation))
        owner = item[pair]
        weight = self.adjacency.weights_at(self.reached[t], row[owner], source) * followed.weight[place][pair]
        # The first of the heaviest of each entity; owners ascend.
        best, _ = heaviest(Frontier(owner, np.arange(len(owner)), weight), len(row))
        best[best >= 0] = np.where(weight[best[best >= 0]] > 0, best[best >= 0], -1)
        if not len(owner):
            return best, best
        return np.where(best < 0, -1, source[best]), np.where(best < 0, -1, relation[pair[best]])

    def program(self, topic: Topic, row: int, walk: Walk) -> Branch:
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

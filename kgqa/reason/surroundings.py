"""A graph as rules are learned from it: its edges by where they come from, by both ends, and as facts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kgqa.graph.subgraph import TripleTable, ranges
from kgqa.reason.frontier import Adjacency, Ints

_PATHS = 20_000
"""Paths followed at once; of more a sample."""


class Ends(NamedTuple):
    """Where paths lead from n entities: sorted by row, then entity; each pair once."""

    row: Ints  # [m] in [0, n)
    entity: Ints  # [m]


class Surroundings(Adjacency):
    """The edges of a graph, some of which are drawn at random where there are too many: `seed` says which."""

    def __init__(self, table: TripleTable, *, seed: int = 0) -> None:
        super().__init__(table)
        self.source, self.relation = np.divmod(self.key, max(2 * self.num_relations, 1))
        between = np.lexsort((self.relation, self.target, self.source))
        self._pair, self._by = (self.source * self.num_entities + self.target)[between], self.relation[between]
        self._fact = np.sort(self.key * self.num_entities + self.target)
        self._seed = seed
        self.draw_anew()

    def draw_anew(self) -> None:
        """What is drawn from here on is what was drawn from the beginning."""
        self.draw = np.random.default_rng(self._seed)

    def facts(self, relation: int) -> tuple[Ints, Ints]:
        """Sources and targets of a directed relation."""
        chosen = self.relation == relation
        return self.source[chosen], self.target[chosen]

    def leaving(self, entity: Ints, most: int) -> tuple[Ints, Ints, Ints]:
        """Edges from entities `[n]`, at random `most` of each: item, relation, target."""
        first, last = np.searchsorted(self.source, entity), np.searchsorted(self.source, entity, side="right")
        item, place = ranges(first, last)
        if len(item) and (last - first).max() > most:
            order = np.lexsort((self.draw.random(len(item)), item))
            rank = np.arange(len(item)) - np.repeat((last - first).cumsum() - (last - first), last - first)
            chosen = np.sort(order[rank < most])
            item, place = item[chosen], place[chosen]
        return item, self.relation[place], self.target[place]

    def between(self, source: Ints, target: Ints) -> tuple[Ints, Ints]:
        """The directed relations between pairs `[n]`: item, relation."""
        key = source * self.num_entities + target
        item, place = ranges(np.searchsorted(self._pair, key), np.searchsorted(self._pair, key, side="right"))
        return item, self._by[place]

    def holds(self, source: Ints, relation: int, target: Ints) -> NDArray[np.bool_]:
        """Whether the graph has the facts, `[n]`."""
        if not len(self._fact):
            return np.zeros(len(source), dtype=bool)
        wanted = (source * (2 * self.num_relations) + relation) * self.num_entities + target
        place = np.searchsorted(self._fact, wanted).clip(max=len(self._fact) - 1)
        found: NDArray[np.bool_] = self._fact[place] == wanted
        return found

    def ends(self, start: Ints, body: Sequence[int]) -> Ends:
        """Where a path leads from entities `[n]` without entering one twice; of many paths a sample is followed."""
        row, visited = np.arange(len(start)), [start]
        for relation in body:
            item, target = self.neighbours(visited[-1], np.full(len(row), relation))
            fresh = np.ones(len(item), dtype=bool)
            for earlier in visited:
                fresh &= earlier[item] != target
            item, target = item[fresh], target[fresh]
            if len(item) > _PATHS:
                chosen = np.sort(self.draw.choice(len(item), _PATHS, replace=False))
                item, target = item[chosen], target[chosen]
            row, visited = row[item], [*(earlier[item] for earlier in visited), target]
        return Ends(*np.divmod(np.unique(row * self.num_entities + visited[-1]), max(self.num_entities, 1)))

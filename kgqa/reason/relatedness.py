"""What two entities are to each other: relations that are stated, else those that the graph's own rules derive.

Rules of two steps are learned from the graph at the first question, and composed as far as the shortest paths between
the two reach (kgqa.reason.composition). How sure a derived relation is, is its share among those that the rules allow
in its direction: what the graph leaves unsaid everywhere counts for nothing, so that a relation that is stated of few
such pairs can be derived, and one that is only one of several is doubted.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.composition import compose, composition_table
from kgqa.reason.frontier import Floats, Ints
from kgqa.reason.paths import Edge
from kgqa.reason.rules import learn_rules
from kgqa.reason.surroundings import Surroundings

_FARTHEST = 8
"""Steps of the longest path that is looked for."""
_MOST_REACHED = 20_000
"""Entities around either of the two, beyond which they are not looked for farther out."""
_MOST_BETWEEN = 24
"""Entities on the shortest paths that take part; the work grows with their cube."""
_MOST_RELATIONS = 100
"""Of a graph whose rules are composed: a table of them has 8 R^3 numbers."""
_LEAST = 0.02
"""Confidence of a rule below which it is chance."""


@dataclass(frozen=True, slots=True)
class Found:
    """How two entities are related; nothing where no path joins them."""

    relations: tuple[tuple[int, bool, float], ...] = ()
    """(relation of the table, whether it leads from the second to the first, how sure in (0, 1]), the surest first."""
    path: tuple[Edge, ...] = ()
    """From the first to the second."""
    is_stated: bool = False


class Relatedness:
    """The graph of a table, for questions about two entities."""

    def __init__(self, table: TripleTable) -> None:
        self.table = table

    @cached_property
    def _graph(self) -> Surroundings:
        return Surroundings(self.table)

    @cached_property
    def _shares(self) -> Floats:
        """P(r | b, c) of the graph's rules; learned at the first question."""
        rules = learn_rules(self._graph, max_length=2, least=_LEAST)
        return composition_table(rules, self._graph.num_relations)

    def between(self, one: int, other: int) -> Found:
        """What `one` and `other` are to each other."""
        stated = self._between(one, other)
        if len(stated):
            found = tuple((*self._relation(directed), 1.0) for directed in stated.tolist())
            return Found(found, (self._edge(one, int(stated[0]), other),), is_stated=True)
        nodes, path = self._paths(one, other)
        if not path or self._graph.num_relations > _MOST_RELATIONS:
            return Found(path=path)
        return Found(self._derived(nodes, one, other), path)

    def _derived(self, nodes: Ints, one: int, other: int) -> tuple[tuple[int, bool, float], ...]:
        """The likeliest relation from `one` to `other`, and the one from `other` to `one`; the surer first."""
        num = self._graph.num_relations
        at = {node: number for number, node in enumerate(nodes.tolist())}
        heads, tails = np.repeat(nodes, len(nodes)), np.tile(nodes, len(nodes))
        item, directed = self._graph.between(heads, tails)
        facts = [
            (at[head], way, at[tail])
            for head, way, tail in zip(heads[item].tolist(), directed.tolist(), tails[item].tolist(), strict=True)
            if way < num
        ]
        shares = compose(facts, self._shares, len(nodes))[at[one], at[other]]
        found = []
        for inverse, part in ((False, shares[:num]), (True, shares[num:])):
            if part.any():
                found.append((int(part.argmax()), inverse, float(part.max() / part.sum())))
        return tuple(sorted(found, key=lambda one: -one[2]))

    def _between(self, one: int, other: int) -> Ints:
        """The directed relations that lead from one to the other."""
        directed: Ints = np.unique(self._graph.between(np.array([one]), np.array([other]))[1])
        return directed

    def _paths(self, one: int, other: int) -> tuple[Ints, tuple[Edge, ...]]:
        """The entities on shortest paths between two, and one of these paths; none where they are too far apart."""
        levels = [np.array([one])]
        seen = levels[0]
        while other not in levels[-1]:
            if len(levels) > _FARTHEST or len(seen) > _MOST_REACHED:
                return levels[0], ()
            around = np.setdiff1d(self._around(levels[-1]), seen, assume_unique=True)
            if not len(around):
                return levels[0], ()
            levels.append(around)
            seen = np.union1d(seen, around)
        back, nodes = np.array([other]), [np.array([other])]
        path: list[Edge] = []
        end = other
        for level in reversed(levels[:-1]):
            back = np.intersect1d(self._around(back), level, assume_unique=True)
            nodes.append(back[:_MOST_BETWEEN])
            here = int(np.intersect1d(self._around(np.array([end])), level, assume_unique=True)[0])
            path.append(self._edge(here, int(self._between(here, end)[0]), end))
            end = here
        through = np.array([edge[0] for edge in path] + [edge[2] for edge in path])
        rest = np.setdiff1d(np.concatenate(nodes), through)
        kept = np.concatenate([np.unique(through), rest])[: max(_MOST_BETWEEN, len(np.unique(through)))]
        return np.sort(kept), tuple(path[::-1])

    def _around(self, entities: Ints) -> Ints:
        """What is one fact away from any of some entities, ascending."""
        graph = self._graph
        first, last = np.searchsorted(graph.source, entities), np.searchsorted(graph.source, entities, side="right")
        places = [graph.target[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        around: Ints = np.unique(np.concatenate(places)) if places else entities[:0]
        return around

    def _relation(self, directed: int) -> tuple[int, bool]:
        inverse, relation = divmod(directed, self._graph.num_relations)
        return relation, bool(inverse)

    def _edge(self, one: int, directed: int, other: int) -> Edge:
        relation, inverse = self._relation(directed)
        return (other, relation, one, True) if inverse else (one, relation, other, False)

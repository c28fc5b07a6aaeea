"""Which entity stands at the other end of a fact that a graph lacks, however new the entities are.

Three witnesses, each of which speaks of relations only, so that what is learned from one graph holds in another:

    score(y | x, r) = log rules(x, r, y)                     paths from x to y that often stand beside r
                    + sum_{s leaves y} log P(s | r leads here) / P(s)      y has what other ends of r have
                    + 1/2 log walk(x, y)                     y is near x: a random walk from x stops there

The second is naive Bayes over the relations that leave an entity, its type as far as a graph without types has one; the
third is personalised PageRank. The half was chosen on the valid part of two of GraIL's inductive graphs.
"""

import numpy as np

from kgqa.graph.pagerank import links, push
from kgqa.reason.frontier import Floats, Ints
from kgqa.reason.rules import RuleBook, learn_rules
from kgqa.reason.surroundings import Surroundings

_UNSAID, _FAR = 1e-4, 1e-6
"""What counts for a rule that says nothing, and for a walk that does not come by: logarithms stay finite."""

_STOPS, _TOLERANCE = 0.3, 1e-5
"""Of the walk: it goes a few steps, and is followed as far as a thousandth of `_FAR` a link."""

_NEARNESS = 0.5


class Completion:
    """Learned from the graph `known`, asked about the graph `graph` (the same one, or one with the same relations);
    `max_length` relations in a rule's path."""

    def __init__(self, known: Surroundings, graph: Surroundings | None = None, *, max_length: int = 3) -> None:
        self.graph = graph or known
        self.rules = RuleBook(learn_rules(known, max_length=max_length), self.graph)
        self._types = _evidence(known)
        self._links = links(self.graph.source, self.graph.target, self.graph.num_entities)

    def scores(self, entity: int, relation: int, candidates: Ints) -> Floats:
        """How likely candidates `[n]` are at the other end of a directed relation from `entity`, in nats: `[n]`."""
        rules = np.log(self.by_rules(entity, relation, candidates) + _UNSAID)
        walk = np.log(self.by_walk(entity, candidates) + _FAR)
        total: Floats = rules + self.by_type(relation, candidates) + np.float32(_NEARNESS) * walk
        return total

    def by_rules(self, entity: int, relation: int, candidates: Ints) -> Floats:
        """How far rules conclude the candidates, `[n]` in [0, 1]."""
        found = self.rules.conclude(np.array([entity]), relation)
        return _at(found.entity, found.confidence, candidates)

    def by_type(self, relation: int, candidates: Ints) -> Floats:
        """What the relations that leave the candidates say, in nats, `[n]`."""
        evidence: Floats = (_leaving(self.graph, candidates) > 0) @ self._types[relation]
        return evidence

    def by_walk(self, entity: int, candidates: Ints) -> Floats:
        """The share of a walk from `entity` that stops at the candidates, `[n]` in [0, 1]."""
        ranks = push(self._links, np.array([entity]), np.ones(1), alpha=_STOPS, tolerance=_TOLERANCE)
        return _at(ranks.node, ranks.rank.astype(np.float32), candidates)


def _at(known: Ints, value: Floats, wanted: Ints) -> Floats:
    """The values of `wanted` among the ascending `known`, 0 of others."""
    if not len(known):
        return np.zeros(len(wanted), dtype=np.float32)
    place = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return np.where(known[place] == wanted, value[place], np.float32(0))


def _leaving(graph: Surroundings, entity: Ints) -> Ints:
    """How many edges leave entities `[n]` under each directed relation, `[n, 2R]`."""
    width = 2 * graph.num_relations
    key = entity[:, None] * width + np.arange(width)
    counts: Ints = np.searchsorted(graph.key, key, side="right") - np.searchsorted(graph.key, key)
    return counts


def _evidence(graph: Surroundings) -> Floats:
    """log P(s | r leads here) / P(s) for directed relations r, s: `[2R, 2R]`.

    The fact itself gives each of its ends an edge back; it is not counted, since a missing fact gives none.
    """
    width = 2 * graph.num_relations
    entities, counts = np.unique(np.unique(graph.key) % max(width, 1), return_counts=True)
    usual = np.ones(width)
    usual[entities] += counts
    usual /= graph.num_entities + 2
    found = np.zeros((width, width), dtype=np.float32)
    for relation in range(width):
        _, targets = graph.facts(relation)
        leaving = _leaving(graph, targets)
        leaving[:, graph.inverse(relation)] -= 1
        share = ((leaving > 0).sum(0) + 2 * usual) / (len(targets) + 2)
        found[relation] = np.log(share / usual)
    return found

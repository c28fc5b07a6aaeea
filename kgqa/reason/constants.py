"""Rules with constants: what goes with the things that an entity has, in this graph and no other.

    r(x, y) <- s(x, z)        films directed by this one (z) are in French (y)

Such rules are as many as pairs of facts that share an entity, so none is learned beforehand: those about an entity are
counted when it is asked about, over the others that have s(., z) too. The confidence is the share of these others at
which r(., y) holds (Meilicke et al. 2019, AnyBURL, with its correction for few observations).
"""

from typing import NamedTuple

import numpy as np

from kgqa.graph.subgraph import ranges
from kgqa.reason.frontier import Floats, Ints
from kgqa.reason.surroundings import Surroundings

PESSIMISM = 5
"""Observations against it that every rule is charged with, so that two hits of two are no certainty."""

_MOST = 300
"""Facts of an entity, others at the end of one, and ends of theirs that are looked at."""


class ConstantRule(NamedTuple):
    """What leads to `at` by `relation` leads to `end` by `head`; both relations are directed."""

    head: int
    relation: int
    at: int
    end: int
    confidence: float


class Witnesses(NamedTuple):
    """Rules with constants that speak about n entities: sorted by row; of one row each rule once."""

    row: Ints  # [m] in [0, n)
    end: Ints  # [m] what the rule concludes
    confidence: Floats  # [m] in (0, 1)
    edge: Ints  # [m] the place in the graph of the edge, from the entity to the constant, that is the rule's body


def witnesses(graph: Surroundings, entity: Ints, head: int, *, most: int = _MOST) -> Witnesses:
    """The rules for a directed relation `head` that hold of entities `[n]`, counted without these themselves.

    Where there is more to look at than `most`, it is what stands at even distances, the same each time.
    """
    row, place = _some(np.searchsorted(graph.source, entity), np.searchsorted(graph.source, entity, side="right"), most)
    other = graph.relation[place] != head
    row, place = row[other], place[other]
    relation, at = graph.relation[place], graph.target[place]
    fact, other = _targets(graph, at, graph.inverse(relation), most)
    fact, other = _without(fact, other, entity[row])
    total = np.bincount(fact, minlength=len(row))
    pair, end = _targets(graph, other, np.full(len(other), head), most)
    fact, end = _without(fact[pair], end, entity[row])
    key, count = np.unique(fact * graph.num_entities + end, return_counts=True)
    fact, end = np.divmod(key, max(graph.num_entities, 1))
    confidence = (count / (total[fact] + PESSIMISM)).astype(np.float32)
    return Witnesses(row[fact], end, confidence, place[fact])


def examples(graph: Surroundings, entity: int, rule: ConstantRule) -> list[int]:
    """Others than `entity` of which a rule's body and head both hold."""
    first, last = np.array([rule.at]), np.array([rule.end])
    _, body = graph.neighbours(first, np.array([graph.inverse(rule.relation)]))
    _, head = graph.neighbours(last, np.array([graph.inverse(rule.head)]))
    both = np.intersect1d(body, head)
    return [other for other in both.tolist() if other != entity]


def _targets(graph: Surroundings, entity: Ints, relation: Ints, most: int) -> tuple[Ints, Ints]:
    """Where directed relations lead from entities, `[n]` both: item, target."""
    key = entity * (2 * graph.num_relations) + relation
    item, place = _some(np.searchsorted(graph.key, key), np.searchsorted(graph.key, key, side="right"), most)
    return item, graph.target[place]


def _some(first: Ints, last: Ints, most: int) -> tuple[Ints, Ints]:
    """At most `most` numbers of each range, at even distances: item, number."""
    counts = last - first
    kept = counts.clip(max=most)
    item, rank = ranges(np.zeros_like(kept), kept)
    return item, first[item] + rank * counts[item] // kept[item]


def _without(fact: Ints, found: Ints, entity: Ints) -> tuple[Ints, Ints]:
    """What was found beside facts, without the entities that these are of."""
    kept = found != entity[fact]
    return fact[kept], found[kept]

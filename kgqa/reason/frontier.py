"""Hops over the entities that a walk has reached, and over nothing else: what answering a question costs.

Training moves dense weights of all entities (`follow`). Once the relations of a hop are known, all but a few have no
weight, and a walk touches some hundreds of edges of a graph that may have millions. Here a batch of walks is a sorted
list of (row, entity, weight); a hop looks up the edges of each entity under each relation that its row follows, by
binary search over one sorted array of keys. The cost depends on what is reached, and only by a logarithm on the whole.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from kgqa.graph.subgraph import TripleTable, ranges

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Relations = TypeVar("Relations", int, Ints)


class Frontier(NamedTuple):
    """Entity weights of a batch of walks; sorted by row, then entity; each pair once."""

    row: Ints  # [n]
    entity: Ints  # [n]
    weight: Floats  # [n] above 0, at most 1


class Choices(NamedTuple):
    """The directed relations that each row follows in a hop, in compressed rows."""

    offsets: Ints  # [B + 1]
    relation: Ints  # [m] in [0, 2R)
    weight: Floats  # [m]


def choices(weights: Floats, *, prune: float = 1e-3, most: int = 16) -> Choices:
    """From dense relation weights `[B, 2R]`: those of at least `prune`, at most `most` a row."""
    kept = weights >= prune
    if weights.shape[1] > most:
        bound = np.partition(weights, -most, axis=1)[:, -most]
        kept &= weights >= bound[:, None]
    row, relation = np.nonzero(kept)
    offsets = np.concatenate([[0], np.bincount(row, minlength=len(weights)).cumsum()])
    return Choices(offsets, relation, weights[row, relation].astype(np.float32))


class Adjacency:
    """The graph by (entity, directed relation): relation r walked from tail to head is `num_relations + r`.

    Edges are sorted by `key` [F], which is entity * 2R + relation; `target` [F] is where each leads.
    """

    def __init__(self, table: TripleTable) -> None:
        self.num_entities, self.num_relations = len(table.entities), len(table.relation_terms)
        relation = np.concatenate([table.relations, table.relations + self.num_relations])
        key = np.concatenate([table.heads, table.tails]) * (2 * self.num_relations) + relation
        target = np.concatenate([table.tails, table.heads])
        order = np.lexsort((target, key))
        self.key, self.target = key[order], target[order]
        leaving = self.key[np.diff(self.key, prepend=-1) > 0]
        self._leaving = leaving % (2 * self.num_relations) if len(leaving) else leaving
        self._leaving_from = np.searchsorted(leaving, np.arange(self.num_entities + 1) * (2 * self.num_relations))

    def neighbours(self, entity: Ints, relation: Ints) -> tuple[Ints, Ints]:
        """Where edges lead: for pairs `[p]`, the pair's number and the entity reached, `[e]` each."""
        wanted = entity * (2 * self.num_relations) + relation
        first = np.searchsorted(self.key, wanted, side="left")
        pair, place = ranges(first, np.searchsorted(self.key, wanted, side="right"))
        return pair, self.target[place]

    def ways(self, frontier: Frontier, num_rows: int) -> Floats:
        """The share of each row's weight at which each directed relation leads on, `[B, 2R]` (dense: `follow.ways`)."""
        first, last = self._leaving_from[frontier.entity], self._leaving_from[frontier.entity + 1]
        item, place = ranges(first, last)
        cell = frontier.row[item] * (2 * self.num_relations) + self._leaving[place]
        total = np.bincount(cell, frontier.weight[item], minlength=num_rows * 2 * self.num_relations)
        weight = np.bincount(frontier.row, frontier.weight, minlength=num_rows).clip(min=1e-6)
        share: Floats = (total.reshape(num_rows, -1) / weight[:, None]).astype(np.float32)
        return share

    def inverse(self, relation: Relations) -> Relations:
        """The same relations walked the other way."""
        return (relation + self.num_relations) % (2 * self.num_relations)

    def step(self, frontier: Frontier, followed: Choices, *, budget: int = 100_000) -> Frontier:
        """One hop: x_t[v] = min(1, sum_{(u, r, v)} x_{t-1}[u] w_t[r]); of each row the `budget` heaviest are kept."""
        return _within(collect(*self.arriving(frontier, followed), self.num_entities), budget)

    def arriving(self, frontier: Frontier, followed: Choices) -> tuple[Ints, Ints, Floats]:
        """Each edge of one hop by itself: row, the entity that it leads to, weight."""
        item, choice = ranges(followed.offsets[frontier.row], followed.offsets[frontier.row + 1])
        pair, target = self.neighbours(frontier.entity[item], followed.relation[choice])
        weight = (frontier.weight[item] * followed.weight[choice])[pair]
        return frontier.row[item[pair]], target, weight

    def weights_at(self, frontier: Frontier, row: Ints, entity: Ints) -> Floats:
        """The weights of (row, entity) pairs; 0 where the walk has not been."""
        return _lookup(frontier, row, entity, self.num_entities)

    def without(self, frontier: Frontier, earlier: Frontier, gate: Floats) -> Frontier:
        """Entities of an earlier step left out as far as the row's gate says: p_t (1 - g p_s), `gate: [B]`."""
        there = _lookup(earlier, frontier.row, frontier.entity, self.num_entities)
        return _positive(frontier._replace(weight=frontier.weight * (1 - gate[frontier.row] * there)))


def collect(row: Ints, entity: Ints, weight: Floats, num_entities: int) -> Frontier:
    """Pairs in any order, some of them several times, to a frontier: weights of one pair add up, to at most 1."""
    key = row * num_entities + entity
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.empty(0, np.int64)
    total = np.add.reduceat(weight[order], first) if len(first) else weight[:0]
    total = np.minimum(total, 1).astype(np.float32)
    return _positive(Frontier(key[first] // num_entities, key[first] % num_entities, total))


def _positive(frontier: Frontier) -> Frontier:
    kept = frontier.weight > 0
    return frontier if kept.all() else select(frontier, kept)


def select(frontier: Frontier, kept: Ints | NDArray[np.bool_]) -> Frontier:
    """The pairs at `kept`, which leaves their order alone."""
    return Frontier(frontier.row[kept], frontier.entity[kept], frontier.weight[kept])


def _lookup(frontier: Frontier, row: Ints, entity: Ints, num_entities: int) -> Floats:
    if not len(frontier.row):
        return np.zeros(len(row), dtype=np.float32)
    known, wanted = frontier.row * num_entities + frontier.entity, row * num_entities + entity
    place = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return np.where(known[place] == wanted, frontier.weight[place], np.float32(0))


def _within(frontier: Frontier, budget: int) -> Frontier:
    """The heaviest of each row; a budget is there for hub entities, most rows stay far below."""
    counts = np.bincount(frontier.row)
    if not len(counts) or counts.max() <= budget:
        return frontier
    order = np.lexsort((-frontier.weight, frontier.row))
    rank = np.arange(len(order)) - np.repeat(counts.cumsum() - counts, counts)
    kept = np.sort(order[rank < budget])
    return select(frontier, kept)


def heaviest(frontier: Frontier, num_rows: int) -> tuple[Ints, Floats]:
    """For each row its heaviest entity (the first of equals; -1 where the row is empty) and the weight, `[B]` each."""
    entity, weight = np.full(num_rows, -1, dtype=np.int64), np.zeros(num_rows, dtype=np.float32)
    if len(frontier.row):
        rows, first = np.unique(frontier.row, return_index=True)
        weight[rows] = np.maximum.reduceat(frontier.weight, first)
        place = np.flatnonzero(frontier.weight == weight[frontier.row])
        rows, first = np.unique(frontier.row[place], return_index=True)
        entity[rows] = frontier.entity[place[first]]
    return entity, weight

"""The part of a graph that lies around some nodes: personalised PageRank by local work, over compressed rows (CSR).

A walk starts at the given nodes. At each it stops with probability alpha, else it goes on along one of the node's
links; the rank of a node is the probability that the walk stops there:

    pr = alpha * start + (1 - alpha) * pr P,     P[u, v] = links of u that lead to v / degree of u

`push` finds what matters of it by looking only where enough of the walk arrives (Andersen, Chung and Lang 2006, "Local
graph partitioning using PageRank vectors"; here the walk is not lazy, and a whole frontier is pushed at a time). What
it costs is bounded by its budget, whatever the graph's size. `trail` gives the subgraph that the walk went over.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kgqa.errors import InputError
from kgqa.graph.subgraph import ranges

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Links(NamedTuple):
    """An undirected graph of V nodes and F links; a link is in the rows of both its ends, that of node u is
    `offsets[u]:offsets[u + 1]`."""

    offsets: Ints  # [V + 1]
    node: NDArray[np.int32]  # [2F] where the link leads
    number: NDArray[np.int32]  # [2F] which link it is, in [0, F)

    def degree(self, node: Ints) -> Ints:
        """How many links each of some nodes has."""
        return self.offsets[node + 1] - self.offsets[node]


class Ranks(NamedTuple):
    """The nodes that a walk was seen to reach, and what of it stops there for sure."""

    node: Ints  # [n] ascending
    rank: Floats  # [n] above 0, sums to at most 1
    pushed: NDArray[np.bool_]  # [n] where the walk was followed further
    bound: float
    """The true rank of any node of degree d is at most bound * max(d, 1) above what is said, 0 for nodes not seen."""


def links(one: Ints, other: Ints, num_nodes: int) -> Links:
    """The graph whose link i joins `one[i]` and `other[i]`, `[F]` each; pairs that repeat are so many links."""
    source = np.concatenate([one, other])
    order = np.argsort(source)
    offsets = np.concatenate([[0], np.bincount(source, minlength=num_nodes).cumsum()])
    number = order.astype(np.int32)
    number[order >= len(one)] -= len(one)
    return Links(offsets, np.concatenate([other, one]).astype(np.int32)[order], number)


def push(
    graph: Links,
    start: Ints,
    weight: Floats,
    *,
    alpha: float = 0.15,
    tolerance: float = 1e-4,
    budget: int = 100_000,
) -> Ranks:
    """The ranks of a walk from the nodes `start` [s], repeated or not, in proportion to `weight` [s], all above 0.

    tolerance: stops when no more of the walk waits anywhere than `tolerance` * degree. budget: stops when so many links
    were looked at; the result's `bound` says how near it is then. Raises InputError for weights that are none.
    """
    if len(start) and not (np.isfinite(weight).all() and (weight > 0).all()):
        raise InputError(f"a walk starts with weights {weight[:5].tolist()}; they must be finite and above 0")
    node, place = np.unique(start, return_inverse=True)
    waiting: Floats = np.bincount(place, weight / weight.sum()).astype(np.float64)
    rank: Floats = np.zeros(len(node))
    left, done = budget, np.empty(0, dtype=np.int64)
    while True:
        degree = graph.degree(node)
        ratio = waiting / np.maximum(degree, 1)
        pushed = _affordable(ratio, degree, tolerance, left)
        if not len(pushed):
            # Of what still waits at a node the share alpha stops there, whatever comes.
            return Ranks(node, rank + alpha * waiting, np.isin(node, done), float(ratio.max(initial=0)))
        # p(u) += alpha r(u),  r(v) += (1 - alpha) r(u) / d(u) for every link (u, v),  r(u) = 0
        source, link = ranges(graph.offsets[node[pushed]], graph.offsets[node[pushed] + 1])
        arriving = (1 - alpha) * ratio[pushed][source]
        rank[pushed] += alpha * waiting[pushed]
        waiting[pushed] = 0
        left, done = left - len(link), np.union1d(done, node[pushed])
        node, rank, waiting = _arrived(node, rank, waiting, graph.node[link].astype(np.int64), arriving)


def trail(graph: Links, ranks: Ranks) -> tuple[Ints, Floats]:
    """The links that a walk went over, each once: their numbers [n], ascending, and how often, but for a factor, [n].

    They are at most `budget` of `push`, and all of a node's where the walk was followed further.
    """
    node = ranks.node[ranks.pushed]
    source, link = ranges(graph.offsets[node], graph.offsets[node + 1])
    number, place = np.unique(graph.number[link].astype(np.int64), return_inverse=True)
    leaving = ranks.rank[ranks.pushed] / np.maximum(graph.degree(node), 1)
    return number, np.bincount(place, leaving[source], minlength=len(number)).astype(np.float64)


def _affordable(ratio: Floats, degree: Ints, tolerance: float, left: int) -> Ints:
    """The places of the nodes that are worth a push: those where most waits a link first, within what is `left`."""
    worth = np.flatnonzero(ratio >= tolerance)
    if degree[worth].sum() > left:
        worth = worth[degree[worth] <= left]
        worth = worth[np.argsort(-ratio[worth], kind="stable")]
        worth = worth[degree[worth].cumsum() <= left]
    return worth


def _arrived(node: Ints, rank: Floats, waiting: Floats, target: Ints, arriving: Floats) -> tuple[Ints, Floats, Floats]:
    """The nodes seen so far and those that something arrives at, ascending, with their ranks and what waits there."""
    merged, place = np.unique(np.concatenate([node, target]), return_inverse=True)
    known, reached = place[: len(node)], place[len(node) :]
    total: Floats = np.bincount(reached, arriving, minlength=len(merged)).astype(np.float64)
    total[known] += waiting
    ranked: Floats = np.zeros(len(merged))
    ranked[known] = rank
    return merged, ranked, total

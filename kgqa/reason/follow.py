"""One hop: move the weight of every entity along the edges, all questions of a batch at once.

    x_t[v] = sum_{(r, v)} w_t[r] * ( sum_{(u, r, v)} x_{t-1}[u] )

The inner sum does not depend on the question: it is one of rows, an embedding bag, which is the fastest gather that
torch has. The graph is fixed while a batch runs, so what autograd would keep of every pair (r, v) is computed again in
the backward pass: memory stays at one chunk of pairs, and the chunk stays in the cache.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kgqa.graph.subgraph import TripleTable

CHUNK = 16_384
"""Pairs handled at a time: 2 MB at 32 questions, about a core's L2 cache."""
_CHUNK_ON_GPU = 1 << 20
"""128 MB at 32 questions: a GPU wants few and large steps."""


class EdgeIndex(NamedTuple):
    """Every triple in both directions: F edges in P pairs (relation, where it leads), sorted by where they lead.

    Relation r walked backward is `num_relations + r`.
    """

    source: Tensor  # [F] int64: where the edges of the pairs come from, pair by pair
    first_edge: Tensor  # [P + 1] int64: where each pair's edges begin in `source`
    relation: Tensor  # [P] int64 in [0, 2R)
    target: Tensor  # [P] int64 entity, ascending
    leaving: Tensor  # [P] int64: the entities from which a directed relation leads on, relation by relation
    first_leaving: Tensor  # [2R + 1] int64: where each relation's entities begin in `leaving`
    num_entities: int
    num_relations: int


def edge_index(table: TripleTable) -> EdgeIndex:
    """The edges of `table`, F = twice its triples."""
    entities, relations = len(table.entities), len(table.relation_terms)
    source = np.concatenate([table.heads, table.tails])
    target = np.concatenate([table.tails, table.heads])
    relation = np.concatenate([table.relations, table.relations + relations])
    order = np.lexsort((source, relation, target))
    pair, counts = np.unique(target[order] * (2 * relations) + relation[order], return_counts=True)
    into, by = np.divmod(pair, max(2 * relations, 1))
    # What leads into an entity leads out of it when walked the other way.
    out = (by + relations) % max(2 * relations, 1)
    by_relation = np.lexsort((into, out))
    return EdgeIndex(
        torch.from_numpy(source[order]),
        torch.from_numpy(_starts(counts)),
        torch.from_numpy(by),
        torch.from_numpy(into),
        torch.from_numpy(into[by_relation]),
        torch.from_numpy(_starts(np.bincount(out, minlength=2 * relations))),
        entities,
        relations,
    )


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), counts.cumsum()])


class _Follow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, relation_weights: Tensor, edges: EdgeIndex) -> Tensor:
        ctx.save_for_backward(weights, relation_weights)
        ctx.edges = edges
        return _follow(weights, relation_weights, edges)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weights, relation_weights = ctx.saved_tensors
        edges: EdgeIndex = ctx.edges
        arriving = gradients[0].contiguous()
        grad_relations = torch.zeros_like(relation_weights)
        for pairs, came in _arrivals(weights, edges):
            grad_relations.index_add_(
                0, edges.relation[pairs], came.mul_(arriving.index_select(0, edges.target[pairs]))
            )
        if not ctx.needs_input_grad[0]:
            return None, grad_relations, None
        # Every edge is there in both directions, so gradients go back as weights go forth.
        backward = relation_weights.roll(edges.num_relations, 0)
        return _follow(arriving, backward, edges), grad_relations, None


def _follow(weights: Tensor, relation_weights: Tensor, edges: EdgeIndex) -> Tensor:
    reached = torch.zeros_like(weights)
    for pairs, came in _arrivals(weights, edges):
        came.mul_(relation_weights.index_select(0, edges.relation[pairs]))
        reached.index_add_(0, edges.target[pairs], came)
    return reached


def _arrivals(weights: Tensor, edges: EdgeIndex) -> Iterator[tuple[slice, Tensor]]:
    """Chunks of pairs, and what comes by each of them, `[pairs, B]`."""
    chunk = _CHUNK_ON_GPU if weights.is_cuda else CHUNK
    for start in range(0, len(edges.target), chunk):
        pairs = slice(start, start + chunk)
        bags = edges.first_edge[start : start + chunk + 1]
        yield pairs, _sums(weights, edges.source, bags)


def _sums(rows: Tensor, chosen: Tensor, bags: Tensor) -> Tensor:
    """For each bag the sum of its rows: those that are `chosen` from where it begins to where the next one does."""
    first, last = int(bags[0]), int(bags[-1])
    return F.embedding_bag(chosen[first:last], rows, bags - first, mode="sum", include_last_offset=True)


def follow(weights: Tensor, relation_weights: Tensor, edges: EdgeIndex) -> Tensor:
    """Entity weights after one hop: `[E, B], [2R, B] -> [E, B]`; several paths into an entity add up."""
    reached: Tensor = _Follow.apply(weights, relation_weights, edges)  # type: ignore[no-untyped-call]
    return reached


@torch.no_grad()
def ways(weights: Tensor, edges: EdgeIndex) -> Tensor:
    """Where one could go next: the share of the weight `[E, B]` at which each directed relation leaves, `[B, 2R]`."""
    total = _sums(weights, edges.leaving, edges.first_leaving)
    return (total / weights.sum(0).clamp(min=1e-6)).T

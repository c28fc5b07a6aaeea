"""One hop: move the weight of every entity along the edges, all questions of a batch at once.

The graph is fixed while a batch runs, so the gather that autograd would keep for every edge (edges x batch floats) is
recomputed in the backward pass instead: memory stays at one chunk of edges, and the chunk stays in the cache.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kgqa.graph.subgraph import TripleTable

CHUNK = 16_384
"""Edges handled at a time: 4 MB at 64 questions, about a core's L2 cache."""


class EdgeIndex(NamedTuple):
    """Every triple in both directions, sorted by where it leads. Relation r walked backward is `num_relations + r`."""

    source: Tensor  # [F] int64 entity
    relation: Tensor  # [F] int64 in [0, 2R)
    target: Tensor  # [F] int64 entity, ascending
    leaving_entity: Tensor  # [P] int64: which entities have edges
    leaving_relation: Tensor  # [P] int64 in [0, 2R) under which directed relation, each pair once
    num_entities: int
    num_relations: int


def edge_index(table: TripleTable) -> EdgeIndex:
    """The edges of `table`, F = twice its triples."""
    num_relations = len(table.relation_terms)
    source = np.concatenate([table.heads, table.tails])
    target = np.concatenate([table.tails, table.heads])
    relation = np.concatenate([table.relations, table.relations + num_relations])
    order = np.lexsort((relation, target))
    leaving = np.unique(source * (2 * num_relations) + relation)
    leaving_entity, leaving_relation = np.divmod(leaving, max(2 * num_relations, 1))
    return EdgeIndex(
        torch.from_numpy(source[order]),
        torch.from_numpy(relation[order]),
        torch.from_numpy(target[order]),
        torch.from_numpy(leaving_entity),
        torch.from_numpy(leaving_relation),
        len(table.entities),
        num_relations,
    )


class _Follow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, relation_weights: Tensor, edges: EdgeIndex) -> Tensor:
        ctx.save_for_backward(weights, relation_weights)
        ctx.edges = edges
        reached = torch.zeros_like(weights)
        for source, relation, target in _chunks(edges):
            # x_t[v] = sum_{(u, r, v)} x_{t-1}[u] w_t[r]
            leaving = weights.index_select(0, source)
            reached.index_add_(0, target, leaving.mul_(relation_weights.index_select(0, relation)))
        return reached

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weights, relation_weights = ctx.saved_tensors
        grad_weights = torch.zeros_like(weights) if ctx.needs_input_grad[0] else None
        grad_relations = torch.zeros_like(relation_weights)
        for source, relation, target in _chunks(ctx.edges):
            arriving = gradients[0].index_select(0, target)
            grad_relations.index_add_(0, relation, weights.index_select(0, source).mul_(arriving))
            if grad_weights is not None:
                grad_weights.index_add_(0, source, arriving.mul_(relation_weights.index_select(0, relation)))
        return grad_weights, grad_relations, None


def _chunks(edges: EdgeIndex) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for start in range(0, len(edges.target), CHUNK):
        part = slice(start, start + CHUNK)
        yield edges.source[part], edges.relation[part], edges.target[part]


def follow(weights: Tensor, relation_weights: Tensor, edges: EdgeIndex) -> Tensor:
    """Entity weights after one hop: `[E, B], [2R, B] -> [E, B]`; several paths into an entity add up."""
    reached: Tensor = _Follow.apply(weights, relation_weights, edges)  # type: ignore[no-untyped-call]
    return reached


@torch.no_grad()
def ways(weights: Tensor, edges: EdgeIndex) -> Tensor:
    """Where one could go next: the share of the weight `[E, B]` at which each directed relation leaves, `[B, 2R]`."""
    total = weights.new_zeros(2 * edges.num_relations, weights.shape[1])
    for start in range(0, len(edges.leaving_entity), CHUNK):
        part = slice(start, start + CHUNK)
        total.index_add_(0, edges.leaving_relation[part], weights.index_select(0, edges.leaving_entity[part]))
    return (total / weights.sum(0).clamp(min=1e-6)).T

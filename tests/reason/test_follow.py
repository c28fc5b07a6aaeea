"""The chunked hop against a naive loop, in value and in gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.graph.subgraph import TripleTable
from kgqa.reason import follow as module
from kgqa.reason.follow import EdgeIndex, edge_index, follow


def naive(weights: torch.Tensor, relations: torch.Tensor, edges: EdgeIndex) -> torch.Tensor:
    rows = [torch.zeros_like(weights[0]) for _ in range(edges.num_entities)]
    sizes = edges.first_edge.diff()
    relation, target = (pair.repeat_interleave(sizes).tolist() for pair in (edges.relation, edges.target))
    for s, r, t in zip(edges.source.tolist(), relation, target, strict=True):
        rows[t] = rows[t] + weights[s] * relations[r]
    return torch.stack(rows)


@given(st.integers(0, 1000), st.integers(1, 6), st.integers(0, 12), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_values_and_gradients_agree_with_a_naive_loop(seed: int, entities: int, facts: int, relations: int) -> None:
    rng = np.random.default_rng(seed)
    table = TripleTable(
        rng.integers(entities, size=facts), rng.integers(relations, size=facts), rng.integers(entities, size=facts),
        [str(i) for i in range(entities)], [str(i) for i in range(entities)],
        [str(i) for i in range(relations)], [str(i) for i in range(relations)],
    )  # fmt: skip
    edges = edge_index(table)
    assert len(edges.source) == 2 * facts
    assert (edges.target.diff() >= 0).all()
    torch.manual_seed(seed)
    inputs = [torch.rand(n, 2, dtype=torch.float64, requires_grad=True) for n in (entities, 2 * relations)]
    again = [x.detach().clone().requires_grad_(True) for x in inputs]
    ours, expected = follow(*inputs, edges), naive(*again, edges)
    torch.testing.assert_close(ours, expected)
    upstream = torch.rand_like(ours)
    ours.backward(upstream)
    if facts:
        expected.backward(upstream)
        for x, y in zip(inputs, again, strict=True):
            torch.testing.assert_close(x.grad, y.grad)


def test_chunks_meet_without_loss(toy: TripleTable, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = edge_index(toy)
    weights, relations = torch.rand(edges.num_entities, 3), torch.rand(2 * edges.num_relations, 3)
    whole = follow(weights, relations, edges)
    monkeypatch.setattr(module, "CHUNK", 3)
    torch.testing.assert_close(follow(weights, relations, edges), whole)


def test_gradcheck(toy: TripleTable) -> None:
    edges = edge_index(toy)
    weights = torch.rand(edges.num_entities, 2, dtype=torch.float64, requires_grad=True)
    relations = torch.rand(2 * edges.num_relations, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w, r: follow(w, r, edges), (weights, relations))

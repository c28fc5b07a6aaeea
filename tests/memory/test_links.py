"""Temporal links against naive loops; sparse ones against dense ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kgqa.memory.links import Link, SparseLink, follow, updated_link, updated_precedence

B, H, N, R = 2, 2, 6, 3


def written(seed: int, steps: int, link: Link, *, hard: bool = False) -> tuple[Link, Tensor, list[Tensor]]:
    """The link and precedence after random writes, and these."""
    torch.manual_seed(seed)
    precedence, all_weights = torch.zeros(B, H, N, dtype=torch.float64), []
    for _ in range(steps):
        weights = torch.softmax(3 * torch.randn(B, H, N, dtype=torch.float64), -1) * torch.rand(B, H, 1).double()
        if hard:
            weights = torch.nn.functional.one_hot(weights.argmax(-1), N).double()
        link, precedence = updated_link(link, precedence, weights), updated_precedence(precedence, weights)
        all_weights.append(weights)
    return link, precedence, all_weights


def full() -> Tensor:
    return torch.zeros(B, H, N, N, dtype=torch.float64)


def sparse(kept: int) -> SparseLink:
    weight = torch.zeros(B, H, N, kept, dtype=torch.float64)
    return SparseLink(weight, torch.zeros_like(weight, dtype=torch.long))


def dense(link: SparseLink) -> Tensor:
    return full().scatter_add(-1, link.source, link.weight)


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_links_and_precedence_agree_with_naive_loops(seed: int, steps: int) -> None:
    link, precedence, all_weights = written(seed, steps, full())
    for b in range(B):
        for h in range(H):
            links = [[0.0] * N for _ in range(N)]
            latest = [0.0] * N
            for step in all_weights:
                w = step[b, h].tolist()
                old = [row[:] for row in links]
                for i in range(N):
                    for j in range(N):
                        links[i][j] = 0.0 if i == j else (1 - w[i] - w[j]) * old[i][j] + w[i] * latest[j]
                latest = [(1 - sum(w)) * p + x for p, x in zip(latest, w, strict=True)]
            assert precedence[b, h].tolist() == pytest.approx(latest, abs=1e-9)
            for i in range(N):
                assert link[b, h, i].tolist() == pytest.approx(links[i], abs=1e-9)


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_sparse_links_that_keep_all_are_the_dense_ones(seed: int, steps: int) -> None:
    every, _, _ = written(seed, steps, full())
    kept, _, _ = written(seed, steps, sparse(N))
    torch.testing.assert_close(dense(kept), every)


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_one_sparse_link_a_slot_is_exact_for_hard_writes(seed: int, steps: int) -> None:
    every, _, _ = written(seed, steps, full(), hard=True)
    kept, _, _ = written(seed, steps, sparse(1), hard=True)
    torch.testing.assert_close(dense(kept), every)


@given(seed=st.integers(0, 10_000), kept=st.integers(1, N))
@settings(max_examples=20, deadline=None)
def test_sparse_links_are_never_more_than_the_dense_ones(seed: int, kept: int) -> None:
    """What is left out was a link; nothing is made up."""
    every, _, _ = written(seed, 6, full())
    some, _, _ = written(seed, 6, sparse(kept))
    assert (dense(some) <= every + 1e-9).all()
    assert some.weight.min() >= -1e-9


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_following_links_is_the_product_with_them(seed: int) -> None:
    link, _, _ = written(seed, 5, sparse(3))
    weights = torch.softmax(torch.randn(B, R, N, dtype=torch.float64), -1)
    expected = dense(link)
    for one in (link, expected):
        backward, forward = follow(one, weights)
        for b in range(B):
            for r in range(R):
                for h in range(H):
                    for i in range(N):
                        to = sum(float(expected[b, h, i, j] * weights[b, r, j]) for j in range(N))
                        back = sum(float(expected[b, h, j, i] * weights[b, r, j]) for j in range(N))
                        assert float(forward[b, r, h, i]) == pytest.approx(to, abs=1e-9)
                        assert float(backward[b, r, h, i]) == pytest.approx(back, abs=1e-9)

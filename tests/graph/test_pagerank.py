"""Local work finds what global work finds, within its bound and its budget."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.errors import InputError
from kgqa.graph.pagerank import Links, links, push, trail


def exact(pairs: np.ndarray, num_nodes: int, start: np.ndarray, weight: np.ndarray, alpha: float) -> np.ndarray:
    """Power iteration over a dense matrix."""
    adjacency = np.zeros((num_nodes, num_nodes))
    for one, other in pairs:
        adjacency[one, other] += 1
        adjacency[other, one] += 1
    walk = adjacency / np.maximum(adjacency.sum(1, keepdims=True), 1)
    begin = np.bincount(start, weight / weight.sum(), minlength=num_nodes)
    rank = begin
    for _ in range(int(np.log(1e-13) / np.log(1 - alpha)) + 1):
        rank = alpha * begin + (1 - alpha) * rank @ walk
    return rank


def graph(pairs: np.ndarray, num_nodes: int) -> Links:
    return links(pairs[:, 0], pairs[:, 1], num_nodes)


@st.composite
def walks(draw):
    """A graph, some of whose nodes may have no link, and where a walk starts."""
    num_nodes = draw(st.integers(1, 12))
    node = st.integers(0, num_nodes - 1)
    pairs = np.array(draw(st.lists(st.tuples(node, node), max_size=30)), dtype=np.int64).reshape(-1, 2)
    start = np.array(draw(st.lists(node, min_size=1, max_size=4)), dtype=np.int64)
    weight = np.array(draw(st.lists(st.floats(0.1, 9), min_size=len(start), max_size=len(start))))
    return pairs, num_nodes, start, weight


@settings(deadline=None)
@given(walks(), st.sampled_from([0.15, 0.5]), st.sampled_from([1e-1, 1e-2, 1e-6]), st.sampled_from([0, 5, 20, 10**6]))
def test_ranks_are_within_their_bound_of_power_iteration(walk, alpha, tolerance, budget):
    pairs, num_nodes, start, weight = walk
    one = graph(pairs, num_nodes)
    ranks = push(one, start, weight, alpha=alpha, tolerance=tolerance, budget=budget)
    said = np.zeros(num_nodes)
    said[ranks.node] = ranks.rank
    missing = exact(pairs, num_nodes, start, weight, alpha) - said
    degree = one.degree(np.arange(num_nodes))
    assert (missing >= -1e-9).all()
    assert (missing <= ranks.bound * np.maximum(degree, 1) + 1e-9).all()
    assert (np.diff(ranks.node) > 0).all()
    assert (ranks.rank > 0).all()
    if budget == 10**6:
        assert ranks.bound < tolerance
    number, _ = trail(one, ranks)
    assert len(number) <= min(budget, len(pairs))


@settings(deadline=None)
@given(walks())
def test_the_trail_is_every_link_of_where_the_walk_went_on(walk):
    pairs, num_nodes, start, weight = walk
    one = graph(pairs, num_nodes)
    ranks = push(one, start, weight, tolerance=0.05)
    degree = one.degree(np.arange(num_nodes))
    leaving = {
        node: rank / max(degree[node], 1) for node, rank in zip(ranks.node, ranks.rank * ranks.pushed, strict=True)
    }
    wanted = {i: leaving.get(a, 0) + leaving.get(b, 0) for i, (a, b) in enumerate(pairs.tolist())}
    number, often = trail(one, ranks)
    assert set(number.tolist()) == {i for i, flow in wanted.items() if flow > 0}
    assert often == pytest.approx([wanted[i] for i in number.tolist()])


def test_what_is_far_away_changes_nothing():
    pairs = np.array([[0, 1], [1, 2], [2, 0], [2, 3]])
    far = np.random.default_rng(0).integers(4, 5000, (20_000, 2))
    here = push(graph(pairs, 4), np.array([0]), np.ones(1))
    there = push(graph(np.concatenate([pairs, far]), 5000), np.array([0]), np.ones(1))
    assert here.node.tolist() == there.node.tolist()
    assert here.rank == pytest.approx(there.rank)


def test_a_hub_that_costs_more_than_the_budget_is_not_looked_into():
    spokes = np.stack([np.zeros(1000, np.int64), np.arange(1, 1001)], axis=1)
    ranks = push(graph(spokes, 1001), np.array([0, 7]), np.ones(2), tolerance=1e-9, budget=100)
    assert ranks.node.tolist() == [0, 7]
    assert ranks.node[ranks.pushed].tolist() == [7]
    assert ranks.bound > 0


def test_no_start_gives_no_ranks_and_no_trail():
    one = graph(np.array([[0, 1]]), 2)
    ranks = push(one, np.empty(0, np.int64), np.empty(0))
    assert (len(ranks.node), ranks.bound) == (0, 0.0)
    assert len(trail(one, ranks)[0]) == 0


def test_a_graph_without_links():
    ranks = push(graph(np.empty((0, 2), np.int64), 3), np.array([2]), np.ones(1), alpha=0.5)
    assert (ranks.node.tolist(), ranks.rank.tolist()) == ([2], [0.5])


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_weights_that_are_none_are_refused(weight):
    with pytest.raises(InputError, match="finite and above 0"):
        push(graph(np.array([[0, 1]]), 2), np.array([0, 1]), np.array([1.0, weight]))

"""Hops over what was reached, against the dense hops over everything."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from kgqa.reason.examples import Example, collate
from kgqa.reason.follow import edge_index, follow, ways
from kgqa.reason.frontier import Adjacency, Frontier, choices, collect, heaviest
from kgqa.reason.paths import Walked
from kgqa.reason.predict import Predictor
from kgqa.reason.reasoner import Reasoner
from kgqa.reason.tokens import PLACEHOLDER, HashedTokens


def random_table(seed: int, entities: int, facts: int, relations: int) -> TripleTable:
    rng = np.random.default_rng(seed)
    triples = {
        (int(rng.integers(entities)), int(rng.integers(relations)), int(rng.integers(entities))) for _ in range(facts)
    }
    heads, rels, tails = (np.array(column, dtype=np.int64) for column in zip(*sorted(triples), strict=True))
    names = [f"e{i}" for i in range(entities)]
    return TripleTable(
        heads, rels, tails, names, names, [f"r{i}" for i in range(relations)], [f"to {i}" for i in range(relations)]
    )


def dense(frontier: Frontier, num_entities: int, num_rows: int) -> torch.Tensor:
    weights = torch.zeros(num_entities, num_rows)
    weights[torch.from_numpy(frontier.entity), torch.from_numpy(frontier.row)] = torch.from_numpy(frontier.weight)
    return weights


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_a_step_agrees_with_the_dense_hop(seed: int, entities: int, facts: int, relations: int) -> None:
    table = random_table(seed, entities, facts, relations)
    rng = np.random.default_rng(seed)
    weights = (rng.random((3, 2 * relations)) * (rng.random((3, 2 * relations)) < 0.6)).astype(np.float32)
    start = collect(rng.integers(3, size=5), rng.integers(entities, size=5), rng.random(5).astype(np.float32), entities)
    reached = Adjacency(table).step(start, choices(weights, prune=1e-9))
    expected = follow(dense(start, entities, 3), torch.from_numpy(weights.T.copy()), edge_index(table)).clamp(max=1)
    torch.testing.assert_close(dense(reached, entities, 3), expected)
    key = reached.row * entities + reached.entity
    assert (np.diff(key) > 0).all()


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_the_ways_on_agree_with_a_naive_loop(seed: int, entities: int, facts: int, relations: int) -> None:
    table = random_table(seed, entities, facts, relations)
    rng = np.random.default_rng(seed)
    start = collect(rng.integers(2, size=5), rng.integers(entities, size=5), rng.random(5).astype(np.float32), entities)
    around = Adjacency(table).ways(start, 3)
    weights = dense(start, entities, 3)
    torch.testing.assert_close(torch.from_numpy(around), ways(weights, edge_index(table)))
    for row in range(3):
        for relation in range(relations):
            heads = set(table.heads[table.relations == relation].tolist())
            has = sum(float(weights[entity, row]) for entity in heads)
            assert around[row, relation] == pytest.approx(has / max(float(weights[:, row].sum()), 1e-6), abs=1e-5)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_soft_answers_agree_with_the_reasoner_s_dense_ones(seed: int) -> None:
    table = random_table(seed, 9, 25, 3)
    torch.manual_seed(seed)
    sizes = {"width": 16, "num_heads": 2, "num_slots": 3}
    reasoner = Reasoner(HashedTokens(width=16, num_buckets=64), **sizes).eval()
    predictor = Predictor(reasoner, ReasonerSettings(EncoderSettings(), sizes), table)
    rng = np.random.default_rng(seed)
    examples = [
        Example(
            f"{PLACEHOLDER} x{q} " * num,
            tuple(((int(e), 0.6), (int((e + 1) % 9), 0.4)) for e in rng.integers(9, size=num)),
            None,
        )
        for q, num in enumerate((1, 2, 3, 1))
    ]
    walks = collate(examples).walks
    with torch.inference_mode():
        expected = reasoner(walks, edge_index(table), predictor.relations).answers
    said = predictor.instruct(walks)
    answers = predictor._answers(said.soft, said, said.stops, said.constraint)
    torch.testing.assert_close(dense(answers, 9, len(examples)), expected, atol=2e-2, rtol=0)
    _, weight = heaviest(answers, len(examples))
    torch.testing.assert_close(torch.from_numpy(weight), expected.max(0).values, atol=2e-2, rtol=0)


def test_a_budget_keeps_the_heaviest_of_each_row() -> None:
    hub = TripleTable(
        np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64), np.arange(1, 6),
        [str(i) for i in range(6)], [str(i) for i in range(6)], ["r"], ["r"],
    )  # fmt: skip
    start = Frontier(np.array([0, 1]), np.array([0, 0]), np.array([1.0, 0.5], dtype=np.float32))
    followed = choices(np.array([[1.0, 0], [1.0, 0]], dtype=np.float32))
    reached = Adjacency(hub).step(start, followed, budget=2)
    assert np.bincount(reached.row).tolist() == [2, 2]


def test_leaving_out_is_the_product_of_the_gates() -> None:
    adjacency = Adjacency(random_table(0, 5, 8, 2))
    one = Frontier(np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([0.8, 0.6, 0.4], dtype=np.float32))
    earlier = Frontier(np.array([0, 1]), np.array([1, 1]), np.array([1.0, 0.5], dtype=np.float32))
    left = adjacency.without(one, earlier, np.array([1.0, 0.5], dtype=np.float32))
    assert left.entity.tolist() == [2, 1]
    np.testing.assert_allclose(left.weight, [0.6, 0.3])


def test_the_first_of_equals_is_the_heaviest_and_empty_rows_say_so() -> None:
    frontier = Frontier(np.array([0, 0, 2]), np.array([3, 4, 1]), np.array([0.5, 0.5, 0.1], dtype=np.float32))
    entity, weight = heaviest(frontier, 4)
    assert entity.tolist() == [3, -1, 1, -1]
    np.testing.assert_allclose(weight, [0.5, 0, 0.1, 0])


def brute_force_back(
    table: TripleTable, walked: Walked, row: int, answer: int, num_hops: int
) -> list[tuple[int, float]] | None:
    """(directed relation, weight) of the heaviest step into each entity of the walk, last one first."""
    steps, entity, num = [], answer, len(table.relation_terms)
    edges = [
        edge
        for h, r, t in zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True)
        for edge in ((h, r, t), (t, r + num, h))
    ]
    for t in reversed(range(num_hops)):
        followed, before = walked.relations[t], walked.reached[t]
        part = slice(followed.offsets[row], followed.offsets[row + 1])
        weight_of = dict(zip(followed.relation[part].tolist(), followed.weight[part].tolist(), strict=True))
        here = before.row == row
        there = dict(zip(before.entity[here].tolist(), before.weight[here].tolist(), strict=True))
        scored = [
            (there.get(source, 0.0) * weight_of.get(way, 0.0), way, source)
            for source, way, target in edges
            if target == entity
        ]
        best = max((score for score, _, _ in scored), default=0.0)
        if best <= 0:
            return None
        way, entity = min((way, source) for score, way, source in scored if score == best)
        steps.append((way, entity))
    return steps


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_walks_are_traced_back_as_a_naive_search_does(seed: int, entities: int, facts: int, relations: int) -> None:
    table = random_table(seed, entities, facts, relations)
    rng = np.random.default_rng(seed)
    # Weights are halves and quarters, so that products are exact and ties occur.
    start = collect(np.array([0, 1, 1]), rng.integers(entities, size=3), np.full(3, 0.5, np.float32), entities)
    walked = Walked(Adjacency(table), start)
    for _ in range(3):
        weights = rng.choice([0.0, 0.25, 0.5], size=(2, 2 * relations)).astype(np.float32)
        walked.follow(choices(weights), np.zeros((2, len(walked.reached)), dtype=np.float32))
    row, answer = (part.ravel() for part in np.meshgrid(np.arange(2), np.arange(entities)))
    num_hops = rng.integers(1, 4, size=len(row))
    found = walked.back(row, answer, num_hops)
    for k, back in enumerate(found):
        expected = brute_force_back(table, walked, int(row[k]), int(answer[k]), int(num_hops[k]))
        assert (back is None) == (expected is None)
        if back is not None and expected is not None:
            came_from = [(tail if inverse else head) for (head, _, tail, inverse), _ in back]
            assert [(way, source) for (_, way), source in zip(back, came_from, strict=True)] == expected[::-1]
            assert all(way == relation + inverse * relations for (_, relation, _, inverse), way in back)

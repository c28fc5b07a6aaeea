"""A graph with supposed facts is walked like the graph that states them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.frontier import Adjacency, choices, collect
from kgqa.reason.supposing import Supposing
from tests.reason.test_frontier import random_table


def part(table: TripleTable, kept: slice) -> TripleTable:
    columns = table.heads[kept], table.relations[kept], table.tails[kept]
    return TripleTable(*columns, table.entities, table.entity_texts, table.relation_terms, table.relation_texts)


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 30), st.integers(1, 4), st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_what_is_supposed_is_walked_as_if_it_were_stated(
    seed: int, entities: int, facts: int, relations: int, num_supposed: int
) -> None:
    whole = random_table(seed, entities, facts, relations)
    supposed = part(whole, slice(0, num_supposed))
    facts_of = zip(*(c.tolist() for c in (supposed.heads, supposed.relations, supposed.tails)), strict=True)
    expected, graph = Adjacency(whole), Supposing(Adjacency(part(whole, slice(num_supposed, None))), list(facts_of))
    one, by = np.divmod(np.arange(entities * 2 * relations), 2 * relations)
    pair, target = graph.neighbours(one, by)
    assert (np.diff(pair) >= 0).all()
    wanted = zip(*(column.tolist() for column in expected.neighbours(one, by)), strict=True)
    assert sorted(zip(pair.tolist(), target.tolist(), strict=True)) == sorted(wanted)
    rng = np.random.default_rng(seed)
    start = collect(rng.integers(3, size=6), rng.integers(entities, size=6), rng.random(6).astype(np.float32), entities)
    np.testing.assert_allclose(graph.ways(start, 3), expected.ways(start, 3), atol=1e-6)
    followed = choices(rng.random((3, 2 * relations)).astype(np.float32))
    found, stated = graph.step(start, followed), expected.step(start, followed)
    assert found.entity.tolist() == stated.entity.tolist()
    assert found.weight == pytest.approx(stated.weight, abs=1e-6)

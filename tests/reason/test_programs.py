"""Programs are cut where they have arrived; what they lead to is held against brute force in test_predict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.frontier import Adjacency, Choices, collect
from kgqa.reason.paths import Branch, RelationChoice, Walked
from kgqa.reason.programs import ends_of, num_walks, run, shortened
from kgqa.types import Candidate, Topic
from tests.reason.test_frontier import random_table


@pytest.mark.parametrize(("hops", "kept"), [((0, 4, 0), 1), ((0, 4), 2), ((0, 1), 2)])
def test_a_branch_ends_where_it_first_was_at_its_answers(toy: TripleTable, hops: tuple[int, ...], kept: int) -> None:
    """Born in Berlin, where Dora was born, who was born in Berlin: the first hop says it all."""
    adjacency, one = Adjacency(toy), np.ones(1, dtype=np.float32)
    start = collect(np.array([0]), np.array([toy.entities.index("urn:kgqa:entity:anna")]), one, len(toy.entities))
    walked = Walked(adjacency, start)
    for step, relation in enumerate(hops):  # 0: born in, 1: capital of, 4: born in, walked backward
        walked.follow(Choices(np.array([0, 1]), np.array([relation]), one), np.zeros((1, step + 1), np.float32))
    choices = tuple((RelationChoice(relation % 4, relation >= 4, 1.0),) for relation in hops)
    anna = Topic("anna", (0, 4), (Candidate("anna", "urn:kgqa:entity:anna", 1.0),))
    ((branch,),) = (one.values() for one in shortened([{0: Branch(anna, choices, ((),) * len(hops))}], walked))
    assert branch.relations == choices[:kept]
    assert len(branch.excluded) == kept


@given(st.integers(0, 10_000), st.lists(st.sets(st.integers(0, 5), min_size=1, max_size=3), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_walks_are_counted_one_by_one(seed: int, hops: list[set[int]]) -> None:
    table = random_table(seed, 6, 20, 3)
    leads = [*zip(*(c.tolist() for c in (table.heads, table.relations, table.tails)), strict=True)]
    leads += [(tail, relation + 3, head) for head, relation, tail in leads]
    walks = [(start,) for start in range(2)]
    for hop in hops:
        walks = [(*walk, to) for walk in walks for one, by, to in leads if one == walk[-1] and by in hop]
    ends = [walk[-1] for walk in walks]
    topic = Topic("t", (0, 1), tuple(Candidate(f"e{start}", f"e{start}", 0.5) for start in range(2)))
    followed = tuple(tuple(RelationChoice(by % 3, by >= 3, 1.0) for by in sorted(hop)) for hop in hops)
    programs = [{0: Branch(topic, followed, ((),) * len(hops))}]
    nothing = [np.zeros((1, step + 1), np.float32) for step in range(3)]
    hard = run(programs, {f"e{start}": start for start in range(6)}, Adjacency(table), nothing)
    last, _ = ends_of(programs, num_hops=3, num_walks=1)
    found = hard.reached[len(hops)]
    assert found.entity.tolist() == sorted(set(ends))
    number = num_walks(hard, last, np.array([0]), found)
    assert number.tolist() == [ends.count(entity) for entity in found.entity.tolist()]

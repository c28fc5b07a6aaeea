"""Programs are cut where they have arrived; what they lead to is held against brute force in test_predict."""

import numpy as np
import pytest

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.frontier import Adjacency, Choices, collect
from kgqa.reason.paths import Branch, RelationChoice, Walked
from kgqa.reason.programs import shortened
from kgqa.types import Candidate, Topic


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

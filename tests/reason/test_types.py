"""The filter by type: off without types, the same over what is reached as over the whole graph, and said by SPARQL."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.compose import path_of
from kgqa.answer.evaluate import Evaluator
from kgqa.graph.ontology import RDF_TYPE
from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from kgqa.reason.examples import Example, collate
from kgqa.reason.follow import edge_index
from kgqa.reason.frontier import Frontier
from kgqa.reason.predict import Predictor
from kgqa.reason.reasoner import Reasoner
from kgqa.reason.tokens import PLACEHOLDER, HashedTokens
from kgqa.reason.types import Filters, TypeFilter, passed, passing, types_of
from kgqa.types import Candidate, Question, Topic

SIZES = {"width": 16, "num_heads": 2, "num_slots": 3, "use_types": True}
TYPED = [
    ("ada", RDF_TYPE, "person"), ("bob", RDF_TYPE, "person"), ("bob", RDF_TYPE, "poet"), ("club", RDF_TYPE, "place"),
    ("ada", "in", "rome"), ("bob", "in", "rome"), ("club", "in", "rome"), ("thing", "in", "rome"),
]  # fmt: skip


def predictor(table: TripleTable, seed: int = 0) -> Predictor:
    torch.manual_seed(seed)
    reasoner = Reasoner(HashedTokens(width=16, num_buckets=64), **SIZES).eval()
    return Predictor(reasoner, ReasonerSettings(EncoderSettings(), SIZES), table)


def test_a_graph_says_what_is_of_which_type() -> None:
    table = triple_table(TYPED, {})
    types = types_of(table)
    assert types is not None
    stated = {
        (table.entities[entity], types.texts[kind])
        for entity in range(len(table.entities))
        for kind in types.kind[types.first[entity] : types.first[entity + 1]]
    }
    assert stated == {(head, tail) for head, relation, tail in TYPED if relation == RDF_TYPE}
    assert types_of(triple_table([one for one in TYPED if one[1] != RDF_TYPE], {})) is None


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_what_is_reached_passes_as_in_the_whole_graph(seed: int) -> None:
    """And pair by pair: 1 - g (1 - max m) over an entity's types, a half for m where it has none."""
    rng = np.random.default_rng(seed)
    facts = [(f"e{rng.integers(6)}", RDF_TYPE, f"t{rng.integers(3)}") for _ in range(rng.integers(1, 9))]
    table = triple_table([*facts, *((f"e{n}", "in", "rome") for n in range(6))], {})
    types = types_of(table)
    assert types is not None
    filters = Filters(torch.rand(2, 3), torch.rand(2, 3, len(types.terms)))
    weight = rng.random((3, len(table.entities))).astype(np.float32) + 0.01
    row, entity = np.indices(weight.shape).reshape(2, -1)
    for step in range(2):
        found = passed(Frontier(row, entity, weight.reshape(-1)), filters, types, step)
        dense = passing(filters, types, step).T.numpy() * weight
        np.testing.assert_allclose(found.weight.reshape(weight.shape), dense, rtol=1e-5)
        for b, e in np.ndindex(weight.shape):
            of = [types.texts.index(tail) for head, _, tail in set(facts) if head == table.entities[e]]
            best = max((float(filters.match[step, b, kind]) for kind in of), default=0.5)
            gate = float(filters.gate[step, b])
            assert dense[b, e] == pytest.approx(weight[b, e] * (1 - gate * (1 - best)), rel=1e-4)


def test_soft_answers_are_those_of_the_dense_reasoner() -> None:
    table = triple_table(TYPED, {})
    one = predictor(table)
    examples = [Example(f"{PLACEHOLDER} who", (((table.entities.index("rome"), 1.0),),), None)]
    walks = collate(examples).walks
    with torch.inference_mode():
        dense = one.reasoner(walks, edge_index(table), one.relations, one.types).answers[:, 0]
        without = one.reasoner(walks, edge_index(table), one.relations).answers[:, 0]
    said = one.instruct(walks)
    found = one._answers(said.soft, said, said.stops, said.constraint)
    sparse = torch.zeros_like(dense)
    sparse[torch.from_numpy(found.entity)] = torch.from_numpy(found.weight)
    torch.testing.assert_close(sparse, dense, atol=2e-2, rtol=0)
    assert not torch.allclose(dense, without)


@pytest.fixture
def people_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that has learned to ask for persons."""

    def asks(self: TypeFilter, hops: list[object], reading: object, types: torch.Tensor) -> Filters:
        match = torch.tensor([0.9, 0.1, 0.1]).expand(len(hops), 1, 3)  # person, place, poet
        return Filters(torch.full((len(hops), 1), 0.99), match)

    monkeypatch.setattr(TypeFilter, "forward", asks)


@pytest.mark.usefixtures("people_alone")
def test_a_program_has_the_types_that_are_asked_for_as_a_branch_of_its_own() -> None:
    table = triple_table(TYPED, {})
    one = predictor(table)
    with torch.no_grad():  # one hop, back along "in"
        one.reasoner.instructions.arrived[-1].bias.fill_(20)
        one.reasoner.instructions.score.direction_bias.bias.fill_(-20)
    rome = Topic("Rome", (0, 4), (Candidate("rome", "rome", 1.0),))
    (found,) = one.predict([Question("1", "Rome: who?", (rome,))])
    assert sorted(table.entities[index] for index in found.entity_index) == ["ada", "bob"]
    assert len(found.branches) == 2
    members = Evaluator(table).members(path_of(table, found.branches))
    assert sorted(members.tolist()) == sorted(found.entity_index)
    assert [len(path) for path in found.paths] == [1, 1, 1, 1]
    ends = [path[-1][0] if path[-1][3] else path[-1][2] for path in found.paths]
    assert ends == [index for index in found.entity_index for _ in range(2)]


@pytest.mark.slow
def test_it_is_learned_from_answers_alone() -> None:
    """Two wordings of one path, one of which asks for persons."""
    table = triple_table(TYPED, {})
    at = table.entities.index
    torch.manual_seed(0)
    reasoner = Reasoner(HashedTokens(width=16, num_buckets=64), max_hops=1, **SIZES, dropout=0.0)
    walks = collate(
        [Example(f"{what} in {PLACEHOLDER}", (((at("rome"), 1.0),),), None) for what in ("person", "what")]
    ).walks
    gold = torch.zeros(len(table.entities), 2)
    for number, names in enumerate((("ada", "bob"), ("ada", "bob", "club", "thing"))):
        gold[[at(name) for name in names], number] = 1
    optimizer = torch.optim.Adam(reasoner.parameters(), lr=0.03)
    for _ in range(60):
        answers = reasoner(walks, edge_index(table), reasoner.relation_features(table.relation_texts), types_of(table))
        loss = torch.nn.functional.binary_cross_entropy(answers.answers.clamp(1e-5, 1 - 1e-5), gold)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = answers.answers.detach()
    assert float(found[at("club"), 0]) < 0.2
    assert float(found[[at("ada"), at("bob")]].min()) > 0.8
    assert float(found[at("club"), 1]) > 0.8

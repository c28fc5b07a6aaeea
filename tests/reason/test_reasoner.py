"""What the reasoner's equations promise: ranges, sets, exclusion, intersection, and nothing per entity or relation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from kgqa.errors import ConfigError
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.examples import Example, collate
from kgqa.reason.follow import edge_index
from kgqa.reason.instructions import Hop
from kgqa.reason.reasoner import DenseWalker, Reasoner, Told, Walker, Walks, combine, relative_constraint, saturate
from kgqa.reason.tokens import PLACEHOLDER, HashedTokens, pooled


@pytest.fixture(scope="module")
def reasoner() -> Reasoner:
    torch.manual_seed(0)
    return Reasoner(HashedTokens(width=32, num_buckets=512), width=32, num_heads=2, num_slots=4).eval()


def questions(toy: TripleTable) -> list[Example]:
    def at(name: str) -> int:
        return toy.entity_texts.index(name)

    return [
        Example(f"where was {PLACEHOLDER} born", (((at("anna"), 1.0),),), None),
        Example(
            f"who was born in {PLACEHOLDER} and got {PLACEHOLDER}",
            (((at("berlin"), 0.7), (at("paris"), 0.3)), ((at("prize"), 1.0),)), None,
        ),
        Example("", (((at("prize"), 1.0),),), None),
        Example(f"{PLACEHOLDER} " * 300, (((at("dora"), 1.0),),), None),
    ]  # fmt: skip


def test_answers_are_weights_and_rows_are_independent(reasoner: Reasoner, toy: TripleTable) -> None:
    edges, examples = edge_index(toy), questions(toy)
    relations = reasoner.relation_features(toy.relation_texts)
    together = reasoner(collate(examples).walks, edges, relations)
    assert together.answers.shape == (len(toy.entities), len(examples))
    assert 0 <= together.answers.min() <= together.answers.max() <= 1 + 1e-6
    for hop in together.hops:
        assert (hop.relations.sum(-1) <= 1 + 1e-6).all()
    torch.testing.assert_close(together.stops.sum(0), torch.ones(together.stops.shape[1]))
    for q, one in enumerate(examples):
        alone = reasoner(collate([one]).walks, edges, relations).answers[:, 0]
        torch.testing.assert_close(alone, together.answers[:, q], atol=1e-5, rtol=1e-4)


def test_entities_and_relations_may_be_renumbered(reasoner: Reasoner, toy: TripleTable) -> None:
    """Nothing is learned per entity or per relation: a permuted graph gives permuted answers."""
    rng = np.random.default_rng(0)
    entity, relation = rng.permutation(len(toy.entities)), rng.permutation(len(toy.relation_terms))
    moved = TripleTable(
        entity[toy.heads], relation[toy.relations], entity[toy.tails],
        _at(toy.entities, entity), _at(toy.entity_texts, entity),
        _at(toy.relation_terms, relation), _at(toy.relation_texts, relation),
    )  # fmt: skip
    here = reasoner(collate(questions(toy)).walks, edge_index(toy), reasoner.relation_features(toy.relation_texts))
    there = reasoner(
        collate(questions(moved)).walks, edge_index(moved), reasoner.relation_features(moved.relation_texts)
    )
    torch.testing.assert_close(there.answers[torch.from_numpy(entity)], here.answers)


def _at(values: list[str], places: np.ndarray) -> list[str]:
    moved = [""] * len(values)
    for value, place in zip(values, places, strict=True):
        moved[place] = value
    return moved


def test_hops_follow_stop_and_leave_out(reasoner: Reasoner, toy: TripleTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hard instructions the equations are set operations: "who else got what anna got" leaves anna out."""
    edges, at = edge_index(toy), toy.entity_texts.index
    received = toy.relation_texts.index("received")
    only = torch.zeros(2, 2 * edges.num_relations)
    only[0, received], only[1, received + edges.num_relations] = 1, 1

    def run(gate: float) -> set[str]:
        hops = [
            Hop(only[:1], torch.zeros(1, 1), torch.ones(1, 3), torch.ones(1, 32), torch.ones(1)),
            Hop(only[1:], torch.tensor([[gate, 0.0]]), torch.ones(1, 3), torch.ones(1, 32), torch.ones(1)),
        ]
        stops = torch.tensor([[0.0], [1.0]])

        def instruct(_self: Reasoner, _walks: Walks, _relations: Tensor, walker: Walker, _types: None) -> Told:
            for hop in hops:
                walker.follow(hop)
            return Told(hops, stops, torch.ones(1), None)

        monkeypatch.setattr(Reasoner, "instruct", instruct)
        one = Example(f"who else got what {PLACEHOLDER} got", (((at("anna"), 1.0),),), None)
        answers: Tensor = reasoner(collate([one]).walks, edges, torch.zeros(edges.num_relations, 32)).answers
        return {toy.entity_texts[i] for i in answers[:, 0].nonzero()[:, 0].tolist()}

    assert run(0.0) == {"anna", "carl"}
    assert run(1.0) == {"carl"}


def test_two_topics_must_both_hold_unless_one_is_told_not_to_count() -> None:
    walk = torch.tensor([[1.0, 1.0, 0.2], [1.0, 0.0, 0.3], [0.0, 1.0, 0.0]])
    question = torch.tensor([0, 0, 1])
    used = relative_constraint(torch.tensor([0.9, 0.9, 0.1]), question, 2)
    assert used.tolist() == [1, 1, 1]  # the only topic of a question counts fully, however little was thought of it
    answers = combine(walk, used, question, 2)
    assert answers[:, 0].tolist() == [1, 0, 0]
    torch.testing.assert_close(answers[:, 1], walk[:, 2])
    used = relative_constraint(torch.tensor([0.9, 0.0, 0.5]), question, 2)
    assert used.tolist() == [1, 0, 1]
    assert combine(walk, used, question, 2)[:, 0].tolist() == [1, 1, 0]


def test_saturation_keeps_values_below_one_and_passes_gradients_above() -> None:
    x = torch.tensor([0.5, 4.0], requires_grad=True)
    y = saturate(x)
    y.sum().backward()
    assert y.tolist() == [0.5, 1.0]
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.25]


def test_hashed_tokens_mark_topics_and_see_unknown_words() -> None:
    tokens = HashedTokens(width=16, num_buckets=64)([f"who taught {PLACEHOLDER} and {PLACEHOLDER}?", "", "zxqv"])
    assert tokens.topic_rank[0].tolist() == [0, 0, 1, 0, 2, 0]
    assert tokens.mask.sum(1).tolist() == [6, 1, 1]
    assert torch.isfinite(pooled(tokens)).all()


def test_memory_reaches_the_next_hop(toy: TripleTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without memory the second hop cannot know what the first one did; with it, what was followed matters."""
    torch.manual_seed(1)
    encoder = HashedTokens(width=32, num_buckets=512)
    for use_memory in (True, False):
        one = Reasoner(encoder, width=32, num_heads=2, num_slots=4, use_memory=use_memory).eval()
        walks = collate(questions(toy)[:1]).walks
        texts = list(toy.relation_texts)
        relations = one.relation_features(texts).detach().requires_grad_(True)
        walker = DenseWalker(walks, edge_index(toy), use_exclusion=True)
        nothing = torch.zeros(1, 2 * len(texts))
        monkeypatch.setattr(walker, "around", lambda nothing=nothing: nothing)  # the surroundings would tell as well
        hops = one.instruct(walks, relations, walker).hops
        (gradient,) = torch.autograd.grad(hops[1].attention[0].square().sum(), relations, allow_unused=True)
        assert (gradient is not None and bool(gradient.abs().max() > 0)) == use_memory


def test_a_window_changes_nothing_but_long_questions(toy: TripleTable) -> None:
    """The same weights with and without it; tokens further apart than the window see each other by way of topics."""
    built = []
    for window in (None, 4):
        torch.manual_seed(0)
        encoder = HashedTokens(width=32, num_buckets=512, max_tokens=1200)
        built.append(Reasoner(encoder, width=32, num_heads=2, num_slots=4, window=window).eval())
    examples = questions(toy)[:1]
    long = [replace(examples[0], text=f"{'long ago, ' * 400} {examples[0].text}")]
    for some, is_same in ((examples, True), (long, False)):
        dense, sparse = (
            one(collate(some).walks, edge_index(toy), one.relation_features(toy.relation_texts)) for one in built
        )
        assert torch.allclose(dense.answers, sparse.answers, atol=1e-6) == is_same
        assert sparse.answers.isfinite().all()
    with pytest.raises(ConfigError, match=r"encoder\.window is 0"):
        Reasoner(HashedTokens(width=8, num_buckets=64), width=8, num_heads=2, num_slots=4, window=0)

"""Programs, their exact answer sets and their proofs, against brute force over the toy graph."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from kgqa.reason.predict import NO_ENTITY, NO_RELATION, NOT_KNOWN, Prediction, Predictor
from kgqa.types import Candidate, Question, Topic

SETTINGS = ReasonerSettings(EncoderSettings(width=32, num_buckets=512), {"width": 32, "num_heads": 2, "num_slots": 4})


def topic(name: str, text: str) -> Topic:
    start = text.index(name)
    return Topic(name, (start, start + len(name)), (Candidate(name, f"urn:kgqa:entity:{name}", 1.0),))


def ask(text: str, *names: str) -> Question:
    return Question(text, text, tuple(topic(name, text) for name in names))


@pytest.fixture(scope="module", params=range(4))
def predictor(request: pytest.FixtureRequest, toy: TripleTable) -> Predictor:
    """Untrained reasoners of several seeds: programs are then arbitrary, and must be proved all the same."""
    torch.manual_seed(request.param)
    return Predictor(SETTINGS.build(), SETTINGS, toy, batch_size=2)


QUESTIONS = [
    ask("where was anna born", "anna"),
    ask("who was born in berlin and got the prize", "berlin", "prize"),
    ask("whose teacher was dora", "dora"),
    ask("of which country is the city that carl is from the capital", "carl"),
    ask("nobody known here"),
]


def brute_force(prediction: Prediction, toy: TripleTable) -> set[int]:
    """The entities that every branch's program reaches, by sets and loops."""
    facts = list(zip(toy.heads.tolist(), toy.relations.tolist(), toy.tails.tolist(), strict=True))
    answers: list[set[int]] = []
    for one in prediction.branches:
        steps = [{toy.entities.index(c.iri) for c in one.topic.candidates}]
        for choices, excluded in itertools.zip_longest(one.relations, one.excluded):
            reached: set[int] = set()
            for choice in choices:
                for h, r, t in facts:
                    source, target = (t, h) if choice.inverse else (h, t)
                    if r == choice.index and source in steps[-1]:
                        reached.add(target)
            steps.append(reached - set().union(*(steps[s] for s in excluded)))
        answers.append(steps[-1])
    return set.intersection(*answers) if answers else set()


def test_the_answer_set_is_what_the_program_gives(predictor: Predictor, toy: TripleTable) -> None:
    predictions = predictor.predict(QUESTIONS)
    assert any(p.entity_index for p in predictions)
    for prediction in predictions:
        assert set(prediction.entity_index) == brute_force(prediction, toy)
        assert prediction.scores == sorted(prediction.scores, reverse=True)


def test_paths_are_facts_that_lead_from_a_topic_to_an_answer(predictor: Predictor, toy: TripleTable) -> None:
    facts = set(zip(toy.heads.tolist(), toy.relations.tolist(), toy.tails.tolist(), strict=True))
    for prediction in predictor.predict(QUESTIONS):
        assert len(prediction.paths) == len(prediction.entity_index) * len(prediction.branches)
        for number, path in enumerate(prediction.paths):
            at = {toy.entities.index(c.iri) for b in prediction.branches for c in b.topic.candidates}
            for head, relation, tail, inverse in path:
                assert (head, relation, tail) in facts
                source, target = (tail, head) if inverse else (head, tail)
                assert source in at
                at = {target}
            assert at == {prediction.entity_index[number // len(prediction.branches)]}


def test_batches_do_not_change_predictions(predictor: Predictor) -> None:
    together = predictor.predict(QUESTIONS)
    for question, prediction in zip(QUESTIONS, together, strict=True):
        (alone,) = predictor.predict([question])
        assert alone.entity_index == prediction.entity_index
        assert alone.branches == prediction.branches or alone.scores == pytest.approx(prediction.scores, abs=1e-5)


def test_a_question_without_a_known_topic_is_not_guessed(predictor: Predictor) -> None:
    *_, last = predictor.predict(QUESTIONS)
    assert last.entity_index == []
    assert last.reason == NO_ENTITY
    unknown = Question("1", "who is eve", (Topic("eve", (7, 10), (Candidate("eve", "urn:kgqa:entity:eve", 1.0),)),))
    assert predictor.predict([unknown])[0].reason == NO_ENTITY


def test_every_prediction_says_why_it_would_be_withheld(predictor: Predictor) -> None:
    for prediction in predictor.predict(QUESTIONS):
        assert prediction.reason in (NO_ENTITY, NO_RELATION, NOT_KNOWN)
        assert 0 <= prediction.confidence <= 1
        assert bool(prediction.entity_index) == (prediction.confidence > 0)


def walks_to(prediction: Prediction, toy: TripleTable) -> dict[int, int]:
    """How many walks of a program of one branch lead to each entity, one by one."""
    facts = list(zip(toy.heads.tolist(), toy.relations.tolist(), toy.tails.tolist(), strict=True))
    edges = [(h, r, False, t) for h, r, t in facts] + [(t, r, True, h) for h, r, t in facts]
    (branch,) = prediction.branches
    walks = [(toy.entities.index(candidate.iri),) for candidate in branch.topic.candidates]
    reached = [{walk[-1] for walk in walks}]
    for hop, excluded in zip(branch.relations, branch.excluded, strict=True):
        followed = {(choice.index, choice.inverse) for choice in hop}
        out = set().union(*(reached[step] for step in excluded))
        walks = [
            (*walk, t)
            for walk in walks
            for h, r, way, t in edges
            if h == walk[-1] and (r, way) in followed and t not in out
        ]
        reached.append({walk[-1] for walk in walks})
    ends = [walk[-1] for walk in walks]
    return {end: ends.count(end) for end in ends}


CROWD = [
    ("film a", "directed by", "ann"), ("film b", "directed by", "ann"), ("film c", "directed by", "ann"),
    ("film a", "starred", "zed"), ("film b", "starred", "zed"), ("film b", "starred", "bob"),
    ("film c", "starred", "zed"), ("film c", "starred", "abe"), ("film a", "starred", "abe"),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_of_answers_that_are_as_good_the_one_with_most_walks_is_first(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were all as good, they would come in the order of their walks."""
    monkeypatch.setattr("kgqa.reason.predict._EQUAL", 0.0)
    graph = triple_table([tuple(f"urn:kgqa:entity:{term}" for term in fact) for fact in CROWD], {})  # type: ignore[misc]
    torch.manual_seed(seed)
    films = tuple(Candidate(name, f"urn:kgqa:entity:{name}", 1 / 3) for name in ("film a", "film b", "film c"))
    question = Question("1", "who is in these", (Topic("these", (10, 15), films, together=True),))
    (prediction,) = Predictor(SETTINGS.build(), SETTINGS, graph).predict([question])
    number = walks_to(prediction, graph)
    assert set(number) == set(prediction.entity_index)
    order = [number[one] for one in prediction.entity_index]
    assert order == sorted(order, reverse=True)
    assert prediction.scores == sorted(prediction.scores, reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_of_answers_with_as_many_walks_the_heaviest_is_first(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [("film", "starred", name) for name in ("zed", "bob")] + [("film", "directed by", "abe")]
    graph = triple_table([tuple(f"urn:kgqa:entity:{term}" for term in fact) for fact in facts], {})  # type: ignore[misc]
    torch.manual_seed(seed)
    predictor = Predictor(SETTINGS.build(), SETTINGS, graph)
    film = Candidate("film", "urn:kgqa:entity:film", 1.0)
    question = Question("1", "who is in it", (Topic("it", (10, 12), (film,)),))
    found = []
    for equal in (0.0, 2.0):  # all as good as the best; none
        monkeypatch.setattr("kgqa.reason.predict._EQUAL", equal)
        found += predictor.predict([question])
    assert found[0].entity_index == found[1].entity_index
    assert found[0].scores == found[1].scores


def test_scores_descend(predictor: Predictor) -> None:
    for prediction in predictor.predict(QUESTIONS):
        assert prediction.scores == sorted(prediction.scores, reverse=True)


def test_supposed_facts_are_answered_with_like_stated_ones(predictor: Predictor, toy: TripleTable) -> None:
    kept = slice(2, None)
    less = replace(toy, heads=toy.heads[kept], relations=toy.relations[kept], tails=toy.tails[kept])
    facts = list(zip(toy.heads[:2].tolist(), toy.relations[:2].tolist(), toy.tails[:2].tolist(), strict=True))
    supposing = predictor.over(less).supposing(facts)
    for whole, supposed in zip(predictor.predict(QUESTIONS), supposing.predict(QUESTIONS), strict=True):
        assert supposed.entity_index == whole.entity_index
        assert supposed.scores == pytest.approx(whole.scores, abs=1e-5)
        assert supposed.paths == whole.paths[: len(supposed.paths)]
        assert bool(supposed.paths) == bool(whole.paths)


def test_what_is_lacking_has_no_fact_and_is_of_a_topic(predictor: Predictor, toy: TripleTable) -> None:
    found = predictor.lacking(QUESTIONS)
    assert found[-1] == []
    for question, pairs in zip(QUESTIONS, found, strict=True):
        topics = {toy.entities.index(candidate.iri) for topic in question.topics for candidate in topic.candidates}
        for entity, relation in pairs:
            assert entity in topics
            assert not len(predictor.adjacency.neighbours(np.array([entity]), np.array([relation]))[0])
    assert any(found)

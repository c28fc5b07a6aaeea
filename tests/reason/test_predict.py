"""Programs, their exact answer sets and their proofs, against brute force over the toy graph."""

import itertools

import pytest
import torch

from kgqa.graph.subgraph import TripleTable
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

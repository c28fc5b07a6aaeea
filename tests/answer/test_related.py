"""What two entities are to each other: stated, derived by rules of the graph, or only joined; each with its proof."""

from dataclasses import replace

import pytest
import torch

from kgqa.answer.answerer import Answerer
from kgqa.answer.cues import asked_to_each_other
from kgqa.ids import entity_iri, relation_iri
from kgqa.reason.predict import NOT_KNOWN, Prediction
from kgqa.types import Candidate, Question, Topic
from tests.answer.toy_base import Base

FAMILIES = [f"{name}{number}" for number in range(8) for name in ("kid", "dad", "sis", "old", "bro")]
"""Of each: kid's father dad, dad's father old, kid's sister sis, dad's brother bro."""


def family(number: int, *, stated: bool = True) -> list[tuple[str, str, str]]:
    kid, dad, sis, old, bro = (f"{name}{number}" for name in ("kid", "dad", "sis", "old", "bro"))
    said = [(kid, "father", dad), (dad, "father", old), (kid, "sister", sis), (dad, "brother", bro)]
    follows = [(kid, "grandfather", old), (kid, "uncle", bro), (sis, "father", dad), (sis, "grandfather", old)]
    return said + (follows if stated else [])


FACTS = {
    (entity_iri(head), relation_iri(relation), entity_iri(tail))
    for number in range(8)
    for head, relation, tail in family(number, stated=number < 6)
} | {
    (entity_iri("dad6"), relation_iri("lives in"), entity_iri("Kiel")),
    (entity_iri("dad7"), relation_iri("lives in"), entity_iri("Kiel")),
    (entity_iri("alone"), relation_iri("lives in"), entity_iri("Rome")),
}
NAMES = [*FAMILIES, "Kiel", "Rome", "alone"]


def question(text: str) -> Question:
    found = sorted((text.find(name), name) for name in NAMES if name in text)
    topics = (Topic(name, (at, at + len(name)), (Candidate(name, entity_iri(name), 1.0),)) for at, name in found)
    return Question("1", text, tuple(topics))


class Linker:
    def link(self, questions):
        return [replace(one, topics=question(one.text).topics) for one in questions]


class Reasoner:
    def embed(self, texts):
        return torch.eye(len(texts), 8)

    def predict(self, questions):
        return [Prediction(reason=NOT_KNOWN, confidence=0.1) for _ in questions]


@pytest.fixture(scope="module")
def base() -> Base:
    return Base(FACTS, NAMES)


@pytest.fixture(scope="module")
def answerer(base: Base) -> Answerer:
    return Answerer(base, Reasoner(), Linker(), abstain_below=0.2)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("What is old6 to kid6?", True),
        ("Who was old6 to kid6", True),
        ("And how are old6 and kid6 related to each other?", True),
        ("How is old6 related to kid6?", True),
        ("What is the relationship between old6 and kid6?", True),
        ("How are the old6 and the kid6 connected?", True),
        ("Who is the father of kid6?", False),
        ("Are old6 and kid6 related?", False),
        ("How did old6 get to kid6?", False),
        ("What is old6 to kid6 in Kiel?", False),
    ],
)
def test_the_question_is_known_by_what_stands_around_two_names(text: str, asks: bool) -> None:
    pair = asked_to_each_other(question(text))
    assert (pair and [topic.text for topic in pair]) == (["old6", "kid6"] if asks else None)


def test_a_stated_relation_is_proved_by_a_query_for_it(answerer: Answerer, base: Base) -> None:
    answer = answerer.ask("What is dad6 to kid6?")
    assert [one.text for one in answer.answers] == ["father (said of kid6)"]
    assert answer.answers[0].score == 1
    assert base.query(answer.sparql) == [(relation_iri("father"),)]
    (path,) = answer.paths
    assert [(step.head, step.tail) for step in path] == [(entity_iri("kid6"), entity_iri("dad6"))]
    (other,) = answerer.ask("What is kid6 to dad6?").answers
    assert other.text == "father"


@pytest.mark.parametrize(
    ("text", "relation", "steps"),
    [
        ("What is old6 to kid6?", "grandfather (said of kid6)", 2),
        ("How is bro7 related to kid7?", "uncle (said of kid7)", 2),
        ("What is old7 to sis7?", "grandfather (said of sis7)", 3),  # by way of kid7, with rules of two steps
    ],
)
def test_a_relation_that_is_not_stated_is_composed(
    text: str, relation: str, steps: int, answerer: Answerer, base: Base
) -> None:
    answer = answerer.ask(text)
    assert relation in {one.text for one in answer.answers}
    assert all(0.5 < one.score <= 1 for one in answer.answers)
    assert answer.operation == "composed by rules"
    (path,) = answer.paths
    assert len(path) == steps
    assert all(step.provenance and step.provenance.sentence for step in path)
    assert base.query(answer.sparql) == [("true",)]


def test_what_only_joins_two_is_no_answer_and_is_shown(answerer: Answerer) -> None:
    answer = answerer.ask("How are kid6 and kid7 related?")
    assert answer.abstained
    assert answer.reason.startswith("no relation of the two is stated or follows: what joins them is that ")
    assert len(answer.paths[0]) == 4
    apart = answerer.ask("How are kid6 and Rome related?")
    assert apart.abstained
    assert apart.reason.endswith("nothing near joins them")
    assert not apart.paths


def test_other_questions_and_the_ablation_are_left_alone(base: Base, answerer: Answerer) -> None:
    assert answerer.ask("How are kid6 and kid6 related?").reason == NOT_KNOWN
    without = Answerer(base, Reasoner(), Linker(), abstain_below=0.2, operations=False)
    assert without.ask("What is old6 to kid6?").reason == NOT_KNOWN

"""What nothing stated answers: a fact that the graph suggests, marked as such, proved by stated facts alone."""

from copy import copy
from dataclasses import replace

import pytest

from kgqa.answer.answerer import Answerer
from kgqa.answer.records import answer_record
from kgqa.errors import InputError
from kgqa.types import Answer, Question, Topic
from tests.answer.test_answerer import E, R, ToyBase, ToyLinker, ToyPredictor

FACTS = {(f"film{n}", "by", f"maker{n % 6}") for n in range(60)}
FACTS |= {(f"film{n}", "in", f"language{n % 6 if n % 6 < 2 else n}") for n in range(1, 60)}
FACTS |= {(f"language{n}", "spoken", f"land{n}") for n in range(6)}
"""Two makers film in one language each, four in another one each time; of film0 it is not said."""


class Supposing(ToyPredictor):
    """Says what a program's first hop finds nothing of, and walks supposed facts like others."""

    def lacking(self, questions):
        return [self._lacking(question) for question in questions]

    def _lacking(self, question):
        (choice, *_), _ = self._hop(question.text.split()[0])
        start = {self.table.entities.index(c.iri) for topic in question.topics for c in topic.candidates}
        has = {t if choice.inverse else h for h, r, t in self.edges if r == choice.index}
        width = len(self.table.relation_terms)
        return [(one, choice.index + width * choice.inverse) for one in sorted(start - has)]

    def supposing(self, facts):
        more = copy(self)
        more.edges = self.edges | set(facts)
        return more


def ask(text: str, name: str, **options: float | None) -> tuple[ToyBase, Answer]:
    kb = ToyBase(FACTS)
    answerer = Answerer(kb, Supposing(kb.table), ToyLinker(), **options)
    return kb, next(answerer.answer([Question("q", text, (Topic(name, (0, 0)),))]))


def test_a_suggested_answer_says_so_and_claims_stated_facts_only() -> None:
    kb, answer = ask(">in", "film0", suggest_below=0.5)
    record = answer_record(answer)
    assert [found["text"] for found in record["answers"]] == ["language0"]
    assert 0.5 < record["answers"][0]["score"] < 1
    assert record["operation"] == "suggested by in(x, language0) <- by(x, maker0)"
    steps = {(step["head"], step["relation"], step["tail"]) for path in record["paths"] for step in path}
    assert steps <= {(E + head, R + relation, E + tail) for head, relation, tail in FACTS}
    assert (E + "film0", R + "by", E + "maker0") in steps
    assert all(f"<{term}>" in record["sparql"] for step in steps for term in step)
    assert bool(kb.store.query(record["sparql"]))
    assert f"<{E}film0> <{R}in>" not in record["sparql"]


def test_what_is_asked_the_other_way_round_is_suggested_too() -> None:
    facts = FACTS | {("film0", "like", "film6")} | {(f"film{n}", "like", f"film{n + 6}") for n in range(1, 30)}
    facts |= {(f"film{n + 6}", "liked", f"film{n}") for n in range(1, 30)}
    kb = ToyBase(facts)
    answerer = Answerer(kb, Supposing(kb.table), ToyLinker(), suggest_below=0.5)
    (answer,) = answerer.answer([Question("q", "<liked", (Topic("film0", (0, 0)),))])
    assert [found.text for found in answer.answers] == ["film6"]
    assert answer.operation == "suggested by liked(y, x) <- like(x, y)"


@pytest.mark.parametrize("options", [{}, {"suggest_below": None}, {"suggest_below": 0.5, "abstain_below": 0.99}])
def test_nothing_is_suggested_unasked_or_where_it_is_too_doubtful(options: dict[str, float | None]) -> None:
    _, answer = ask(">in", "film0", **options)
    assert answer.abstained
    assert not answer.answers
    assert not answer.operation


@pytest.mark.parametrize("below", [-0.1, 1.5, "half"])
def test_what_is_no_confidence_is_refused(below: float) -> None:
    with pytest.raises(InputError, match="suggest_below is"):
        ask(">in", "film0", suggest_below=below)


def test_what_is_stated_is_answered_with_its_proof() -> None:
    kb, answer = ask(">in", "film1", suggest_below=0.5)
    assert answer.operation == ""
    assert kb.query(answer.sparql) == [(E + "language1",)]
    assert [found.text for found in answer.answers] == ["language1"]


def test_a_supposed_fact_is_no_step_to_other_answers() -> None:
    _, answer = ask(">in >spoken", "film0", suggest_below=0.5)
    assert answer.abstained


def test_an_answer_does_not_hang_on_what_was_asked_before() -> None:
    kb = ToyBase(FACTS - {(f"film{n}", "in", f"language{n}") for n in range(7)} - {("film6", "in", "language0")})
    questions = [Question(str(n), ">in", (Topic(f"film{n}", (0, 0)),)) for n in range(7)]

    def answers(batch_size: int, order: int) -> list[Answer]:
        answerer = Answerer(kb, Supposing(kb.table), ToyLinker(), suggest_below=0.5, batch_size=batch_size)
        found = list(answerer.answer(questions[::order]))[::order]
        return [without_time(answer) for answer in found]

    assert answers(7, 1) == answers(2, -1)
    assert [bool(answers(3, 1)[n].operation) for n in (0, 1, 6)] == [True] * 3


def without_time(answer: Answer) -> Answer:
    return replace(answer, seconds=0.0)

"""Answers that rest on a fact which the graph lacks: its own rules suggest it, and nothing stated answers surely.

A question's first hop asks for a relation that its topic has no fact of. What rules, with constants too, conclude there
is supposed, and the reasoner is asked again: where it answers with the end of a supposed fact, that is said, with the
rule, the stated facts that it follows from, and the probability that it holds. Answers further away are not sought: a
supposed fact on the way to others was more often wrong than a walk around it (docs/benchmarks.md, "Hard splits").
"""

from collections.abc import Container, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from kgqa.answer.calibration import Calibration, Judged
from kgqa.answer.evidence import Evidence
from kgqa.answer.interfaces import Predicts
from kgqa.errors import InputError
from kgqa.graph.between import facts_query
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.predict import Prediction
from kgqa.reason.rules import RuleBook, learn_rules
from kgqa.reason.suggestions import Suggestion, likeliest, said, tried
from kgqa.reason.surroundings import Surroundings
from kgqa.types import Answer, Candidate, Question

_LEAST = 0.02
"""Probability of a fact that is worth supposing."""

_MOST = 16
"""Facts that are supposed for a question, of the relations that it asks for most."""


class Chances:
    """How likely what rules suggest holds; counted for a relation when it is first asked about."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._of: dict[int, Calibration | None] = {}

    def of(self, suggestion: Suggestion) -> float:
        """The probability, in [0, 1), as facts of the graph tell that are taken for missing; 0 where none tells."""
        relation = suggestion.rule.head
        if relation not in self._of:
            confidence, right = tried(self._book, relation)
            order, every = np.arange(len(right)), np.ones(len(right), dtype=bool)
            judged = Judged(confidence.astype(float), right, order, every)
            self._of[relation] = Calibration.fit(judged) if len(right) else None
        calibration = self._of[relation]
        return float(calibration([suggestion.confidence])[0]) if calibration else 0.0


class Guess(NamedTuple):
    """A suggested fact whose end answers a question."""

    suggestion: Suggestion
    asked: float
    """Confidence, in [0, 1], that its end is asked for,"""
    chance: float
    """and probability, in (0, 1), that it holds."""


class Guesser:
    """Of one graph and a reasoner over it; its rules are learned when they are first asked for."""

    def __init__(self, predictor: Predicts, table: TripleTable, *, seed: int = 0) -> None:
        """seed: of what is drawn where there is too much to count."""
        self.table, self._predictor, self._seed = table, predictor, seed

    @cached_property
    def _book(self) -> RuleBook:
        graph = Surroundings(self.table, seed=self._seed)
        return RuleBook(learn_rules(graph), graph, constants=True)

    @cached_property
    def _chances(self) -> Chances:
        return Chances(self._book)

    def guess(self, questions: Sequence[Question]) -> list[Guess | None]:
        """For each question, its topics linked, the suggested fact that answers it; None where there is none."""
        lacking = self._predictor.lacking(questions)
        return [self._guess(question, pairs[:_MOST]) for question, pairs in zip(questions, lacking, strict=True)]

    def _guess(self, question: Question, pairs: Sequence[tuple[int, int]]) -> Guess | None:
        found = {one.fact: (one, chance) for one, chance in self._suggestions(pairs) if chance >= _LEAST}
        if not found:
            return None
        (again,) = self._predictor.supposing(list(found)).predict([question])
        if not again.paths or len(again.branches) != 1 or (first := again.paths[0][0][:3]) not in found:
            return None
        suggestion, chance = found[first]
        return Guess(suggestion, again.confidence, chance) if suggestion.end == again.entity_index[0] else None

    def _suggestions(self, pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[Suggestion, float]]:
        for entity, relation in pairs:
            if one := likeliest(self._book, entity, relation):
                yield one, self._chances.of(one)


class Suggested:
    """Answers of guesses, for what a reasoner is not sure of."""

    def __init__(self, guesser: Guesser, evidence: Evidence, calibration: Calibration, *, below: float | None) -> None:
        """calibration: of the reasoner's confidence, up to `below` of which its answer gives way to a guess; None:
        never. InputError where that is no confidence."""
        if below is not None and not (isinstance(below, float | int) and 0 <= below <= 1):
            raise InputError(f"suggest_below is {below}; it is a confidence from 0 to 1, or null for no suggestions")
        self._guesser, self._evidence, self._calibration, self._below = guesser, evidence, calibration, below

    def answers(
        self, questions: Sequence[Question], stated: Sequence[Prediction], *, sure: float, but: Container[int]
    ) -> dict[int, Answer]:
        """By number of the question, its topics linked, where stated facts give no answer surer than `below`, and a
        guess is surer than `sure`; questions `but` are left alone."""
        below = -1 if self._below is None else self._below
        doubtful = [n for n in range(len(questions)) if n not in but and stated[n].confidence <= below]
        found = self._guesser.guess([questions[number] for number in doubtful]) if doubtful else []
        return {
            number: self._answer(questions[number], guess)
            for number, guess in zip(doubtful, found, strict=True)
            if guess and guess.asked * guess.chance > sure
        }

    def _answer(self, question: Question, guess: Guess) -> Answer:
        """Its paths and its query are of stated facts alone: those that the suggestion rests on."""
        one, table = guess.suggestion, self._guesser.table
        probability = float(self._calibration([guess.asked])[0]) * guess.chance
        paths = self._evidence.of(one.because)
        facts = dict.fromkeys((step.head, step.relation, step.tail) for path in paths for step in path)
        return Answer(
            question,
            question.topics,
            (Candidate(table.entity_texts[one.end], table.entities[one.end], probability),),
            abstained=False,
            reason="",
            paths=paths,
            sparql=facts_query(list(facts)),
            operation=f"suggested by {said(table, one.rule)}",
        )

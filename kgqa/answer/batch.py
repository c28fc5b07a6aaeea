"""A batch run: a stream of questions answered, written and scored as it passes by, in one process or in several."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from kgqa.answer.exports import check_out, export
from kgqa.answer.metrics import Scores, right_answers, score
from kgqa.answer.partial import Batch, partial_answers
from kgqa.answer.records import answer_record, score_record
from kgqa.answer.selective import selective_report
from kgqa.answer.turns import answers_in_turn, batches
from kgqa.engine.local import Engine, Make
from kgqa.progress import progress
from kgqa.types import Answer, Question

if TYPE_CHECKING:  # the process that hands out batches needs no model
    from kgqa.answer.answerer import Answerer

ALL = "all"
"""The kind under which every question counts."""

_LATENCY_STEP = math.log(1.02)
"""Width of a class of latencies: percentiles are right to a hundredth, whatever the number of questions."""


@dataclass
class Summary:
    """What came of a batch, as counts that add."""

    num_questions: int = 0
    num_abstained: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Abstentions by reason, without what is asked back."""
    seconds: float = 0.0
    """Of this run alone, reading and writing included."""
    num_taken_over: int = 0
    """Questions that an earlier run had answered."""
    scores: dict[str, Scores] = field(default_factory=dict)
    """By the questions' kind and under "all"; empty when no question has gold answers."""
    latencies: dict[int, int] = field(default_factory=dict)
    """Questions by class of latency: of a question, its share of its batch's time and what it took alone."""
    doubts: dict[str, int] = field(default_factory=dict)
    """Questions with gold by `doubt` of their first answer."""

    def count(self, answer: Answer, one: Scores, *, right: bool) -> None:
        """Take one more answer in; `right`: its first one, given or withheld."""
        self.num_questions += 1
        self.num_abstained += answer.abstained
        if answer.abstained:
            reason = answer.reason.partition(":")[0]
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        place = round(math.log(max(answer.seconds, 1e-9)) / _LATENCY_STEP)
        self.latencies[place] = self.latencies.get(place, 0) + 1
        if answer.question.answers is not None:
            key = doubt(answer, right=right)
            self.doubts[key] = self.doubts.get(key, 0) + 1
            for kind in {answer.question.kind, ALL} - {""}:
                self.scores[kind] = self.scores.get(kind, Scores()) + one

    def add(self, other: "Summary") -> None:
        """Take another part of the same batch in."""
        self.num_questions += other.num_questions
        self.num_abstained += other.num_abstained
        self.reasons = dict(Counter(self.reasons) + Counter(other.reasons))
        self.latencies = dict(Counter(self.latencies) + Counter(other.latencies))
        for kind, scores in other.scores.items():
            self.scores[kind] = self.scores.get(kind, Scores()) + scores
        self.doubts = dict(Counter(self.doubts) + Counter(other.doubts))

    def latency(self, share: float) -> float:
        """The seconds that this share of the questions took at most; 0 without any."""
        left = share * sum(self.latencies.values())
        for place, number in sorted(self.latencies.items()):
            left -= number
            if left <= 0:
                return math.exp(place * _LATENCY_STEP)
        return 0.0

    def metrics(self) -> dict[str, float | int | str]:
        """Counts and, where there is gold, the rates over all questions: a line of metrics.jsonl."""
        counts: dict[str, float | int | str] = {
            "num_questions": self.num_questions,
            "num_abstained": self.num_abstained,
            "abstention_rate": self.num_abstained / max(self.num_questions, 1),
        }
        counts |= {f"abstained: {reason}": number for reason, number in sorted(self.reasons.items())}
        counts |= {"num_taken_over": self.num_taken_over} if self.num_taken_over else {}
        fresh = self.num_questions - self.num_taken_over
        counts |= {"seconds": self.seconds, "questions_per_second": fresh / max(self.seconds, 1e-9)}
        counts |= {f"ms_per_question_p{percent}": 1000 * self.latency(percent / 100) for percent in (50, 95, 99)}
        return counts | (self.scores[ALL].report() if self.scores else {}) | self.selective()

    def selective(self) -> dict[str, float]:
        """How far the probabilities held, and what withholding gains; see `kgqa.answer.selective`."""
        keys = np.array([key.split() for key in self.doubts], dtype=float).reshape(-1, 3)
        columns = np.repeat(keys, list(self.doubts.values()), axis=0)
        return selective_report(columns[:, 0], columns[:, 1] > 0, columns[:, 2] > 0)

    def kinds(self) -> list[str]:
        """The kinds that were scored, "all" last."""
        return sorted(self.scores, key=lambda kind: (kind == ALL, kind))

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Of `to_json`."""
        scores = {kind: Scores(**counts) for kind, counts in fields["scores"].items()}
        latencies = {int(place): number for place, number in fields["latencies"].items()}
        return cls(**{**fields, "scores": scores, "latencies": latencies})


def doubt(answer: Answer, *, right: bool) -> str:
    """What is kept of an answer's worth, so that counts of it add: the probability of the first answer, given or
    withheld, to a thousandth (0 without one), whether that is right, and whether there is a right one.
    """
    probability = answer.found[0].score if answer.found else 0.0
    return f"{probability:.3f} {right:d} {bool(answer.question.answers):d}"


class Answered(NamedTuple):
    """What a worker makes of a batch of questions."""

    answers: bytes
    """A JSON line for each,"""
    scores: bytes
    """one of what is known of its worth,"""
    summary: Summary
    """and what was counted."""


def answer_lines(answerer: "Answerer", questions: Sequence[Question], *, sessions: bool = True) -> Answered:
    """The answers to one batch. `sessions`: questions that say so are turns of conversations."""
    summary = Summary()
    answers, scores = [], []
    for answer in answers_in_turn(answerer, questions) if sessions else answerer.answer(questions):
        one, right = score(answer, names_of=answerer.names_of), right_answers(answer, answerer.names_of)
        summary.count(answer, one, right=any(right[:1]))
        answers.append(_line(answer_record(answer, answerer.text_of)))
        scores.append(_line(score_record(answer, one, right)))
    return Answered(b"".join(answers), b"".join(scores), summary)


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def answer_batch(
    engine: Engine,
    make: Make[Batch, Answered],
    questions: Iterable[Question],
    out: Path,
    *,
    scores: Path | None = None,
    batch_size: int = 256,
    depends_on: Mapping[str, str] | None = None,
    total: int | None = None,
    sessions: bool = True,
) -> Summary:
    """Answer all `questions` into the file `out`, in order, in constant memory; score those with gold.

    make: opens an answerer and gives its `answer_lines`. The format follows the name of `out` (kgqa.answer.exports),
    which is there when all is done. scores: a file of JSON lines beside it, what is known of each answer's worth; the
    report is made from both. A run that was killed is gone on with when it is called again with the same questions and
    the same `depends_on` (kgqa.answer.partial). total: about how many questions there are, for the progress bar.
    sessions: conversations (`Question.session`) stay in one batch; False takes each question for itself. The bytes of
    `out` do not depend on the engine.
    """
    check_out(out)
    summary, start = Summary(), time.perf_counter()
    batched = batches(questions if sessions else (replace(one, session="") for one in questions), batch_size)
    with partial_answers(out, depends_on or {}) as partial, progress("answering", total) as advance:

        def taken_over(counts: Mapping[str, Any]) -> None:
            summary.add(before := Summary.from_json(counts))
            summary.num_taken_over += before.num_questions
            advance(before.num_questions)

        for answered in engine.map(make, partial.remaining(batched, taken_over)):
            partial.append(answered.answers, answered.scores, answered.summary.to_json())
            summary.add(answered.summary)
            advance(answered.summary.num_questions)
        if scores is not None:
            partial.copy_scores(scores)
        export(partial.answers, out)
    summary.seconds = time.perf_counter() - start
    return summary

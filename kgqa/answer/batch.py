"""A batch of questions in one pass: answered, written and scored as they stream by."""

import json
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np

from kgqa.answer.answerer import Answerer
from kgqa.answer.metrics import Scores, right_answers, score
from kgqa.answer.records import score_record, write_answers
from kgqa.answer.selective import selective_report
from kgqa.progress import progress
from kgqa.types import Answer, Question

ALL = "all"
"""The kind under which every question counts."""


@dataclass
class Summary:
    """What came of a batch."""

    num_questions: int = 0
    num_abstained: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Abstentions by reason, without what is asked back."""
    seconds: float = 0.0
    scores: dict[str, Scores] = field(default_factory=dict)
    """By the questions' kind and under "all"; empty when no question has gold answers."""
    said: "array[float]" = field(default_factory=lambda: array("d"))
    """Of each question with gold, the probability of its first answer, given or withheld; 0 without one,"""
    right: "array[int]" = field(default_factory=lambda: array("b"))
    """whether that answer is right,"""
    answerable: "array[int]" = field(default_factory=lambda: array("b"))
    """and whether there is a right one."""

    def count(self, answer: Answer, one: Scores, *, right: bool) -> None:
        """Take one more answer in; `right`: its first one, given or withheld."""
        self.num_questions += 1
        self.num_abstained += answer.abstained
        if answer.abstained:
            reason = answer.reason.partition(":")[0]
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if answer.question.answers is not None:
            self.said.append(answer.found[0].score if answer.found else 0.0)
            self.right.append(right)
            self.answerable.append(bool(answer.question.answers))
            for kind in {answer.question.kind, ALL} - {""}:
                self.scores[kind] = self.scores.get(kind, Scores()) + one

    def metrics(self) -> dict[str, float | int | str]:
        """Counts and, where there is gold, the rates over all questions: a line of metrics.jsonl."""
        counts: dict[str, float | int | str] = {
            "num_questions": self.num_questions,
            "num_abstained": self.num_abstained,
        }
        counts |= {f"abstained: {reason}": number for reason, number in sorted(self.reasons.items())}
        counts |= {"seconds": self.seconds, "questions_per_second": self.num_questions / max(self.seconds, 1e-9)}
        return counts | (self.scores[ALL].report() if self.scores else {}) | self.selective()

    def selective(self) -> dict[str, float]:
        """How far the probabilities held, and what withholding gains; see `kgqa.answer.selective`."""
        right, answerable = (np.array(column, dtype=bool) for column in (self.right, self.answerable))
        return selective_report(np.array(self.said), right, answerable)

    def kinds(self) -> list[str]:
        """The kinds that were scored, "all" last."""
        return sorted(self.scores, key=lambda kind: (kind == ALL, kind))


def answer_batch(answerer: Answerer, questions: Iterable[Question], out: Path, scores: Path) -> Summary:
    """Answer all `questions` into the JSON lines file `out`, in order, in constant memory; score those with gold.

    `scores`: a file of JSON lines beside it, what is known of each answer's worth; the report is made from both.
    """
    summary = Summary()
    start = time.perf_counter()
    with progress("answering", None) as advance, scores.open("w", encoding="utf-8", newline="\n") as file:
        write_answers(out, _scored(answerer, questions, summary, advance, file), text_of=answerer.text_of)
    summary.seconds = time.perf_counter() - start
    return summary


def _scored(
    answerer: Answerer, questions: Iterable[Question], summary: Summary, advance: Callable[[int], None], file: TextIO
) -> Iterator[Answer]:
    for answer in answerer.answer(questions):
        one, right = score(answer, names_of=answerer.names_of), right_answers(answer, answerer.names_of)
        summary.count(answer, one, right=any(right[:1]))
        file.write(json.dumps(score_record(answer, one, right), ensure_ascii=False) + "\n")
        advance(1)
        yield answer

"""A batch of questions in one pass: answered, written and scored as they stream by."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kgqa.answer.answerer import Answerer
from kgqa.answer.metrics import Scores, score
from kgqa.answer.records import write_answers
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
    """Abstentions by reason."""
    seconds: float = 0.0
    scores: dict[str, Scores] = field(default_factory=dict)
    """By the questions' kind and under "all"; empty when no question has gold answers."""

    def count(self, answer: Answer, one: Scores) -> None:
        """Take one more answer in."""
        self.num_questions += 1
        self.num_abstained += answer.abstained
        if answer.abstained:
            self.reasons[answer.reason] = self.reasons.get(answer.reason, 0) + 1
        if answer.question.answers is not None:
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
        return counts | (self.scores[ALL].report() if self.scores else {})

    def kinds(self) -> list[str]:
        """The kinds that were scored, "all" last."""
        return sorted(self.scores, key=lambda kind: (kind == ALL, kind))


def answer_batch(answerer: Answerer, questions: Iterable[Question], out: Path) -> Summary:
    """Answer all `questions` into the JSON lines file `out`, in order, in constant memory; score those with gold."""
    summary = Summary()
    start = time.perf_counter()
    with progress("answering", None) as advance:
        write_answers(out, _scored(answerer, questions, summary, advance), text_of=answerer.text_of)
    summary.seconds = time.perf_counter() - start
    return summary


def _scored(
    answerer: Answerer, questions: Iterable[Question], summary: Summary, advance: Callable[[int], None]
) -> Iterator[Answer]:
    for answer in answerer.answer(questions):
        summary.count(answer, score(answer, names_of=answerer.names_of))
        advance(1)
        yield answer

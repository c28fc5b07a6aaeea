"""Probabilities that hold: what a reasoner's confidence meant on dev questions, and so what it means for a new one.

Confidence in an answer becomes a probability by isotonic regression (Zadrozny and Elkan 2002) over all answers of the
dev questions, those of one question sharing the weight of one. Between the means of its blocks the map is linear
(Oron and Flournoy 2017), so that of two answers the surer one stays the surer one.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from kgqa.answer.metrics import NamesOf, right_answers
from kgqa.answer.selective import Bools, Floats, selective_report
from kgqa.artifacts import write_atomic
from kgqa.errors import InputError, ModelError
from kgqa.reason.checkpoint import folder_of
from kgqa.types import Answer

FILE = "calibration.json"
FORMAT = 1

_PRIOR = 0.5
"""Weight of a right answer at the lowest confidence and a wrong one at the highest: nothing is ever certain."""


class Judged(NamedTuple):
    """All n answers to m questions with gold, question by question, best first."""

    confidence: Floats  # [n]
    right: Bools  # [n]
    question: np.ndarray[tuple[int], np.dtype[np.int64]]  # [n] number of the question, ascending
    answerable: Bools  # [m]

    @property
    def first(self) -> Bools:
        """Which answers are the first of their question, `[n]`."""
        return np.diff(self.question, prepend=-1) > 0

    def of_questions(self, values: Floats) -> tuple[Floats, Bools, Bools]:
        """`values: [n]` of each question's first answer, whether it is right, and whether there is a right one, `[m]`
        each; a question without any answer has 0.
        """
        value, right = np.zeros(len(self.answerable)), np.zeros(len(self.answerable), dtype=bool)
        value[self.question[self.first]], right[self.question[self.first]] = values[self.first], self.right[self.first]
        return value, right, self.answerable


def judge(answers: Iterable[Answer], names_of: NamesOf) -> Judged:
    """The answers, withheld ones too, to those questions whose gold is known."""
    known = [answer for answer in answers if answer.question.answers is not None]
    return Judged(
        np.array([found.score for answer in known for found in answer.found]),
        np.array([right for answer in known for right in right_answers(answer, names_of)], dtype=bool),
        np.repeat(np.arange(len(known)), [len(answer.found) for answer in known]),
        np.array([bool(answer.question.answers) for answer in known], dtype=bool),
    )


@dataclass(frozen=True, slots=True)
class Calibration:
    """From confidence to probability. The one without arguments leaves confidence as it is."""

    confidence: tuple[float, ...] = (0.0, 1.0)
    """Ascending."""
    probability: tuple[float, ...] = (0.0, 1.0)
    """That an answer of that confidence is right; ascending."""
    dev: tuple[tuple[float, bool], ...] = ()
    """Of each dev question with an answer, the first one's confidence and whether it was right; surest first."""

    @classmethod
    def fit(cls, judged: Judged) -> Self:
        """From dev answers whose scores are confidences, nothing withheld; as it is where there are none."""
        order = np.argsort(-judged.confidence[judged.first], kind="stable")
        firsts = zip(judged.confidence[judged.first][order], judged.right[judged.first][order], strict=True)
        dev = tuple((round(float(confidence), 6), bool(right)) for confidence, right in firsts)
        return cls(*_isotonic(judged), dev) if dev else cls()

    def __call__(self, confidence: Sequence[float] | Floats) -> Floats:
        """The probabilities, same shape."""
        return np.interp(confidence, self.confidence, self.probability)

    def abstain_below(self, precision: float) -> float:
        """The lowest confidence above which `precision` in (0, 1] of the dev questions' first answers are right.

        Raises InputError where it is no such share, ModelError where no confidence is high enough.
        """
        if not 0 < precision <= 1:
            raise InputError(f"a precision of {precision} is no share above 0 and at most 1; give e.g. 0.95")
        confidence = np.array([*(confidence for confidence, _ in self.dev), 0.0])
        right = np.cumsum([right for _, right in self.dev]) / np.arange(1, len(self.dev) + 1)
        enough = np.flatnonzero((right >= precision) & (confidence[:-1] > confidence[1:]))
        if not len(enough):
            best = f"the best is {right.max():.3f} of {len(right)}" if len(right) else "none were calibrated on"
            raise ModelError(
                f"no confidence gives a precision of {precision} on this checkpoint's dev questions ({best}); "
                "lower answer.target_precision, or train again with more dev questions"
            )
        return float(confidence[enough[-1] : enough[-1] + 2].mean())

    def save(self, folder: Path) -> None:
        """Write it beside a checkpoint."""
        document = {"format": FORMAT, "confidence": self.confidence, "probability": self.probability, "dev": self.dev}
        write_atomic(folder / FILE, json.dumps(document).encode())

    @classmethod
    def load(cls, checkpoint: Path) -> Self:
        """What lies beside a checkpoint; without that, confidence as it is. ModelError where it cannot be read."""
        path = folder_of(checkpoint) / FILE
        if not path.exists():
            return cls()
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] > FORMAT:
                raise ModelError(f"{path} has format {document['format']}, newer than {FORMAT}; update kgqa")
            dev = tuple((float(confidence), bool(right)) for confidence, right in document["dev"])
            return cls(tuple(map(float, document["confidence"])), tuple(map(float, document["probability"])), dev)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{path} cannot be read: {error!r}; train again, or remove it to use confidence as it is"
            ) from error


def _isotonic(judged: Judged) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The blocks of the monotone map of least weighted squared error: mean confidence and share of right answers."""
    from scipy.optimize import isotonic_regression  # takes half a second to load, and answering does without

    confidence = np.concatenate([judged.confidence, [judged.confidence.min(), judged.confidence.max()]])
    right = np.concatenate([judged.right, [1.0, 0.0]])
    weight = np.concatenate([1 / np.bincount(judged.question)[judged.question], [_PRIOR, _PRIOR]])
    level, place = np.unique(confidence, return_inverse=True)
    total = np.bincount(place, weight)
    solved = isotonic_regression(np.bincount(place, weight * right) / total, weights=total)
    start = solved.blocks[:-1]
    means = np.add.reduceat(total * level, start) / np.add.reduceat(total, start)
    return tuple(means.round(6).tolist()), tuple(solved.x[start].round(6).tolist())


def calibrate(answers: Iterable[Answer], names_of: NamesOf, checkpoint: Path) -> dict[str, float]:
    """Leave beside a checkpoint what its confidence means, by answers to dev questions whose scores are confidences.

    Returns how well that holds, `dev_ece` and so on, measured on questions that were left out of the fit.
    """
    judged = judge(answers, names_of)
    Calibration.fit(judged).save(checkpoint)
    return {f"dev_{name}": value for name, value in held_out_report(judged).items()}


def held_out_report(judged: Judged, *, num_folds: int = 5) -> dict[str, float]:
    """The figures of `selective_report`, each question's probability from a fit to the other folds' questions."""
    probability = np.zeros(len(judged.confidence))
    for fold in range(num_folds):
        inside = judged.question % num_folds == fold
        rest = Judged(judged.confidence[~inside], judged.right[~inside], judged.question[~inside], judged.answerable)
        probability[inside] = Calibration.fit(rest)(judged.confidence[inside])
    return selective_report(*judged.of_questions(probability))

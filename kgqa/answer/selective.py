"""How far probabilities hold, and what it gains to withhold the doubtful answers.

`probability: [n]` is what was said of each question's first answer, `right: [n]` whether it was one. A question that
no answer could be made for has probability 0 and is not right: whoever demands an answer to it gets a wrong one.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions of a like probability."""

    num_questions: int
    said: float
    """Mean probability."""
    right: float
    """Share that was right."""


def reliability(probability: Floats, right: Bools, *, num_bins: int = 10) -> list[Bin]:
    """Bins of equal mass (Nixon et al. 2019), lowest probability first; fewer where there are fewer questions.

    Equal probabilities cannot be told apart: each of them counts as right as they are on average.
    """
    order = np.argsort(probability, kind="stable")
    shared = _among_equals(probability, right)
    parts = (part for part in np.array_split(order, num_bins) if len(part))
    return [Bin(len(part), float(probability[part].mean()), float(shared[part].mean())) for part in parts]


def calibration_error(bins: list[Bin]) -> float:
    """ECE in [0, 1]: sum_b n_b / n |right_b - said_b| (Naeini et al. 2015); 0 without questions."""
    total = sum(part.num_questions for part in bins)
    return sum(part.num_questions * abs(part.right - part.said) for part in bins) / max(total, 1)


def risk_coverage(probability: Floats, right: Bools) -> tuple[Floats, Floats]:
    """Coverage and error of the 1, 2, .. n surest questions, `[n]` each (El-Yaniv and Wiener 2010).

    Of equal probabilities each counts as wrong as they are on average.
    """
    order = np.argsort(-probability, kind="stable")
    num = np.arange(1, len(order) + 1)
    return num / max(len(order), 1), np.cumsum(_among_equals(probability, ~right)[order]) / num


def _among_equals(probability: Floats, values: Bools) -> Floats:
    """Each value's mean over the questions of the same probability, `[n]`."""
    _, group = np.unique(probability, return_inverse=True)
    shared: Floats = (np.bincount(group, values) / np.bincount(group))[group]
    return shared


def error_at(coverage: float, probability: Floats, right: Bools) -> float:
    """Share of wrong ones among the surest questions that make up `coverage` in (0, 1]; 0 without questions."""
    _, error = risk_coverage(probability, right)
    return float(error[max(round(coverage * len(error)), 1) - 1]) if len(error) else 0.0


def refused_at(answered: float, probability: Floats, answerable: Bools) -> float:
    """Share of the unanswerable questions that are refused when `answered` of the answerable ones are let pass.

    1 where no question is unanswerable; what no answer could be made for is refused in any case.
    """
    sure = np.sort(probability[answerable])
    num_refused = math.floor(round((1 - answered) * len(sure), 6))  # 0.2 of 10 is 1.9999999999999996
    threshold = sure[min(num_refused, len(sure) - 1)] if len(sure) else 0.0
    unanswerable = probability[~answerable]
    return float(((unanswerable < threshold) | (unanswerable == 0)).mean()) if len(unanswerable) else 1.0


def selective_report(probability: Floats, right: Bools, answerable: Bools) -> dict[str, float]:
    """The figures of one run by name: `ece`, `aurc` (the mean error over all coverages), errors, refusals."""
    if not len(right):
        return {}
    report = {
        "ece": calibration_error(reliability(probability, right)),
        "aurc": float(risk_coverage(probability, right)[1].mean()),
        "error@90%": error_at(0.9, probability, right),
        "error@100%": error_at(1.0, probability, right),
    }
    return report | ({"refused@95%": refused_at(0.95, probability, answerable)} if not answerable.all() else {})

"""How sure a rate is, and whether two runs over the same questions differ by more than chance."""

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from kgqa.answer.selective import Floats

_CONFIDENCE = 0.95
_RESAMPLES = 2_000


class Interval(NamedTuple):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float
    num_questions: int


def proportion(successes: int, num_questions: int) -> Interval | None:
    """A rate with Wilson's score interval (1927), which holds for small counts and at 0 and 1; None without any."""
    if not num_questions:
        return None
    found = binomtest(successes, num_questions).proportion_ci(_CONFIDENCE, method="wilson")
    return Interval(successes / num_questions, float(found.low), float(found.high), num_questions)


def mean(values: Floats, *, seed: int = 0) -> Interval | None:
    """A mean with its bootstrap interval (Efron 1979, percentiles of 2,000 resamples); None without values.

    Resampling n values is drawing how often each distinct one comes, which costs nothing where few are distinct.
    """
    if not len(values):
        return None
    distinct, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), size=_RESAMPLES)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(drawn @ distinct / len(values), [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p (McNemar 1947) of counts of questions that one of two runs alone got right.

    Were the runs equally good, either would be right alone as often as the other: p is that of so uneven a split.
    """
    total = only_first + only_second
    return float(binomtest(only_first, total).pvalue) if total else 1.0

"""The two charts of a report as geometry: are probabilities true, and what does it gain to abstain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgqa.answer.report.significance import proportion
from kgqa.answer.selective import Bools, Floats, reliability, risk_coverage

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 12, 44
"""Pixels: of a chart, and of its margins, where the axes are written."""

_MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A bin of the calibration plot with its interval, in pixels, and what it says."""

    x: float
    y: float
    low: float
    high: float
    said: float
    right: float
    num_questions: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Axes in pixels; `line` is the SVG path of the curve, `reference` what it is held against."""

    x_ticks: list[Tick]
    y_ticks: list[Tick]
    line: str
    reference: str
    dots: list[Dot]


def calibration_chart(probability: Floats, right: Bools) -> Chart:
    """Bins of equal mass: the share that was right against the probability said, each with Wilson's interval."""
    dots = []
    for part in reliability(probability, right):
        share = proportion(round(part.right * part.num_questions), part.num_questions)
        if share:
            low, high = _y(share.low, 1), _y(share.high, 1)
            dots.append(Dot(_x(part.said), _y(part.right, 1), low, high, part.said, part.right, part.num_questions))
    return Chart(_x_ticks(), _y_ticks(1), _path([(dot.x, dot.y) for dot in dots]), _diagonal(), dots)


def risk_chart(probability: Floats, right: Bools) -> Chart:
    """The error of the surest questions against their share; the reference is the best possible order of them."""
    coverage, error = risk_coverage(probability, right)
    _, best = risk_coverage(right.astype(float), right)
    most = max(float(np.ceil(error.max(initial=0.05) * 20) / 20), 0.1)
    chosen = np.unique(np.linspace(0, len(error) - 1, min(len(error), _MOST_POINTS)).round().astype(int))
    curves = ([(_x(coverage[i]), _y(curve[i], most)) for i in chosen] for curve in (error, best))
    line, reference = map(_path, curves)
    return Chart(_x_ticks(), _y_ticks(most), line, reference, [])


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float, most: float) -> float:
    return HEIGHT - BOTTOM - share / most * (HEIGHT - TOP - BOTTOM)


def _x_ticks() -> list[Tick]:
    return [Tick(_x(share / 100), f"{share} %") for share in range(0, 101, 20)]


def _y_ticks(most: float) -> list[Tick]:
    return [Tick(_y(share, most), f"{100 * share:.3g} %") for share in np.linspace(0, most, 6).tolist()]


def _diagonal() -> str:
    return _path([(_x(0), _y(0, 1)), (_x(1), _y(1, 1))])


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""

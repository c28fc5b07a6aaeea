"""The tables of a report: rates by kind with their intervals, and what differs between two runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgqa.answer.batch import ALL
from kgqa.answer.report.run import Run, Scored
from kgqa.answer.report.significance import Interval, mcnemar, mean, proportion


@dataclass(frozen=True, slots=True)
class Scores:
    """Rates of the questions of one kind; None where they have no denominator."""

    kind: str
    num_questions: int
    hits: Interval | None
    f1: Interval | None
    exact: Interval | None
    answered: Interval | None
    abstained: Interval | None
    """Of the unanswerable questions."""


def scores_by_kind(judged: Sequence[Scored]) -> list[Scores]:
    """A row a kind, and last one of all questions; no row where no gold is known."""
    kinds = sorted({one.kind for one in judged} - {""})
    parts = {kind: [one for one in judged if one.kind == kind] for kind in kinds}
    if len(kinds) != 1 or len(parts[kinds[0]]) < len(judged):
        parts[ALL] = list(judged)
    return [_scores(kind, part) for kind, part in parts.items() if part]


def _scores(kind: str, part: Sequence[Scored]) -> Scores:
    asked = [one for one in part if one.gold]
    refused = [one.abstained for one in part if not one.gold]
    return Scores(
        kind,
        len(part),
        hits=proportion(sum(one.hit for one in asked), len(asked)),
        f1=mean(np.array([one.f1 for one in asked])),
        exact=proportion(sum(one.exact for one in asked), len(asked)),
        answered=proportion(sum(not one.abstained for one in asked), len(asked)),
        abstained=proportion(sum(refused), len(refused)),
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two runs did on the questions of one kind that both were asked, gold known."""

    kind: str
    both: int
    only_first: int
    only_second: int
    neither: int
    difference: Interval
    """Share right in the first run less that in the second."""
    p: float
    """Of McNemar's exact test."""


Pair = tuple[Scored, Scored]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the same questions."""

    other: Run
    pairs: list[Pair]
    """Questions of the same id, in the order of the first run."""
    by_kind: list[Agreement]
    lost: list[Pair]
    """Right in the other run, and not in this one."""
    won: list[Pair]
    changed: list[Pair]
    """Neither, but answered otherwise."""


def compare(run: Run, other: Run) -> Comparison:
    """Pair the questions of two runs by id; of several with one id the first."""
    asked = {one.question_id: one for one in reversed(other.scored)}
    pairs = [(one, asked[one.question_id]) for one in run.scored if one.question_id in asked]
    judged = [pair for pair in pairs if None not in (pair[0].right, pair[1].right)]
    kinds = sorted({one.kind for one, _ in judged} - {""})
    parts = {kind: [pair for pair in judged if pair[0].kind == kind] for kind in kinds} | {ALL: judged}
    said = {one.question_id: _said(record) for one, record in other.records({b.number for _, b in pairs})}
    now = {one.number: _said(record) for one, record in run.records({a.number for a, _ in pairs})}
    return Comparison(
        other,
        pairs,
        [_agreement(kind, part) for kind, part in parts.items() if part],
        lost=[(a, b) for a, b in pairs if b.right and a.right is False],
        won=[(a, b) for a, b in pairs if a.right and b.right is False],
        changed=[(a, b) for a, b in pairs if a.right == b.right and now[a.number] != said[b.question_id]],
    )


def _said(record: dict[str, object]) -> frozenset[str]:
    answers = record["answers"]
    return frozenset(found["iri"] for found in answers) if isinstance(answers, list) else frozenset()


def _agreement(kind: str, part: Sequence[Pair]) -> Agreement:
    first, second = (np.array([pair[side].right for pair in part], dtype=bool) for side in (0, 1))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    difference = mean(first.astype(float) - second)
    assert difference is not None  # there is a pair
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    return Agreement(kind, both, only_first, only_second, neither, difference, mcnemar(only_first, only_second))

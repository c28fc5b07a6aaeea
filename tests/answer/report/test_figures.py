"""Rates, intervals and paired tests against loops and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, calibration_chart, risk_chart
from kgqa.answer.report.figures import compare, scores_by_kind
from kgqa.answer.report.run import Run
from kgqa.answer.report.significance import mcnemar, mean, proportion
from tests.answer.report.made import answered, make_run, mixed, refused


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_chance_of_so_uneven_a_split(only_first, only_second):
    total, least = only_first + only_second, min(only_first, only_second)
    naive = min(1.0, 2 * sum(math.comb(total, k) for k in range(least + 1)) / 2**total)
    assert mcnemar(only_first, only_second) == pytest.approx(naive)


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_s_interval_solves_its_equation(successes, total):
    successes = min(successes, total)
    found = proportion(successes, total)
    share, z = successes / total, 1.959964
    assert 0 <= found.low <= found.value == share <= found.high <= 1
    for bound in (found.low, found.high):  # |share - p| = z sqrt(p (1 - p) / n)
        assert abs(share - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / total), abs=1e-6)


def test_the_bootstrap_interval_of_a_share_is_near_wilson_s_and_the_same_each_time():
    values = np.array([1.0] * 70 + [0.0] * 30)
    found, wilson = mean(values), proportion(70, 100)
    assert found == mean(values)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.02)
    assert mean(np.array([0.3, 0.3])) == pytest.approx((0.3, 0.3, 0.3, 2))


def test_nothing_has_no_rate():
    assert proportion(0, 0) is None
    assert mean(np.zeros(0)) is None
    assert mcnemar(0, 0) == 1.0


def read(folder, answers):
    return Run.read(make_run(folder, answers))


def test_rates_are_those_of_a_loop(tmp_path):
    answers = mixed(24)
    *kinds, total = scores_by_kind(read(tmp_path / "r", answers).judged)
    assert [row.kind for row in kinds] == ["1-hop", "2-hop", "unanswerable"]
    asked = [answer for answer in answers if answer.question.answers]
    right = [answer for answer in asked if answer.answers and answer.answers[0].text in answer.question.answers]
    assert total.hits.value == pytest.approx(len(right) / len(asked))
    assert total.answered.value == pytest.approx(sum(not answer.abstained for answer in asked) / len(asked))
    assert (total.num_questions, total.abstained.value) == (24, 1.0)
    assert kinds[2].hits is None
    assert kinds[0].abstained is None


def test_one_kind_alone_is_not_said_twice(tmp_path):
    answers = [answered(n, "?", ["a"], gold=("a",), kind="x") for n in range(3)]
    assert [row.kind for row in scores_by_kind(read(tmp_path / "r", answers).judged)] == ["x"]


def test_two_runs_are_paired_by_id(tmp_path):
    gold = ("a",)
    now = [
        answered(0, "lost", ["b"], gold=gold), answered(1, "won", ["a"], gold=gold),
        answered(2, "same", ["a"], gold=gold),
        refused(3, "won by silence", "no such entity", gold=()), answered(4, "otherwise", ["b"], gold=gold),
        answered(5, "here alone", ["a"], gold=gold), answered(8, "no gold", ["a"]),
    ]  # fmt: skip
    before = [
        answered(4, "otherwise", ["c"], gold=gold), answered(3, "won by silence", ["a"], gold=()),
        answered(2, "same", ["a"], gold=gold), answered(1, "won", ["b"], gold=gold),
        answered(0, "lost", ["a"], gold=gold),
        answered(7, "there alone", ["a"], gold=gold), answered(8, "no gold", ["b"]),
    ]  # fmt: skip
    found = compare(read(tmp_path / "now", now), read(tmp_path / "before", before))
    assert [one.question_id for one, _ in found.pairs] == ["id-0", "id-1", "id-2", "id-3", "id-4", "id-8"]
    assert all(one.question_id == other.question_id for one, other in found.pairs)
    assert [one.question_id for one, _ in found.lost] == ["id-0"]
    assert [one.question_id for one, _ in found.won] == ["id-1", "id-3"]
    assert [one.question_id for one, _ in found.changed] == ["id-4", "id-8"]
    (total,) = found.by_kind
    assert (total.both, total.only_first, total.only_second, total.neither) == (1, 2, 1, 1)
    assert total.difference.value == pytest.approx(1 / 5)
    assert total.p == mcnemar(2, 1)


def test_a_run_held_against_itself_differs_in_nothing(tmp_path):
    run = read(tmp_path / "r", mixed())
    found = compare(run, run)
    assert (found.lost, found.won, found.changed) == ([], [], [])
    assert all((row.p, row.difference.value) == (1.0, 0.0) for row in found.by_kind)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300))
def test_charts_stay_within_their_axes(answers):
    probability, right = map(np.array, zip(*answers, strict=True))
    for chart in (calibration_chart(probability, right), risk_chart(probability, right)):
        for path in (chart.line, chart.reference):
            for point in path.removeprefix("M").split("L"):
                x, y = map(float, point.split())
                assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
                assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1
    assert sum(dot.num_questions for dot in calibration_chart(probability, right).dots) == len(answers)

"""Calibration error, risk and coverage against loops that follow their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.selective import calibration_error, error_at, refused_at, reliability, risk_coverage, selective_report

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def columns(answers):
    probability, right = zip(*answers, strict=True)
    return np.array(probability), np.array(right)


@settings(deadline=None)
@given(ANSWERS, st.integers(1, 12))
def test_bins_are_of_equal_mass_and_hold_every_question_once(answers, num_bins):
    bins = reliability(*columns(answers), num_bins=num_bins)
    sizes = [part.num_questions for part in bins]
    assert sum(sizes) == len(answers)
    assert max(sizes) - min(sizes) <= 1
    said = [part.said for part in bins]
    assert said == pytest.approx(sorted(said))
    naive = sum(size * abs(part.said - part.right) for size, part in zip(sizes, bins, strict=True)) / len(answers)
    assert calibration_error(bins) == pytest.approx(naive)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=40, unique_by=lambda one: one[0]))
def test_risk_is_the_share_of_wrong_ones_among_the_surest(answers):
    probability, right = columns(answers)
    coverage, error = risk_coverage(probability / 1000, right)
    surest = sorted(answers, reverse=True)
    for k in range(1, len(answers) + 1):
        assert coverage[k - 1] == pytest.approx(k / len(answers))
        assert error[k - 1] == pytest.approx(sum(not one for _, one in surest[:k]) / k)
    assert error_at(1.0, probability, right) == pytest.approx(1 - right.mean())


@settings(deadline=None)
@given(ANSWERS, st.randoms())
def test_the_order_of_the_questions_does_not_matter_even_among_equals(answers, random):
    answers = [(round(probability, 1), right) for probability, right in answers]
    shuffled = random.sample(answers, len(answers))
    np.testing.assert_allclose(risk_coverage(*columns(answers)), risk_coverage(*columns(shuffled)))


def test_a_perfect_order_has_the_least_risk_and_a_reversed_one_the_most():
    right = np.array([True] * 8 + [False] * 2)
    good, bad = np.linspace(1, 0.1, 10), np.linspace(0.1, 1, 10)
    assert error_at(0.8, good, right) == 0.0
    assert error_at(0.2, bad, right) == 1.0
    assert selective_report(good, right, right)["aurc"] < selective_report(bad, right, right)["aurc"]


@settings(deadline=None)
@given(ANSWERS, st.integers(5, 100).map(lambda percent: percent / 100))
def test_what_is_refused_leaves_the_wanted_share_answered(answers, answered):
    probability, answerable = columns(answers)
    refused = refused_at(answered, probability, answerable)

    def share(given):  # of 40 questions at most: no two shares that differ are so near to a whole per cent
        return float(np.mean(given[answerable])) + 1e-6

    assert answerable.any() or refused >= np.mean(probability[~answerable] == 0)
    ways = [
        np.mean((probability < threshold)[~answerable] | (probability[~answerable] == 0))
        for threshold in [0.0, *probability, 2.0]
        if answerable.any() and not answerable.all() and share(probability >= threshold) >= answered
    ]
    assert refused == pytest.approx(max(ways, default=refused))


def test_without_questions_there_are_no_figures():
    nothing = np.zeros(0)
    assert selective_report(nothing, nothing.astype(bool), nothing.astype(bool)) == {}
    assert error_at(0.9, nothing, nothing.astype(bool)) == 0.0

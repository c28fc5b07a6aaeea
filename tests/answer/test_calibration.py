"""Confidence to probability: monotone, true to what was right on dev, kept beside the checkpoint."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.calibration import FILE, Calibration, Judged, calibrate, held_out_report, judge
from kgqa.errors import InputError, ModelError
from kgqa.types import Answer, Candidate, Question

QUESTIONS = st.lists(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=4), min_size=1, max_size=30)


def judged(questions):
    """Each question's answers as (confidence, right), best first."""
    answers = [(q, *one) for q, found in enumerate(questions) for one in sorted(found, key=lambda one: -one[0])]
    question, confidence, right = zip(*answers, strict=True) if answers else ((), (), ())
    return Judged(
        np.array(confidence, dtype=float),
        np.array(right, dtype=bool),
        np.array(question, dtype=np.int64),
        np.array([any(right for _, right in found) for found in questions]),
    )


@settings(deadline=None)
@given(QUESTIONS)
def test_a_surer_answer_stays_the_surer_one_and_nothing_is_certain(questions):
    sample = judged(questions)
    calibration = Calibration.fit(sample)
    said = calibration(np.linspace(0, 1, 101))
    assert (np.diff(said) >= 0).all()
    assert len(sample.confidence) == 0 or (said.min() > 0 and said.max() < 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 999), st.booleans()), min_size=1, max_size=12, unique_by=lambda one: one[0]))
def test_the_blocks_are_those_of_the_min_max_formula(answers):
    """p_i = max over a <= i of min over b >= i of the mean of a..b (Barlow et al. 1972), made answers included."""
    answers = sorted((confidence / 1000, float(right)) for confidence, right in answers)
    weight = [1.5, *(1.0 for _ in answers[2:]), 1.5] if len(answers) > 1 else [2.0]
    total = [right for _, right in answers]
    total[0] += 0.5  # right at the lowest; the wrong one at the highest adds nothing

    def mean(a, b):
        return sum(total[a : b + 1]) / sum(weight[a : b + 1])

    n = len(answers)
    wanted = [max(min(mean(a, b) for b in range(i, n)) for a in range(i + 1)) for i in range(n)]
    found = Calibration.fit(judged([[(confidence, right == 1)] for confidence, right in answers]))
    assert sorted(set(found.probability)) == pytest.approx(sorted({round(p, 6) for p in wanted}))


def test_what_confidence_means_is_found_again():
    """Answers that are right with the square of their confidence."""
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    right = rng.random(20_000) < confidence**2
    calibration = Calibration.fit(judged([[pair] for pair in zip(confidence, right, strict=True)]))
    wanted = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(calibration(wanted), wanted**2, atol=0.05)


def test_held_out_questions_are_measured_not_the_fitted_ones():
    rng = np.random.default_rng(1)
    noise = judged([[(float(c), bool(r))] for c, r in zip(rng.random(200), rng.random(200) < 0.5, strict=True)])
    assert 0.0 < held_out_report(noise)["ece"] < 0.25


@settings(deadline=None)
@given(QUESTIONS, st.floats(0.1, 1))
def test_above_the_threshold_the_precision_is_reached_on_dev(questions, precision):
    sample = judged(questions)
    calibration = Calibration.fit(sample)
    confidence, right = sample.confidence[sample.first].round(6), sample.right[sample.first]
    reached = [t for t in confidence if right[confidence >= t].mean() >= precision and t > 0]
    if not reached:
        with pytest.raises(ModelError, match=r"lower answer\.target_precision"):
            calibration.abstain_below(precision)
    else:
        given = confidence > calibration.abstain_below(precision)
        assert right[given].mean() >= precision
        assert given.sum() == (confidence >= min(reached)).sum()


@pytest.mark.parametrize("precision", [0.0, -1.0, 1.5])
def test_a_precision_that_is_no_share_is_refused(precision):
    with pytest.raises(InputError, match=r"give e\.g\. 0\.95"):
        Calibration().abstain_below(precision)


def answer(gold, *found, withheld=False):
    candidates = tuple(Candidate(name, f"urn:{name}", score) for name, score in found)
    question = Question("q", "?", answers=gold)
    if withheld:
        return Answer(question, (), (), abstained=True, reason="not in the knowledge base", withheld=candidates)
    return Answer(question, (), candidates, abstained=not candidates, reason="")


def test_withheld_answers_count_and_questions_without_gold_do_not():
    answers = [
        answer(("a", "b"), ("a", 0.9), ("c", 0.5)),
        answer(("a",)),
        answer(None, ("a", 0.9)),
        answer((), ("d", 0.2), withheld=True),
    ]
    found = judge(answers, lambda term: ())
    assert found.right.tolist() == [True, False, False]
    assert found.question.tolist() == [0, 0, 2]
    value, right, answerable = found.of_questions(found.confidence)
    assert value.tolist() == [0.9, 0.0, 0.2]
    assert right.tolist() == [True, False, False]
    assert answerable.tolist() == [True, True, False]


def test_it_is_kept_beside_the_checkpoint(tmp_path):
    answers = [answer(("a",), ("a" if n % 3 else "b", n / 10)) for n in range(10)]
    report = calibrate(answers, lambda term: (), tmp_path)
    assert {"dev_ece", "dev_aurc", "dev_error@90%"} <= set(report)
    kept = Calibration.load(tmp_path)
    assert kept == Calibration.load(tmp_path / "reasoner.safetensors")
    assert kept == Calibration.fit(judge(answers, lambda term: ()))


def test_without_it_confidence_stays_as_it_is(tmp_path):
    assert Calibration.load(tmp_path)([0.0, 0.25, 1.0]).tolist() == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 9}'])
def test_a_damaged_one_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ModelError, match=r"calibration\.json.*(train again|update)"):
        Calibration.load(tmp_path)


def test_json_alone_is_written(tmp_path):
    Calibration.fit(judged([[(0.5, True)]])).save(tmp_path)
    assert json.loads((tmp_path / FILE).read_text())["dev"] == [[0.5, True]]

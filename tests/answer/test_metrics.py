"""Every metric against a loop that follows its definition word by word; counters add."""

from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgqa.answer.metrics import Scores, score
from kgqa.types import Answer, Candidate, Question

NAMES = st.sampled_from("abcdefghijklmno")
GOLD = st.none() | st.lists(NAMES, unique=True, max_size=5).map(tuple)
PREDICTED = st.lists(NAMES, unique=True, max_size=14)


def answer(gold, predicted, kind=""):
    candidates = tuple(Candidate(name, f"urn:{name}", 0.5) for name in predicted)
    return Answer(Question("q", "?", answers=gold, kind=kind), (), candidates, not predicted, "")


def naive(pairs):
    """The definitions, one question after the other."""
    asked = [(gold, predicted) for gold, predicted in pairs if gold]
    empty = [predicted for gold, predicted in pairs if gold == ()]
    rates = {"questions": len(asked) + len(empty)}
    if asked:
        columns = {
            name: [] for name in ("hits@1", "hits@10", "mrr", "precision", "recall", "f1", "exact_match", "answered")
        }
        for gold, predicted in asked:
            right = [name for name in predicted if name in gold]
            ranks = [i + 1 for i, name in enumerate(predicted) if name in gold]
            p = len(right) / len(predicted) if predicted else 0.0
            r = len(right) / len(gold)
            columns["hits@1"].append(predicted[:1] == right[:1] and bool(right))
            columns["hits@10"].append(bool(set(predicted[:10]) & set(gold)))
            columns["mrr"].append(1 / min(ranks) if ranks else 0)
            columns["precision"].append(p)
            columns["recall"].append(r)
            columns["f1"].append(2 * p * r / (p + r) if p + r else 0)
            columns["exact_match"].append(set(predicted) == set(gold))
            columns["answered"].append(bool(predicted))
        rates |= {name: sum(values) / len(values) for name, values in columns.items()}
    if empty:
        rates["abstained"] = sum(not predicted for predicted in empty) / len(empty)
    return rates


@given(st.lists(st.tuples(GOLD, PREDICTED), max_size=12))
def test_report_agrees_with_the_naive_loop(pairs):
    total = reduce(add, (score(answer(gold, predicted)) for gold, predicted in pairs), Scores())
    assert total.report() == pytest.approx(naive(pairs))


@given(st.lists(st.tuples(GOLD, PREDICTED), max_size=12), st.integers(0, 12))
def test_parts_add_to_the_whole(pairs, cut):
    one = [score(answer(*pair)) for pair in pairs]
    parts = reduce(add, one[:cut], Scores()) + reduce(add, one[cut:], Scores())
    assert parts.report() == pytest.approx(reduce(add, one, Scores()).report())


def test_an_alias_or_a_term_meets_gold_and_case_does_not():
    names = {"urn:Breslau": {"Wrocław"}}
    found = answer(("Wrocław",), ["Breslau"])
    assert score(found, names_of=lambda term: names.get(term, ())).exact_match == 1
    assert score(answer(("urn:Breslau",), ["Breslau"])).exact_match == 1
    assert score(answer(("breslau",), ["Breslau"])).hits_at_1 == 0

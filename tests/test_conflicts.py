"""Dates as times, and which values of a conflict lose."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from kgqa.conflicts import UNDATED, Policy, Support, Value, finest, losers, moment, refines
from kgqa.types import Provenance

XSD = "http://www.w3.org/2001/XMLSchema#"
YEAR, DAY, OTHER = f'"1867"^^<{XSD}gYear>', f'"1867-11-07"^^<{XSD}date>', f'"1868"^^<{XSD}gYear>'


def value(term: str, **documents: str | None) -> Value:
    """A value with the documents that say it and their dates."""
    return Value(term, tuple(Support(date, Provenance(doc_id)) for doc_id, date in documents.items()))


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("1999", (1999, 1, 1)), ("1999-05", (1999, 5, 1)), ("1999-05-06", (1999, 5, 6)), (" 19990506 ", (1999, 5, 6)),
        ("1999-05-06T01:00:00+02:00", (1999, 5, 5, 23)), ("1999-05-06T01:00Z", (1999, 5, 6, 1)),
    ],
)  # fmt: skip
def test_a_date_is_a_time(date: str, when: tuple[int, ...]) -> None:
    assert moment(date) == datetime(*when, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("date", [None, "", "May 2020", "1999-13", "2020-02-30", "0001-01-01T00:00:00+14:00", "19999"])
def test_what_is_no_date_comes_before_all(date: str | None) -> None:
    assert moment(date) == UNDATED < moment("0001-01-02")


def test_newest_goes_by_date_then_by_documents() -> None:
    values = [value("a", x="2000", y="1990"), value("b", z="2000"), value("c", u="1999", v="1999", w="1999")]
    assert losers(values, "newest") == {"b", "c"}
    assert losers(values, "most_supported") == {"a", "b"}
    assert losers(values, "both") == set()


def test_the_order_of_values_and_supports_has_no_say() -> None:
    values = [value("a", x="2000"), value("b", y="2000"), value("c", z=None), value("d", u="1999", v=None)]
    for keep in ("newest", "most_supported"):
        assert len({frozenset(losers(order, keep)) for order in permutations(values)}) == 1


def test_what_nothing_tells_apart_stays() -> None:
    assert losers([value("a", x="2000"), value("b", y="2000"), value("c", z="1999")], "newest") == {"c"}
    assert losers([value("a", x=None), value("b", y=None)], "most_supported") == set()


def test_one_document_counts_once() -> None:
    twice = Value("a", (Support("1999", Provenance("x", span=(0, 1))), Support("1999", Provenance("x", span=(1, 2)))))
    assert losers([twice, value("b", y="2000")], "most_supported") == {"a"}


def test_a_year_speaks_for_its_days_and_stays_with_them() -> None:
    assert refines(DAY, YEAR)
    assert not refines(YEAR, YEAR)
    assert not refines(DAY, f'"186"^^<{XSD}gYear>')
    assert not refines(DAY, '"1867"')
    values = [value(YEAR, x="2000", y="2000"), value(DAY, z="1990"), value(OTHER, u="1995", v="1995")]
    assert [found.term for found in finest(values)] == [DAY, OTHER]
    assert losers(values, "most_supported") == {OTHER}
    assert losers([*values, value("b", n="2001")], "newest") == {YEAR, DAY, OTHER}


def test_a_policy_is_what_its_json_says() -> None:
    policy = Policy("newest", frozenset({"urn:b", "urn:a"}), 50, 0.98)
    assert Policy.from_json(policy.to_json()) == policy
    assert policy.decides_like(Policy("newest", frozenset({"urn:a", "urn:b"})))
    assert not policy.decides_like(Policy("newest", frozenset({"urn:a"})))

"""Dates and numbers on the line that they are compared on, in Python and in SPARQL alike.

A number is worth itself. A date is worth year * 10000 + month * 100 + day, what is not said being 0, so that a year and
a day can be compared: 1903 is 19030000, before every day of it. Dates are literals of the types below, and nodes that
are named by a year of four digits alone, since facts that are given as names have no types (MetaQA's are so).
"""

import re
from functools import lru_cache
from typing import Literal

import numpy as np

from kgqa.graph.terms import XSD, is_literal, text_of
from kgqa.ids import ENTITY

Kind = Literal["date", "number"]

_DATES = ("gYear", "gYearMonth", "date", "dateTime")
_INTEGERS = (
    "integer", "long", "int", "short", "byte", "nonNegativeInteger", "positiveInteger", "nonPositiveInteger",
    "negativeInteger", "unsignedLong", "unsignedInt", "unsignedShort", "unsignedByte",
)  # fmt: skip
_NUMBERS = (*_INTEGERS, "decimal", "float", "double")
_DATE = "^(-?[0-9]{4,9})(-([0-9][0-9])(-([0-9][0-9]))?)?(Z|T.*|[+-][0-9][0-9]:[0-9][0-9])?$"
_NUMBER = "^[+-]?[0-9]{1,15}([.][0-9]{1,15})?([eE][+-]?[0-9]{1,2})?$"
"""What is longer is left out of every comparison: stores differ in what they make of it."""
_YEAR_NODE = f"^{ENTITY}[0-9]{{4}}$"


@lru_cache(1 << 16)
def value_of(term: str, kind: Kind) -> float | None:
    """What a term is worth; None where it is no such value."""
    text = text_of(term)
    if kind == "number":
        known = is_literal(term) and _type_of(term) in _NUMBERS and re.fullmatch(_NUMBER, text)
        # a 32-bit float is the double that it is, not the one that it is spelt like
        return (float(np.float32(text)) if _type_of(term) == "float" else float(text)) if known else None
    dated = _type_of(term) in _DATES if is_literal(term) else re.fullmatch(_YEAR_NODE, term)
    found = re.fullmatch(_DATE, text) if dated else None
    return float(date_number(*(int(found[group] or 0) for group in (1, 3, 5)))) if found else None


def kind_of(term: str) -> Kind | None:
    """Whether a term is a date or a number, or neither."""
    kinds: tuple[Kind, ...] = ("date", "number")
    return next((kind for kind in kinds if value_of(term, kind) is not None), None)


def date_number(year: int, month: int = 0, day: int = 0) -> int:
    """What a date is worth."""
    return year * 10000 + month * 100 + day


def value_pattern(kind: Kind, term: str, value: str) -> str:
    """Group pattern that binds ?`value` to what ?`term` is worth, and drops the solution where that is nothing."""
    if kind == "number":
        known = f'isNumeric(?{term}) && REGEX(STR(?{term}), "{_NUMBER}")'
        return f"FILTER({known}) BIND(<{XSD}double>(?{term}) AS ?{value}) FILTER(BOUND(?{value}))"
    types = ", ".join(f"<{XSD}{name}>" for name in _DATES)
    typed = f'DATATYPE(?{term}) IN ({types}) && REGEX(STR(?{term}), "{_DATE}")'
    text = f'REPLACE(STR(?{term}), "^{ENTITY}", "")'
    parts = (f'<{XSD}integer>(REPLACE({text}, "{_DATE}", "{group}"))' for group in ("$1", "0$3", "0$5"))
    worth = " + ".join(f"{part} * {factor}" for part, factor in zip(parts, (10000, 100, 1), strict=True))
    return (
        f'FILTER(IF(isIRI(?{term}), REGEX(STR(?{term}), "{_YEAR_NODE}"), {typed})) '
        f"BIND({worth} AS ?{value}) FILTER(BOUND(?{value}))"
    )


def _type_of(term: str) -> str:
    return term.rpartition(f'"^^<{XSD}')[2].removesuffix(">")

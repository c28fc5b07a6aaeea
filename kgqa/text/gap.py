"""Rows of GAP: a snippet, a pronoun in it, two names, and which of them the pronoun means."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from kgqa.types import Span


@dataclass(frozen=True, slots=True)
class Row:
    """A pronoun and two names that it may mean; `title` is that of the page."""

    row_id: str
    text: str
    title: str
    pronoun: Span
    names: tuple[Span, Span]
    meant: tuple[bool, bool]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file of GAP, gzipped tab-separated values without quoting; offsets are characters."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            pronoun, first, second = (_span(row[f"{name}-offset"], row[name]) for name in ("Pronoun", "A", "B"))
            title = unquote(row["URL"].rpartition("/")[2]).replace("_", " ").partition(" (")[0]
            meant = (row["A-coref"] == "TRUE", row["B-coref"] == "TRUE")
            yield Row(row["ID"], row["Text"], title, pronoun, (first, second), meant)


def _span(offset: str, text: str) -> Span:
    return int(offset), int(offset) + len(text)


def nested(one: Span, other: Span) -> bool:
    """Whether one of two spans lies in the other."""
    return one[0] <= other[0] < other[1] <= one[1] or other[0] <= one[0] < one[1] <= other[1]

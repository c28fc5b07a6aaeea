"""The passages of a knowledge base as the ledger has them: found by their words, and fetched.

A passage goes by its *key*, an integer that says its document and where it begins there; a key means the same passage
as long as that passage lives.
"""

import re
from collections.abc import Iterable, Sequence
from typing import cast

from kgqa.ids import passage_of
from kgqa.ledger import Ledger
from kgqa.memory.segment import Item
from kgqa.types import Passage

KEY = "((passages.doc << 32) + passages.start)"
"""SQL: the key of a row of `passages`."""

_SMALL_WORDS = (
    "a an and are as at be been by did do does for from had has have he her his how i in into is it its me my of on or "
    "our s she t than that the their them then there these they this those to was we were what when where which who "
    "whom whose why will with would you your"
)
_FUNCTION_WORDS = frozenset(_SMALL_WORDS.split())
"""They stand in nearly every passage: they tell none from another, and each of them costs a look at all."""


def lives(table: str) -> str:
    """SQL: whether a row of a versioned table is of the generation that is open."""
    return f"+{table}.born <= :generation AND +{table}.died > :generation"


_PASSAGES = "FROM passages JOIN docs ON docs.id = passages.doc"
_BY_WORDS = f"""
    SELECT {KEY} {_PASSAGES} JOIN passage_words ON passage_words.rowid = passages.rowid
    WHERE passage_words MATCH :query AND {lives("passages")}
    ORDER BY bm25(passage_words), doc_id, start LIMIT :k
"""
_AT = f"SELECT {KEY}, text {_PASSAGES} WHERE doc_id = :doc_id AND start = :start AND {lives('passages')}"
_FETCH = f"SELECT doc_id, start, stop, text {_PASSAGES} WHERE doc = :doc AND start = :start AND {lives('passages')}"


def by_words(ledger: Ledger, text: str, k: int) -> list[int]:
    """The keys of the `k` passages that match a text best by BM25, of words without their endings; best first.

    The index is SQLite's own (FTS5; k1 = 1.2, b = 0.75), a part of the ledger that each delta brings up to date. How
    rare a word is follows from all rows that the ledger keeps, those of older generations included.
    """
    words = dict.fromkeys(re.findall(r"\w+", text.casefold()))
    query = " OR ".join(f'"{word}"' for word in words if word not in _FUNCTION_WORDS)
    if not query or not ledger.has("passage_words"):
        return []
    return [cast(int, key) for (key,) in ledger.rows(_BY_WORDS, query=query, k=k)]


def living(ledger: Ledger, items: Iterable[Item]) -> list[int]:
    """The keys of the passages that (term, text) items of a memory stand for; what is older than the ledger is left
    out."""
    found = []
    for term, text in items:
        doc_id, start, _ = passage_of(term)
        rows = cast(Iterable[tuple[int, str]], ledger.rows(_AT, doc_id=doc_id, start=start))
        found += [key for key, stored in rows if stored == text]
    return found


def fetch(ledger: Ledger, keys: Sequence[int]) -> list[Passage]:
    """The passages that the keys stand for, in their order."""
    rows = (next(ledger.rows(_FETCH, doc=key >> 32, start=key & 0xFFFFFFFF)) for key in keys)
    found = cast(Iterable[tuple[str, int, int, str]], rows)
    return [Passage(doc_id, (start, stop), text) for doc_id, start, stop, text in found]

"""Entities that may be one: pairs whose vectors are nearly the same, for people to look at.

Nothing is merged by it. Twins by name and names that differ by a letter are near each other; so are "Henry VII" and
"Henry VIII", which is why a person decides.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kgqa.artifacts import write_lines
from kgqa.graph.terms import is_literal
from kgqa.memory.index import Rows
from kgqa.memory.long_term import LongTermMemory
from kgqa.memory.segment import Item

_NEIGHBOURS = 5
"""Of an entity, besides itself, that are looked at."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entities, (term, text) each, and the cosine of their vectors."""

    one: Item
    other: Item
    cosine: float


def near_duplicates(
    memory: LongTermMemory, ids: Rows, *, similar_from: float, most: int, comparisons: float, seed: int = 0
) -> list[Pair]:
    """At most `most` pairs, the nearest first, of an entity among `ids` and any other, with cosine >= `similar_from`.

    comparisons: bounds the cost; where `ids` times all entities are more, a sample drawn by `seed` is looked at.
    Values (years, numbers) are no entities: those that are near each other are not the same.
    """
    num_affordable = max(1, int(comparisons / max(1, len(memory))))
    if len(ids) > num_affordable:
        ids = np.random.default_rng(seed).choice(ids, num_affordable, replace=False)
    ids = ids[[not is_literal(term) for term, _ in memory.items(ids)]] if len(ids) else ids
    if not len(ids):
        return []
    scores, found = memory.search(memory.get(ids), _NEIGHBOURS + 1)
    row, place = np.nonzero((scores >= similar_from) & (found != ids[:, None]) & (found >= 0))
    ends = np.sort(np.stack([ids[row], found[row, place]], axis=1), axis=1)
    ends, first = np.unique(ends, axis=0, return_index=True)
    cosines = scores[row, place][first]
    items = memory.items(ends.ravel())
    pairs = [
        Pair(min(one, other), max(one, other), cosine)
        for one, other, cosine in zip(items[::2], items[1::2], cosines.tolist(), strict=True)
        if not (is_literal(one[0]) or is_literal(other[0]))
    ]
    return sorted(pairs, key=lambda pair: (-pair.cosine, pair.one, pair.other))[:most]


def write_pairs(path: Path, pairs: Iterable[Pair]) -> int:
    """One JSON line a pair: `one` and `other` as {text, iri}, `cosine`; returns how many."""
    records = (
        {"one": _shown(pair.one), "other": _shown(pair.other), "cosine": round(pair.cosine, 6)} for pair in pairs
    )
    return write_lines(path, (json.dumps(record, ensure_ascii=False) for record in records))


def _shown(item: Item) -> dict[str, str]:
    term, text = item
    return {"text": text, "iri": term}

"""Tags and mentions: what is written is read again, and the sequence read is the best one that fits together."""

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.text.mention_tags import PRONOUN, TAGS, TYPES, read, write


@st.composite
def marked(draw: st.DrawFn) -> tuple[int, list[tuple[int, int, int]]]:
    length = draw(st.integers(0, 12))
    cuts = sorted(draw(st.sets(st.integers(0, length), max_size=8)))
    kinds = st.integers(0, len(TYPES) - 1)
    return length, [(a, b, draw(kinds)) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


@given(marked())
def test_what_is_written_is_read_again(case: tuple[int, list[tuple[int, int, int]]]) -> None:
    length, mentions = case
    tags = np.zeros(length, np.int64)
    for mention in mentions:
        write(tags, *mention)
    assert read(np.eye(len(TAGS))[tags], ["x"] * length) == mentions


def _fits(tags: tuple[str, ...]) -> bool:
    is_open = ""
    for tag in tags:
        part, _, kind = tag.partition("-")
        if (is_open and (part not in "IE" or kind != is_open)) or (not is_open and part in "IE"):
            return False
        is_open = kind if part in "BI" else ""
    return not is_open


SOME = [0, 1, 2, 3, 4, 6]
"""Tags of the first two types."""
SEQUENCES = [tags for tags in product(SOME, repeat=4) if _fits(tuple(TAGS[tag] for tag in tags))]


@given(st.lists(st.lists(st.integers(-20, 20), min_size=6, max_size=6), min_size=4, max_size=4))
@settings(deadline=None)
def test_the_sequence_read_is_the_best_that_fits(table: list[list[int]]) -> None:
    scores = np.full((4, len(TAGS)), -99.0)
    scores[:, SOME] = table

    def worth(tags: tuple[int, ...]) -> float:
        return float(sum(scores[token, tag] for token, tag in enumerate(tags)))

    found = read(scores, ["x"] * 4)
    tags = np.zeros(4, np.int64)
    for mention in found:
        write(tags, *mention)
    assert worth(tuple(tags.tolist())) == max(map(worth, SEQUENCES))


def test_pronouns_stand_beside_what_is_tagged() -> None:
    scores = np.eye(len(TAGS))[[0, 4, 0]]
    assert read(scores, ["She", "It", "who"]) == [(0, 1, PRONOUN), (1, 2, 0), (2, 3, PRONOUN)]

"""Tokens and stretches of tokens that are names, against how they are defined, letter by letter and pair by pair."""

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kgqa.answer.names import NameTable, key_of, tokenise
from kgqa.answer.spans import widened

TEXTS = st.text(st.sampled_from("aBé\u0301\u0327x1_& .?\"'-ßøİ中"), max_size=24)
NAMES = st.lists(st.lists(st.sampled_from(["The", "the", "Ann", "ann", "of", "B&", "é", "$"]), min_size=1, max_size=4))


def _tokens(text: str) -> list[tuple[int, int]]:
    """Where words stand: a letter or a digit, and what follows of these and of combining marks; "&" alone."""
    found: list[tuple[int, int]] = []
    for place, c in enumerate(text):
        inside = bool(found) and found[-1][1] == place and text[place - 1] != "&"
        if c.isalnum() or (inside and "\u0300" <= c <= "\u036f"):
            found[-1:] = [(found[-1][0], place + 1)] if inside else [*found[-1:], (place, place + 1)]
        elif c == "&":
            found.append((place, place + 1))
    return found


@given(TEXTS)
def test_a_text_is_parted_as_its_letters_say(text: str) -> None:
    tokens = tokenise(text)
    assert [(token.start, token.end) for token in tokens] == _tokens(text)
    for token in tokens:
        assert not re.search(r"[A-Z\u0300-\u036f]", unicodedata.normalize("NFKD", token.norm))


@given(NAMES, NAMES)
def test_every_stretch_that_is_a_name_is_found(named: list[list[str]], asked: list[list[str]]) -> None:
    names = [" ".join(words) for words in named]
    table = NameTable((name, f"urn:{name}") for name in names)
    norms = [token.norm for words in asked for token in tokenise(" ".join(words)) if token.norm != "the"]
    keys = {key_of(name) for name in names}
    expected = [
        (first, last, key)
        for first in range(len(norms))
        for last in range(len(norms), first, -1)
        if (key := " ".join(norms[first:last])) in keys
    ]
    assert list(table.stretches(norms)) == expected


@given(st.sampled_from(["", "the ", "The "]), TEXTS, TEXTS, st.booleans(), st.data())
def test_a_name_is_widened_to_where_it_stands_whole(
    article: str, before: str, name: str, swapped: bool, data: st.DataObject
) -> None:
    """A name alone in another case stands where its words do, whichever way that is found."""
    name = article + name
    text = before + (name.swapcase() if swapped else name) + data.draw(TEXTS)
    for token in tokenise(text):
        span = token.start, min(len(text), token.start + len(name))
        assert widened(text, span, [name]) == widened(text, span, [name, name])

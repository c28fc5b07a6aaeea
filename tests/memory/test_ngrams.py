"""Words and n-grams as hashes, against a naive loop over the pieces of each word."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.memory.ngrams import ngram_hashes, plain_words

WORDS = st.lists(st.text(max_size=8), max_size=6)


def pieces(word: str, lengths) -> list[tuple[int, str]]:
    """(length, piece): the whole word is marked by length 0."""
    marked = f"<{word}>"
    found = [(0, marked)]
    return found + [(n, marked[i : i + n]) for n in lengths for i in range(len(marked) - n + 1)]


@given(WORDS, st.sampled_from([(3, 4, 5), (2, 3, 4, 5), (1,)]))
@settings(deadline=None)
def test_equal_pieces_have_equal_hashes_and_others_have_not(words, lengths):
    owners, hashes = ngram_hashes(words, lengths)
    expected = [pieces(word, lengths) for word in words]
    by_piece: dict[tuple[int, str], set[int]] = {}
    for row, found in enumerate(expected):
        mine = hashes[owners == row].tolist()
        assert len(mine) == len(found)
        alone = ngram_hashes([words[row]], lengths)[1].tolist()
        assert mine == alone  # the words beside it do not matter
        for piece, value in zip(found, mine, strict=True):
            by_piece.setdefault(piece, set()).add(value)
    assert all(len(values) == 1 for values in by_piece.values())
    assert len({value for values in by_piece.values() for value in values}) == len(by_piece)


def test_hashes_are_the_same_for_ever():
    owners, hashes = ngram_hashes(["ab", ""])
    assert owners.tolist() == [0, 1, 0, 0, 0]
    assert (hashes % np.uint64(1000)).tolist() == [77, 807, 942, 488, 212]


def test_words_are_plain():
    assert plain_words("André TÉCHINÉ's  snake_case!") == ["andre", "techine", "s", "snake", "case"]
    assert plain_words("$ ?") == ["$", "?"]
    assert plain_words("") == []

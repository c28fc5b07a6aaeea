"""Word pieces: the longest first; a word's vector is the mean of its pieces'."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgqa.text import wordpieces
from kgqa.text.wordpieces import PieceVectors, split

PIECES = ["[UNK]", "a", "ab", "##b", "##bc", "c", "##c", "."]
PLACE = {piece: place for place, piece in enumerate(PIECES)}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("abc", ["ab", "##c"]),
        ("Abbc", ["ab", "##bc"]),
        ("á.c", ["a", ".", "c"]),
        ("xa", ["[UNK]", "[UNK]"]),
        ("", ["[UNK]"]),
        ("a" * 9, ["a", *["[UNK]"] * 7]),
    ],
)
def test_the_longest_piece_comes_first(word: str, expected: list[str]) -> None:
    assert [PIECES[place] for place in split(word, PLACE)] == expected


@given(st.lists(st.text(max_size=12), max_size=6))
def test_vectors_are_means_however_often_a_word_comes(words: list[str]) -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(-127, 128, (len(PIECES), 3)).astype(np.int8)
    vectors = PieceVectors(PIECES, table, np.array([0.1, 1.0, 2.0]))
    for _ in range(2):
        rows = vectors.rows(words)
        assert rows.shape == (len(words), 3)
        for word, row in zip(words, rows, strict=True):
            mean = np.mean([table[place].astype(float) * [0.1, 1.0, 2.0] for place in split(word, PLACE)], axis=0)
            np.testing.assert_allclose(row, mean, rtol=1e-4, atol=1e-3)


def test_what_is_remembered_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpieces, "_MOST_WORDS", 3)
    vectors = PieceVectors(PIECES, np.ones((len(PIECES), 2), np.int8), np.ones(2))
    for number in range(50):
        vectors.rows([f"a{number}"])
    assert len(vectors._known) <= 4

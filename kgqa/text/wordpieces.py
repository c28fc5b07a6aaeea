"""Vectors for any word from a fixed list of word pieces: a word's vector is the mean of its pieces'.

The list is BERT's (uncased English, 30,522 pieces). The vectors are what all-MiniLM-L6-v2 gives each piece in its
embedding table, after its third layer and after its last, reduced by principal components; so a small network knows
from the start that "Oslo" is like "Stockholm" and "wed" like "married". (After model2vec, Tulkens and van Dongen 2024,
which keeps the last layer alone.)
"""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

UNKNOWN = "[UNK]"
_MOST_PIECES = 8
"""Of a word: what is longer is a number, an address or no word."""
_MOST_WORDS = 100_000
"""Vectors that are kept; then all are forgotten, so that memory does not grow with the corpus."""


def split(word: str, pieces: Mapping[str, int]) -> list[int]:
    """The places of a word's pieces in the list: the longest first, as BERT does, case and accents left out."""
    plain = "".join(char for char in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(char))
    found: list[int] = []
    start = 0
    while start < len(plain) and len(found) < _MOST_PIECES:
        inside = start > 0 and plain[start].isalnum() and plain[start - 1].isalnum()
        mark = "##" if inside else ""
        for end in range(len(plain), start, -1):
            place = pieces.get(mark + plain[start:end])
            if place is not None:
                found.append(place)
                start = end
                break
        else:
            found.append(pieces[UNKNOWN])
            start += 1
    return found or [pieces[UNKNOWN]]


class PieceVectors:
    """Word vectors of `width` numbers. `table`: [pieces, width] int8, `scale`: [width], what one step is worth."""

    def __init__(self, pieces: Sequence[str], table: npt.NDArray[np.int8], scale: npt.NDArray[np.floating]) -> None:
        self.table = list(pieces), table, scale.astype(np.float32)
        self._place = {piece: place for place, piece in enumerate(pieces)}
        self._known: dict[str, npt.NDArray[np.float32]] = {}
        self.width = int(table.shape[1])

    def rows(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vectors of the words, [words, width]."""
        _, steps, scale = self.table
        if len(self._known) > _MOST_WORDS:
            self._known.clear()
        result = np.empty((len(words), self.width), np.float32)
        for place, word in enumerate(words):
            vector = self._known.get(word)
            if vector is None:
                vector = steps[split(word, self._place)].mean(axis=0, dtype=np.float32) * scale
                self._known[word] = vector
            result[place] = vector
        return result

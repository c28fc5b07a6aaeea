"""Text to unit vectors by hashing words and their character n-grams: no training, no download, the same everywhere."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kgqa.errors import ConfigError

Vectors = NDArray[np.float32]

_NGRAMS = (3, 4, 5)
_PRIME = np.uint64(1099511628211)  # of the FNV hash: odd, so that multiplying by it loses nothing
_ODD = np.uint64(0x9E3779B97F4A7C15)


class HashingEmbedder:
    """Words and their character n-grams, hashed with signs into `width` places (Weinberger et al. 2009; the n-grams are
    fastText's, Bojanowski et al. 2017). No training, no download, the same on every machine; good for names and typos,
    blind to meaning. Case, accents and punctuation are dropped; the order of words does not count.
    """

    def __init__(self, width: int = 256) -> None:
        if width < 8:
            raise ConfigError(f"embedder.width is {width}; hashing needs at least 8 places")
        self.width = width
        self.name = f"hashing-v1-{width}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], unit rows; a text without letters or digits is taken as one word."""
        vocabulary: dict[str, int] = {}
        word_lists = [_words(text) for text in texts]
        columns = [vocabulary.setdefault(word, len(vocabulary)) for words in word_lists for word in words]
        starts = np.cumsum([0, *map(len, word_lists)])
        # Short words ("by", "of", "the") say little: weight by length, up to six letters.
        weights = np.minimum([len(word) for words in word_lists for word in words], 6).astype(np.float32)
        counts = sparse.csr_array((weights, columns, starts), shape=(len(texts), len(vocabulary)))
        vectors: Vectors = (counts @ _word_vectors(list(vocabulary), self.width)).toarray()
        vectors[:, 0] += ~vectors.any(axis=1)  # no words, or features that cancel: a direction all the same
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def _words(text: str) -> list[str]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    return re.findall(r"[^\W_]+", plain) or plain.split()


def _word_vectors(words: Sequence[str], width: int) -> sparse.csr_array:
    """[V, width], unit rows: each word as a whole, and its n-grams with < and > at its ends."""
    marked = [f"<{word}>" for word in words]
    lengths = np.array([len(word) for word in marked], np.int64)
    starts = np.cumsum(lengths) - lengths
    # Code points as integers; surrogates are code points too.
    points = np.frombuffer("".join(marked).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(words)), lengths)
    hashes, rows = [_whole_hashes(points, starts, lengths)], [np.arange(len(words))]
    for n in _NGRAMS:
        inside = np.flatnonzero(owner[n - 1 :] == owner[: max(0, len(owner) - n + 1)])
        rolling = np.full(len(inside), n, np.uint64)
        for step in range(n):
            rolling = rolling * _PRIME + points[inside + step]
        hashes.append(_mixed(rolling))
        rows.append(owner[inside])
    return _hashed_rows(np.concatenate(rows), np.concatenate(hashes), len(words), width)


def _whole_hashes(
    points: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """sum_i point[i] * prime^i of each word: [V]."""
    if len(starts) == 0:
        return np.empty(0, np.uint64)
    powers = np.cumprod(np.full(int(lengths.max()), _PRIME))
    position = np.arange(len(points)) - np.repeat(starts, lengths)
    return _mixed(np.add.reduceat(points * powers[position], starts))


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finisher: every bit of the result depends on every bit of the argument."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9) + _ODD
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _hashed_rows(rows: NDArray[np.int64], hashes: NDArray[np.uint64], num_rows: int, width: int) -> sparse.csr_array:
    """Each hash is a place and, by its top bit, a sign; rows are scaled to length 1."""
    places = (hashes % np.uint64(width)).astype(np.int64)
    signs = np.where(hashes >> np.uint64(63), 1.0, -1.0).astype(np.float32)
    matrix = sparse.csr_array((signs, (rows, places)), shape=(num_rows, width))  # adds up what falls together
    norms = np.sqrt(matrix.power(2).sum(axis=1))
    return sparse.csr_array(sparse.diags_array((1 / np.maximum(norms, 1e-9)).astype(np.float32)) @ matrix)

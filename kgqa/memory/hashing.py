"""Text to unit vectors by hashing words and their character n-grams: no training, no download, the same everywhere."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kgqa.errors import ConfigError
from kgqa.memory.ngrams import ngram_hashes, plain_words

if TYPE_CHECKING:
    from scipy import sparse

Vectors = NDArray[np.float32]


class HashingEmbedder:
    """Words and their character n-grams, hashed with signs into `width` places (Weinberger et al. 2009). No training,
    no download, the same on every machine; good for names and typos, blind to meaning. Case, accents and punctuation
    are dropped; the order of words does not count.
    """

    same_from = 0.9
    """Of 2,000 names that are not there 3 in 100 are then taken for another (docs/benchmarks.md, embedders)."""

    def __init__(self, width: int = 256) -> None:
        if width < 8:
            raise ConfigError(f"embedder.width is {width}; hashing needs at least 8 places")
        self.width = width
        self.name = f"hashing-v1-{width}"

    def ask(self, questions: Sequence[str]) -> Vectors:
        """As any other text."""
        return self.embed(questions)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], unit rows; a text without letters or digits is taken as one word."""
        from scipy import sparse  # takes a while to load, and many only name an embedder

        vocabulary: dict[str, int] = {}
        word_lists = [plain_words(text) for text in texts]
        columns = [vocabulary.setdefault(word, len(vocabulary)) for words in word_lists for word in words]
        starts = np.cumsum([0, *map(len, word_lists)])
        # Short words ("by", "of", "the") say little: weight by length, up to six letters.
        weights = np.minimum([len(word) for words in word_lists for word in words], 6).astype(np.float32)
        counts = sparse.csr_array((weights, columns, starts), shape=(len(texts), len(vocabulary)))
        vectors: Vectors = (counts @ _word_vectors(list(vocabulary), self.width)).toarray()
        vectors[:, 0] += ~vectors.any(axis=1)  # no words, or features that cancel: a direction all the same
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def _word_vectors(words: Sequence[str], width: int) -> "sparse.csr_array":
    """[V, width]: each hash of a word is a place and, by its top bit, a sign; rows are scaled to length 1."""
    from scipy import sparse

    rows, hashes = ngram_hashes(words)
    places = (hashes % np.uint64(width)).astype(np.int64)
    signs = np.where(hashes >> np.uint64(63), 1.0, -1.0).astype(np.float32)
    matrix = sparse.csr_array((signs, (rows, places)), shape=(len(words), width))  # adds up what falls together
    norms = np.sqrt(matrix.power(2).sum(axis=1))
    return sparse.csr_array(sparse.diags_array((1 / np.maximum(norms, 1e-9)).astype(np.float32)) @ matrix)

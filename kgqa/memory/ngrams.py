"""Words and their character n-grams as 64-bit hashes: what our embedders see of a text, for words never seen too.

The n-grams are fastText's (Bojanowski et al. 2017): the word as a whole and its pieces of 3 to 5 characters, with < and
> at the word's ends. The hashes are the same on every machine and in every version, since stored vectors rest on them.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_PRIME = np.uint64(1099511628211)  # of the FNV hash: odd, so that multiplying by it loses nothing
_ODD = np.uint64(0x9E3779B97F4A7C15)


def plain_words(text: str) -> list[str]:
    """The words of a text without case, accents and punctuation; its signs where it has no letter and no digit."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    return re.findall(r"[^\W_]+", plain) or plain.split()


def ngram_hashes(
    words: Sequence[str], lengths: Sequence[int] = (3, 4, 5)
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The whole words first, then their n-grams of each length: which word each is of [T], and its hash [T]."""
    marked = [f"<{word}>" for word in words]
    sizes = np.array([len(word) for word in marked], np.int64)
    starts = np.cumsum(sizes) - sizes
    # Code points as integers; surrogates are code points too.
    points = np.frombuffer("".join(marked).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(words)), sizes)
    hashes, owners = [_whole_hashes(points, starts, sizes)], [np.arange(len(words))]
    for n in lengths:
        inside = np.flatnonzero(owner[n - 1 :] == owner[: max(0, len(owner) - n + 1)])
        rolling = np.full(len(inside), n, np.uint64)
        for step in range(n):
            rolling = rolling * _PRIME + points[inside + step]
        hashes.append(_mixed(rolling))
        owners.append(owner[inside])
    return np.concatenate(owners), np.concatenate(hashes)


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

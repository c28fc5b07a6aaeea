"""The names of entities as a table that is looked up by tokens: exactly, normalised, or with one typo.

Normalised: NFKD, accents and case dropped, punctuation dropped, "&" read as "and", "the" left out. A name of a million
is found with one dictionary lookup; there is no scan over names, not for typos either: those are mended token by token
against the tokens that occur in names, found by the half of the token that the typo has left alone.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

Tokens = tuple[str, ...]

# Letters with their combining marks; "&" stands for a word.
_TOKEN = re.compile(r"(?:[^\W_]+[\u0300-\u036f]*)+|&")
# Letters that NFKD leaves whole although people type them without their stroke or ligature.
_PLAIN = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})

_THE = "the"
_ROMAN = re.compile(r"[ivx]+")
_SHORTEST_NAME = 4  # letters; shorter names are too near to one another


class Token(NamedTuple):
    """A word of a text: its normalised form and its place, in characters."""

    norm: str
    start: int
    end: int


@lru_cache(1 << 16)
def _normalise(word: str) -> str:
    if word.isascii():
        return word.lower() if word != "&" else "and"
    decomposed = unicodedata.normalize("NFKD", word).casefold()
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_PLAIN)


def tokenise(text: str) -> list[Token]:
    """The words of a text in order, "the" among them; apostrophes part words, so that possessives come off."""
    return [Token(_normalise(match[0]), *match.span()) for match in _TOKEN.finditer(text)]


def key_of(text: str) -> str:
    """What a name is looked up by: its tokens without "the"; all of them, or the text, where nothing else is left."""
    norms = [_normalise(word) for word in _TOKEN.findall(text)]
    return " ".join([norm for norm in norms if norm != _THE] or norms) or text.strip()


def _beginning(words: Sequence[str], prefix: str) -> Sequence[str]:
    """Those of some sorted words that begin so."""
    return words[bisect_left(words, prefix) : bisect_left(words, prefix + chr(0x10FFFF))]


class NameTable:
    """Every name with the entities that go by it. Read-only once built."""

    def __init__(self, aliases: Iterable[tuple[str, str]], *, keys: Iterable[str] | None = None) -> None:
        """aliases: (name, term) pairs, in any order; doubles do no harm. keys: `key_of` of each, where it is known."""
        self._groups: dict[str, tuple[tuple[str, str], ...]] = {}
        self._longest: dict[str, int] = {}
        pairs = list(aliases)
        for (name, term), key in zip(pairs, [key_of(name) for name, _ in pairs] if keys is None else keys, strict=True):
            known = self._groups.get(key, ())
            if (name, term) not in known:
                self._groups[key] = tuple(sorted([*known, (name, term)])) if known else ((name, term),)
                first, length = key.partition(" ")[0], key.count(" ") + 1
                self._longest[first] = max(self._longest.get(first, 0), length)
        self.mended: Callable[[str], Tokens] = lru_cache(1 << 14)(self._mend)
        """Tokens of names that a token may be with one letter wrong, missing, too many, or two swapped; sorted."""

    def __len__(self) -> int:
        """How many different names there are, once normalised."""
        return len(self._groups)

    def __contains__(self, key: str) -> bool:
        return key in self._groups

    def named(self, key: str) -> tuple[tuple[str, str], ...]:
        """(name, term) of every entity with that normalised name, sorted; empty where there is none."""
        return self._groups.get(key, ())

    def stretches(self, norms: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        """(first, last, key) of every stretch [first, last) that is a name; of each first the longest comes first."""
        text, ends = " ".join(norms), [0, *accumulate(len(norm) + 1 for norm in norms)]
        for first, norm in enumerate(norms):
            longest = self._longest.get(norm)
            if not longest:
                continue
            for last in range(min(first + longest, len(norms)), first, -1):
                key = text[ends[first] : ends[last] - 1]
                if key in self._groups:
                    yield first, last, key

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every token that occurs in a name, and "the"."""
        return frozenset(token for key in self._groups for token in key.split(" ")) | {_THE}

    @cached_property
    def _sorted(self) -> dict[int, tuple[list[str], list[str]]]:
        """Tokens by their length: in order, and turned round in order."""
        by_length: dict[int, list[str]] = {}
        for word in sorted(self.vocabulary):
            by_length.setdefault(len(word), []).append(word)
        return {length: (words, sorted(word[::-1] for word in words)) for length, words in by_length.items()}

    def _near(self, norm: str) -> Iterator[str]:
        """The tokens among which those with one typo are: half of them is as it was, the first or the last."""
        for length in (len(norm) - 1, len(norm), len(norm) + 1):
            forward, backward = self._sorted.get(length, ((), ()))
            half = length // 2
            yield from _beginning(forward, norm[:half])
            yield from (word[::-1] for word in _beginning(backward, norm[::-1][:half]))

    def _mend(self, norm: str) -> Tokens:
        # With numbers, Roman ones too, a typo cannot be told from another name.
        if norm.isdigit() or _ROMAN.fullmatch(norm):
            return ()
        swapped = {norm[:i] + norm[i + 1] + norm[i] + norm[i + 2 :] for i in range(len(norm) - 1)}
        found = {word for word in swapped if word in self.vocabulary}
        near = extract(norm, list(self._near(norm)), scorer=OSA.distance, score_cutoff=1, limit=None)
        return tuple(sorted(found.union(word for word, _, _ in near) - {norm}))

    def variants(self, norms: Sequence[str]) -> Iterator[Tokens]:
        """What `norms` may be with one typo: a token mended, parted, joined with the next or recut."""
        shortest = 1 if len(norms) > 2 else 2 if len(norms) > 1 else 4  # letters that tell a word from another
        for place, norm in enumerate(norms):
            before, after = tuple(norms[:place]), tuple(norms[place + 1 :])
            if len(norm) >= shortest:
                yield from ((*before, word, *after) for word in self.mended(norm))
            yield from ((*before, *pair, *after) for pair in self._parted(norm))
            if after:
                joined = norm + after[0]
                whole = (joined,) if joined in self.vocabulary else self.mended(joined)
                yield from ((*before, word, *after[1:]) for word in whole)
                yield from ((*before, *pair, *after[1:]) for pair in self._parted(joined) if pair[0] != norm)
            if OSA.distance(norm, _THE) == 1:
                yield (*before, *after)

    def _parted(self, norm: str) -> list[Tokens]:
        """The pairs of tokens of names that a string is made of."""
        pairs = ((norm[:cut], norm[cut:]) for cut in range(1, len(norm)))
        return [pair for pair in pairs if pair[0] in self.vocabulary and pair[1] in self.vocabulary]

    def typo_keys(self, norms: Sequence[str]) -> list[str]:
        """The names, as keys, that `norms` is with one typo; sorted."""
        keys = {" ".join(token for token in variant if token != _THE) for variant in self.variants(norms)}
        known = sorted(key for key in keys if key in self._groups and len(key) >= _SHORTEST_NAME)
        if len(norms) > 1:
            return known
        # A letter more or less at the end of a single word is another word: German, Germany; atom, atoms.
        return [key for key in known if not key.startswith(norms[0]) and not norms[0].startswith(key)]

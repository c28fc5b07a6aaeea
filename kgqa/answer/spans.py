"""Where in a question names may stand: its words and what their spelling says, and matches that compete for them.

Every match has a *weight*, the sum over its words of: 1, or 0.25 for a common word; 1 more for a capital that does not
merely begin a sentence; a little more in all when the name occurs letter for letter. Of those that overlap the heaviest
wins: the longest but for common words. A *run* is a stretch that looks like a name, whatever the names are.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from kgqa.answer.names import Token, tokenise
from kgqa.types import Span

Run = tuple[int, int]
"""[first, last) of a question's words."""

SURE = 1.0
"""The weight of one word that is not common, or of a capitalised one that is."""
EXACT, TYPO = 0.2, 0.25
"""What a match gains by being letter for letter, and loses by a typo."""
_EDGE = 0.5
"""What it loses by a common word at either end."""
_JOINING_WORDS = (
    "a an and as at by d da de del den der di du for from in is la le ll m of on or re s t the to van ve von with"
)
_JOINING = frozenset(_JOINING_WORDS.split())
"""Lower-case words that stand inside names."""

_QUOTED = re.compile(r"[\"“”„«»]([^\"“”„«»]+)[\"“”„«»]")


class Match(NamedTuple):
    """Tokens [first, last) of a question that are a name, whole or but for a typo."""

    first: int
    last: int
    weight: float
    exact: bool
    """A name stands there letter for letter."""
    span: Span
    keys: tuple[str, ...]
    """The names that it may be, normalised."""
    typo: bool = False


class Word(NamedTuple):
    """A token of a question with what its spelling says."""

    token: Token
    telling: float
    """1, or less for a common word; 0 for "the"."""
    upper: bool
    """Has a capital or a digit, or a letter that knows no case, or stands in quotes."""
    capital: bool
    """The same, not because a sentence begins, and not "the"."""

    @property
    def common(self) -> bool:
        return self.telling < 1


def words_of(text: str, telling: Callable[[str], float]) -> list[Word]:
    """The words of a text; `telling` says of a normalised word how much it tells."""
    quoted = [match.span(1) for match in _QUOTED.finditer(text)]
    words: list[Word] = []
    for token in tokenise(text):
        article = token.norm == "the"
        inside = bool(quoted) and any(begin <= token.start < end for begin, end in quoted)
        upper = inside or not text[token.start : token.end].islower()
        starts = upper and not inside and (not words or _sentence_ends(text, words[-1].token, token))
        weight = 0.0 if article else telling(token.norm)
        words.append(Word(token, weight, upper, upper and not starts and not article))
    return words


def weigh(words: Sequence[Word]) -> float:
    """What a match of these words weighs, the names apart."""
    return sum([word.telling + word.capital for word in words])


def edge_cost(words: Sequence[Word], first: int, last: int) -> float:
    """What a name loses that begins or ends with a common word in small letters, in a question that knows capitals."""
    if not any(word.capital for word in words):
        return 0.0
    return _EDGE * sum(words[place].common and not words[place].upper for place in (first, last - 1))


def heaviest(matches: Iterable[Match]) -> list[Match]:
    """What remains when the heaviest match is taken first and all that overlap it go; heaviest first."""
    chosen: list[Match] = []
    for match in sorted(matches, key=lambda m: (-m.weight, m.first - m.last, m.first)):
        if all(match.last <= other.first or other.last <= match.first for other in chosen):
            chosen.append(match)
    return chosen


def widened(text: str, span: Span, names: Sequence[str]) -> Span:
    """The place of the longest name that stands around `span` letter for letter, or but for its case; else `span`."""
    if len(names) == 1 and text[slice(*span)].casefold() == names[0].casefold():
        return span
    found = []
    for name in names:
        begin = span[0] - next((token.start for token in tokenise(name) if token.norm != "the"), 0)
        wider = begin, begin + len(name)
        if begin >= 0 and wider[1] >= span[1] and text[slice(*wider)].casefold() == name.casefold():
            found.append((text[slice(*wider)] == name, len(name), wider))
    return max(found)[2] if found else span


def _sentence_ends(text: str, before: Token, after: Token) -> bool:
    """Whether a sentence ends between two tokens; not after initials and titles (J. J. Thomson, Dr. Strange)."""
    between = text[before.end : after.start]
    abbreviated = before.end - before.start <= 3 and text[before.start].isupper()
    return not abbreviated and any(mark in between for mark in ".?!")


def find_runs(words: Sequence[Word]) -> list[Run]:
    """Stretches [first, last) that look like names: words with capitals or in quotes, and what joins them."""
    runs: list[Run] = []
    for place, word in enumerate(words):
        if not word.upper or word.token.norm.isdigit():
            continue
        if runs and _joined(words[runs[-1][1] : place]):
            runs[-1] = runs[-1][0], place + 1
        else:
            runs.append((place, place + 1))
    trimmed = [_trimmed(words, run) for run in runs]
    return [run for run in trimmed if any(word.capital for word in words[slice(*run)])]


def _joined(between: Sequence[Word]) -> bool:
    """Whether what stands between two capitals may be part of one name; one word may be a capital that was mistyped."""
    strange = [word for word in between if not (word.token.norm in _JOINING or word.token.norm.isdigit())]
    return len(strange) <= 1 and not any(word.common for word in strange)


def with_neighbours(words: Sequence[Word], run: Run) -> Run:
    """With the nearest words before and after it that are not common: parts of the name that lost their capital."""
    first, last = run
    before, after = first - 1, last
    while before >= 0 and words[before].token.norm in _JOINING:
        before -= 1
    while after < len(words) and words[after].token.norm in _JOINING:
        after += 1
    first = before if before >= 0 and not words[before].common else first
    return first, after + 1 if after < len(words) and not words[after].common else last


def _trimmed(words: Sequence[Word], run: Run) -> Run:
    """Without a common word that begins the sentence: Which Niels Bohr ..."""
    first, last = run
    while first < last and words[first].common and not words[first].capital:
        first += 1
    return first, last


def explained(words: Sequence[Word], run: Run, matches: Sequence[Match]) -> bool:
    """Whether all telling words of a run and its neighbours are in sure matches, words side by side in the same one."""
    owner = {p: match.first for match in matches if match.weight >= SURE for p in range(match.first, match.last)}
    first, last = with_neighbours(words, run)
    telling = [
        p for p in range(first, last) if (words[p].upper or not words[p].common) and words[p].token.norm != "the"
    ]
    if any(place not in owner for place in telling):
        return False
    return all(owner[a] == owner[b] for a, b in pairwise(telling) if b == a + 1)


def is_part(words: Sequence[Word], match: Match, matches: Sequence[Match]) -> bool:
    """Whether a word right beside a match must be part of a name and is in no match: then more was meant."""
    covered = {place for other in matches for place in range(other.first, other.last)}
    beside = [place for place in (match.first - 1, match.last) if 0 <= place < len(words) and place not in covered]
    return any(_names(words[place]) for place in beside)


def _names(word: Word) -> bool:
    """Whether a word must be part of a name: a capital, and not a common word."""
    return word.capital and not word.common


def uncovered(words: Sequence[Word], run: Run, covered: set[int]) -> Iterator[Run]:
    """The stretches of a run in no match that tell something, and are parted from the matches by joining words."""
    for is_covered, places in groupby(range(*run), key=covered.__contains__):
        stretch = list(places)
        inner = list(stretch)
        while inner and words[inner[0]].token.norm in _JOINING:
            inner.pop(0)
        while inner and words[inner[-1]].token.norm in _JOINING:
            inner.pop()
        if is_covered or not any(_names(words[place]) for place in inner):
            continue
        parted_before = stretch[0] == run[0] or inner[0] > stretch[0]
        parted_after = stretch[-1] + 1 == run[1] or inner[-1] < stretch[-1]
        if parted_before and parted_after:
            yield inner[0], inner[-1] + 1

"""One node for one thing: which entities of different documents are the same, from the names the documents state.

`resolve` sees all alias statements at once and nothing else, so that its answer depends neither on the order of the
documents nor on how often each was read. A document names its entities by their fullest name there; two such terms are
brought together when

1. a document states the one's name as another name of the other ("Maria Skłodowska" for Marie Curie),
2. the names differ only in accents, hyphens, an article or the order of "University of X", or
3. one spells out what the other abbreviates ("J. J. Thomson", "Joseph John Thomson"),

and never when the shorter name fits two of them: two people called Bragg stay two.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kgqa.ids import ENTITY, name_of
from kgqa.text.entities import inverted, plain, same_person
from kgqa.text.lexicon import Lexicon, lexicon
from kgqa.text.names import form_label


def resolve(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Raw term -> canonical term, for the terms that move only; `names` are (name, term) statements of all documents.

    Pure and independent of order and repetition. Terms that are no entity IRIs (literals, given IRIs) never move.
    """
    return {merge.term: merge.kept for merge in merges(names)}


@dataclass(frozen=True, slots=True)
class Merge:
    """A term that was brought to another one, and what brought it: other terms of its group, each with the rule."""

    term: str
    kept: str
    reasons: tuple[tuple[str, str], ...]
    """(rule, other term), at least one."""


def merges(names: Iterable[tuple[str, str]]) -> list[Merge]:
    """The moves of `resolve` with their reasons, in the order of terms."""
    stated = sorted({(name, term) for name, term in names if term.startswith(ENTITY)})
    terms = sorted({term for _, term in stated})
    groups = _Groups(terms)
    reasons: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
    for rule, one, other in _links(stated, terms):
        if one != other:
            groups.join(one, other)
            reasons[one][rule, other] = reasons[other][rule, one] = None
    weight = Counter(term for _, term in stated)
    moves = []
    for members in groups.sets():
        kept = min(members, key=lambda term: (-weight[term], len(term), term))
        moves += [Merge(term, kept, tuple(reasons[term])) for term in members if term != kept]
    return sorted(moves, key=lambda merge: merge.term)


def _links(stated: list[tuple[str, str]], terms: list[str]) -> Iterator[tuple[str, str, str]]:
    """(rule, term, term) of all that are the same."""
    rules = {
        "a document states the name": _by_statement(stated),
        "one name spelled otherwise": _by_spelling(terms),
        "one spells out the other": _by_abbreviation(terms, lexicon()),
        "the end of its name": _by_part(terms, lexicon()),
    }
    for rule, pairs in rules.items():
        yield from ((rule, one, other) for one, other in pairs)


class _Groups:
    """Union-find over terms."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._parent = {term: term for term in terms}

    def _root(self, term: str) -> str:
        while self._parent[term] != term:
            self._parent[term] = term = self._parent[self._parent[term]]
        return term

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first

    def sets(self) -> Iterator[list[str]]:
        """The groups of two and more, members in order."""
        members: dict[str, list[str]] = defaultdict(list)
        for term in self._parent:
            members[self._root(term)].append(term)
        yield from (sorted(group) for group in members.values() if len(group) > 1)


def _by_statement(stated: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Terms whose own name is stated as another name of exactly one other term."""
    owners: dict[str, set[str]] = defaultdict(set)
    own_name: dict[str, str] = {}
    for name, term in stated:
        own = name_of(term)
        own_name[own] = term
        if name != own:
            owners[name].add(term)
    for name, holders in sorted(owners.items()):
        others = holders - {own_name.get(name, "")}
        if name in own_name and len(others) == 1:
            yield own_name[name], others.pop()


def _by_spelling(terms: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Terms whose names are one name in different spelling; capitals count: they tell names from words."""
    spelled: dict[str, str] = {}
    for term in terms:
        name = name_of(term)
        is_capital = "A" if name[:1].isupper() else "a"
        key = is_capital + " ".join(inverted(plain(name)))
        yield spelled.setdefault(key, term), term


def _by_abbreviation(terms: Iterable[str], lex: Lexicon) -> Iterator[tuple[str, str]]:
    """People one of whose names spells out the other, where only one fuller name fits."""
    people: dict[str, list[tuple[list[str], str]]] = defaultdict(list)
    for term in terms:
        words = plain(name_of(term))
        if len(words) > 1 and form_label(name_of(term).split(), lex) in {"PERSON", ""}:
            people[words[-1]].append((words, term))
    for namesakes in people.values():
        for words, term in namesakes:
            fuller = [other for other in namesakes if other[1] != term and _is_fuller(words, other[0], lex)]
            if fuller and all(same_person(fuller[0][0], other[0], lex.given_names) for other in fuller[1:]):
                yield term, fuller[0][1]


def _by_part(terms: Iterable[str], lex: Lexicon) -> Iterator[tuple[str, str]]:
    """Awards called by the end of their name ("Planck Medal"), where only one longer name ends so."""
    awards = [(plain(name_of(term)), term) for term in terms if form_label(name_of(term).split(), lex) == "AWARD"]
    by_end: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for words, term in awards:
        for place in range(1, len(words) - 1):
            by_end[tuple(words[place:])].append(term)
    for words, term in awards:
        longer = by_end.get(tuple(words), [])
        if len(longer) == 1:
            yield term, longer[0]


def _is_fuller(words: list[str], other: list[str], lex: Lexicon) -> bool:
    looks_personal = any(word in lex.given_names or word.endswith(".") for word in (words[0], other[0]))
    longer = (len(other), sum(map(len, other))) > (len(words), sum(map(len, words)))
    return looks_personal and longer and same_person(words, other, lex.given_names)

"""Open relations: what a sentence itself says that joins two mentions, as the relation's text.

Verbs: "X lived in Y" gives (X, live in, Y), "X was founded by Y" (X, founded by, Y), "X has its seat in Y" (X, have
seat in, Y). Nouns: "X is the capital of Y" and "Y's capital X" give (X, capital of, Y). Names alone: "X in Y" gives
(X, in, Y). Numbers can be their tails. After Fader and others (2011) and Angeli and others (2015), over our own parses.
They are relations of their own, apart from all that have a name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kgqa.ids import open_relation_iri
from kgqa.text import clauses
from kgqa.text.assertion import doubt, excluded
from kgqa.text.fillers import Fillers
from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import XSD, Spot, make_spot
from kgqa.text.nlp import Parse
from kgqa.text.patterns import TYPES, Relation
from kgqa.text.relations import Candidate

SOURCE = "open"
_NAMED = TYPES - {"YEAR", "SCIENCE"}
_ANY = TYPES - {"YEAR"}
"""With SCIENCE among them a noun phrase that is no name can fill a place."""
_VERB, _NOUN, _BETWEEN, _ORDER = 0.6, 0.7, 0.4, 0.3
"""Priors that what is read so is stated, by what says it."""
_FEW = 5
"""Words between two mentions that may join them by their order alone."""
_EMPTY = frozenset({"DET", "AUX", "ADV", "PRON", "PART", "PUNCT", "SPACE"})
_NUMBER = re.compile(r"\d{1,3}(,\d{3})*(\.\d+)?|\d+(\.\d+)?")
_UNITS = frozenset({
    "m", "metre", "metres", "meter", "meters", "km", "kilometre", "kilometres", "kilometer", "kilometers", "feet", "ft",
    "miles", "mile", "inches", "mm", "cm", "kg", "kilograms", "tonnes", "people", "inhabitants",
})  # fmt: skip
_SUBJECTS = frozenset({"nsubj", "nsubj:pass", "nsubj:outer"})
_OBLIQUE = frozenset({"obl", "nmod", "obl:agent", "obl:tmod", "obl:unmarked", "nmod:unmarked"})


@dataclass(frozen=True, slots=True)
class OpenRelation(Relation):
    """A relation whose text is all that is known of it."""

    @property
    def iri(self) -> str:
        """In the namespace of open relations."""
        return open_relation_iri(self.text)


def _relation(text: str) -> OpenRelation:
    return OpenRelation(text, text, _ANY, _ANY, False, ())


def candidates(parse: Parse, text: str, spots: Sequence[Spot], lex: Lexicon) -> list[Candidate]:
    """The open candidates of one paragraph of the document `text`: by arcs in the order of what says them, then those
    that only the order of words gives."""
    found = list(_by_arcs(parse, text, spots, lex))
    joined = {frozenset((id(one.head), id(one.tail))) for one in found}
    return found + [one for one in _by_order(parse, spots) if frozenset((id(one.head), id(one.tail))) not in joined]


def _by_arcs(parse: Parse, text: str, spots: Sequence[Spot], lex: Lexicon) -> Iterator[Candidate]:
    fillers = Fillers(parse, text, [*spots, *_numbers(parse, text, spots)], lex)
    for token, pos in enumerate(parse.pos):
        spot = fillers.at.get(token)
        if spot is not None and spot.kind in {"name", "value"}:
            if token == spot.head and spot.kind == "name":
                yield from _of_name(parse, spot, fillers)
        elif pos == "VERB":
            yield from _of_verb(parse, token, fillers)
        elif pos == "NOUN":
            yield from _of_noun(parse, token, fillers)


def _numbers(parse: Parse, text: str, spots: Sequence[Spot]) -> Iterator[Spot]:
    """Numbers in digits that stand in no mention, each with the unit after it."""
    taken = {token for spot in spots for token in range(spot.start, spot.end)}
    for token, word in enumerate(parse.words):
        if token not in taken and _NUMBER.fullmatch(word):
            has_unit = token + 1 < len(parse.words) and parse.lower[token + 1] in _UNITS
            spot = make_spot(parse, text, token, token + 1 + has_unit, "value", "NUMBER")
            spot.literal = f'"{word.replace(",", "")}"^^<{XSD}decimal>'
            yield spot


def _made(
    parse: Parse, trigger: int, text: str, ends: tuple[Sequence[Spot], Sequence[Spot]], prior: float
) -> Iterator[Candidate]:
    reason = doubt(parse, trigger)
    for head in ends[0]:
        for tail in ends[1]:
            if head is not tail and head.kind != "value":
                left_out = any(excluded(parse, end.start) for end in (head, tail))
                yield Candidate(_relation(text), SOURCE, head, tail, prior, reason or "negation" * left_out)


def _by_order(parse: Parse, spots: Sequence[Spot]) -> Iterator[Candidate]:
    """A name that opens a sentence, and the next mention, with a few words between: where the parse is wrong."""
    for left, right in pairwise(spots):
        first = parse.sentences[left.sentence][0]
        opens = all(pos in {"DET", "PUNCT"} for pos in parse.pos[first : left.start])
        between = range(left.end, right.start)
        if left.kind != "name" or left.sentence != right.sentence or not opens or not 0 < len(between) <= _FEW:
            continue
        said = [token for token in between if parse.pos[token] not in _EMPTY]
        is_plain = not any(parse.pos[token] in {"PUNCT", "CCONJ"} for token in between)
        if is_plain and any(parse.pos[token] in {"VERB", "NOUN"} for token in said):
            words = " ".join(parse.lower[token] for token in said)
            yield from _made(parse, said[0], words, ([left], [right]), _ORDER)


def _of_verb(parse: Parse, verb: int, fillers: Fillers) -> Iterator[Candidate]:
    """What a clause's subject does to its object, and where, when, with whom."""
    subjects, trust = fillers.fill(clauses.subjects(parse, verb), _NAMED)
    if not subjects:
        return
    passive = clauses.voice(parse, verb) != "active"
    word = parse.lower[verb] if passive else parse.lemmas[verb].lower()
    word = " ".join([word, *(parse.lower[child] for child in parse.with_dep(verb, "compound:prt"))])
    for thing in [] if passive else parse.with_dep(verb, "obj"):
        if found := _fill(fillers, thing, _ANY):
            yield from _made(parse, verb, word, (subjects, found), _VERB * trust)
        if fillers.at.get(thing) is None:
            for preposition, place in _phrases(parse, thing):
                phrase = f"{word} {parse.lower[thing]} {preposition}"
                yield from _made(parse, verb, phrase, (subjects, _fill(fillers, place, _ANY)), _VERB * trust)
    for preposition, place in _phrases(parse, verb):
        phrase = f"{word} {preposition}".strip()
        yield from _made(parse, verb, phrase, (subjects, _fill(fillers, place, _ANY)), _VERB * trust)


def _of_noun(parse: Parse, noun: int, fillers: Fillers) -> Iterator[Candidate]:
    """Whose or of what something is the noun; a number is always the noun's value: "its LENGTH is 20 m"."""
    called, trust = fillers.fill(clauses.denoted(parse, noun), _ANY) if parse.deps[noun] != "obj" else ([], 0.0)
    if not called:
        return
    name = _noun_phrase(parse, noun)
    owners = [("of", owner) for owner in (*clauses.owners(parse, noun)[0], *_named_before(parse, noun, fillers))]
    if parse.deps[noun] in _SUBJECTS:  # "Ulm, WHERE the mayor is"
        owners += [("of", child) for child in parse.children[parse.heads[noun]] if parse.lower[child] == "where"]
    for preposition, place in (*owners, *_phrases(parse, noun)):
        others = _fill(fillers, place, _NAMED)
        values = [spot for spot in called if spot.kind == "value"]
        yield from _made(parse, noun, name, (others, values), _NOUN * trust)
        named = [spot for spot in called if spot.kind != "value"]
        yield from _made(parse, noun, f"{name} {preposition}", (named, others), _NOUN * trust)


def _of_name(parse: Parse, spot: Spot, fillers: Fillers) -> Iterator[Candidate]:
    """A name and what a preposition joins to it."""
    for preposition, place in _phrases(parse, spot.head):
        if spot.end <= place:
            yield from _made(parse, spot.head, preposition, ([spot], _fill(fillers, place, _NAMED)), _BETWEEN)
    if parse.with_dep(spot.head, "cop"):
        for mark in parse.with_dep(spot.head, "case"):
            subjects, trust = fillers.fill(clauses.subjects(parse, spot.head)[:1], _NAMED)
            yield from _made(parse, spot.head, parse.lower[mark], (subjects, [spot]), _BETWEEN * trust)


def _phrases(parse: Parse, token: int) -> Iterator[tuple[str, int]]:
    """The prepositional phrases of a word: (preposition, its noun); a date may do without a preposition."""
    for child in parse.children[token]:
        if parse.deps[child] in _OBLIQUE:
            marks = [parse.lower[mark] for mark in parse.with_dep(child, "case") if mark < child]
            if marks:
                yield " ".join(marks), child
            elif parse.deps[child].endswith((":tmod", ":unmarked")):
                yield "on", child


def _fill(fillers: Fillers, token: int, types: frozenset[str]) -> list[Spot]:
    return fillers.fill([[token]], types)[0]


def _named_before(parse: Parse, noun: int, fillers: Fillers) -> list[int]:
    """ "The OSLO airport": a name that is part of the noun."""
    return [child for child in parse.with_dep(noun, "compound", "nmod:unmarked", "nmod:desc") if fillers.at.get(child)]


def _noun_phrase(parse: Parse, noun: int) -> str:
    """The noun with the nouns and adjectives before it that belong to it: "prime minister"."""
    start = noun
    while start > 0 and parse.deps[start - 1] in {"compound", "amod"} and parse.pos[start - 1] in {"NOUN", "ADJ"}:
        start -= 1
    return " ".join([*parse.lower[start:noun], parse.lemmas[noun].lower()])

"""What a conversation speaks of, and how well the words that refer to it fit: kind, number, gender.

Kinds are what was asked for when something was found ("who": a person), or what its name says; genders are those of
given names, of nouns ("her husband") and of the pronouns that were used before. What is not known fits everything.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from kgqa.text.lexicon import lexicon
from kgqa.types import Candidate, Span, Topic

PERSON, PLACE, TIME, THING, INSTITUTION = "person", "place", "time", "thing", "institution"

_OF_OTHER_NUMBER = 0.3
_OF_OTHER_GENDER = 0.1
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Referent:
    """Entities that a conversation has spoken of, together."""

    name: str
    terms: tuple[str, ...]
    texts: tuple[str, ...]
    kind: str
    """What was asked for when they were the answer, or what their names say; empty where nobody knows."""
    turn: int
    """Where they were spoken of last,"""
    since: int = 0
    """and how many things were spoken of before they first were."""
    gender: str = ""
    """f or m where the name or a pronoun says so."""
    found: bool = False
    """They were an answer; else a question named them."""


Weighted = Sequence[tuple[Referent, float]]
"""What may be referred to, the likeliest first."""

_ASKED = (
    (PERSON, re.compile(r"\b(?:who|whom|whose)\b", re.I)),
    (TIME, re.compile(r"\b(?:when|years?|date)\b", re.I)),
    (PLACE, re.compile(r"\bwhere\b", re.I)),
    (THING, re.compile(r"\b(?:what|which)\b(?:\s+(?P<noun>[a-z]+))?", re.I)),
)
_NO_NOUNS = frozenset(("of", "one", "ones"))


def kind_asked(text: str) -> str:
    """What a question asks for: a person, a place, a time, a thing; empty where it asks for some of several."""
    found = [(match.start(), kind, match) for kind, pattern in _ASKED if (match := pattern.search(text))]
    if not found:
        return ""
    _, kind, match = min(found, key=lambda one: one[:2])
    noun = match["noun"] if kind == THING else None
    if noun is None:
        return kind
    return "" if noun.lower() in _NO_NOUNS else of_noun(noun).kind or THING


class Sense(NamedTuple):
    """What a word says of what it stands for; empty: nothing."""

    kind: str = ""
    gender: str = ""
    several: bool = False


_PRONOUNS = {
    "he": "m", "him": "m", "his": "m", "himself": "m", "she": "f", "her": "f", "hers": "f", "herself": "f",
}  # fmt: skip
_KIND_OF_LABEL = {"PERSON": PERSON, "LOC": PLACE, "ORG": INSTITUTION}
_TIMES, _PEOPLE = frozenset(("year", "date", "day", "time")), frozenset(("people", "persons"))


def of_noun(noun: str) -> Sense:
    """What a common noun says: "cities" are several places, "that man" is one person."""
    word, lex = noun.lower(), lexicon()
    if word in _PEOPLE:
        return Sense(PERSON, several=True)
    singular = word if word in lex.noun_label else re.sub(r"(?<=\w\w)s$", "", re.sub(r"ies$", "y", word))
    several = singular != word or lex.gender.get(word) == "p"
    if singular in _TIMES:
        return Sense(TIME, several=several)
    label = lex.noun_label.get(singular)
    if label is None:
        return Sense(several=several)
    gender = lex.gender.get(singular, "")
    return Sense(_KIND_OF_LABEL.get(label, THING), gender if gender in ("f", "m") else "", several)


def of_name(name: str) -> Sense:
    """What a name says: given names tell people and their gender."""
    words, lex = name.split(), lexicon()
    if name in lex.countries:
        return Sense(PLACE)
    if not lex.name_words["ORG"].isdisjoint(word.lower() for word in words):
        return Sense(INSTITUTION)
    if name.lower() in lex.concepts or not lex.name_words["AWARD"].isdisjoint(word.lower() for word in words):
        return Sense(THING)
    first = words[0].lower() if len(words) > 1 else ""
    if first in lex.given_names and first not in lex.also_places:
        gender = lex.gender.get(first, "")
        return Sense(PERSON, gender if gender in ("f", "m") else "")
    return Sense()


def of_names(names: Sequence[str]) -> Sense:
    """What the names of a set say, where what some say is said by no other otherwise."""
    if len(names) == 1:
        return of_name(names[0])
    kinds = {sense.kind for sense in map(of_name, names)} - {""}
    return Sense(kinds.pop() if len(kinds) == 1 else "", several=True)


def gender_said(text: str) -> str:
    """The gender of the pronoun that a text has; empty for none, or both."""
    found = {_PRONOUNS[word] for word in re.findall(r"\w+", text.lower()) if word in _PRONOUNS}
    return found.pop() if len(found) == 1 else ""


@lru_cache(maxsize=1)
def _gendered() -> "re.Pattern[str]":
    nouns = (word for word, gender in lexicon().gender.items() if gender in "fm" and word in lexicon().noun_label)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, nouns))})(?!\w)", re.I)


def gender_asked(text: str) -> str:
    """The gender of who is asked for: m for somebody's husband."""
    found = _gendered().search(text) if kind_asked(text) in (PERSON, "") else None
    return of_noun(found[0]).gender if found else ""


_FITS: Mapping[str, Mapping[str, float]] = {
    "person": {PERSON: 1.0, "": 0.9, PLACE: 0.05, TIME: 0.02, THING: 0.2, INSTITUTION: 0.02},
    "thing": {PERSON: 0.1, "": 0.9, PLACE: 0.6, TIME: 0.1, THING: 1.0, INSTITUTION: 1.0},
    "place": {PERSON: 0.05, "": 0.5, PLACE: 1.0, TIME: 0.05, THING: 0.2, INSTITUTION: 1.0},
    "time": {PERSON: 0.02, "": 0.3, PLACE: 0.02, TIME: 1.0, THING: 0.1, INSTITUTION: 0.02},
    "many": {PERSON: 1.0, "": 0.8, PLACE: 0.4, TIME: 0.2, THING: 0.9, INSTITUTION: 0.8},
    "any": {PERSON: 0.2, "": 0.7, PLACE: 1.0, TIME: 0.5, THING: 1.0, INSTITUTION: 1.0},
}
"""How well a pronoun fits what was asked for when its referent was found."""

_ROLE_OF_KIND = {PERSON: "person", PLACE: "place", TIME: "time", THING: "thing", INSTITUTION: "place"}


def fit(mention: "re.Match[str]", referent: Referent) -> float:
    """How well a referring expression fits what it may stand for, in [0, 1] (kgqa.answer.referring.MENTION)."""
    role, several = str(mention.lastgroup), len(referent.terms) > 1
    if role in ("ordinal", "pair"):
        return 1.0
    sense = of_noun(mention[0].split()[-1]) if role == "noun" else Sense(gender=gender_said(mention[0]))
    if role == "noun":
        role = _ROLE_OF_KIND.get(sense.kind, "noun")
        right_number = several == sense.several
    else:
        right_number = several if role == "many" else not several if role in ("person", "thing") else True
    weight = _FITS[role].get(referent.kind, 0.5) if role in _FITS else 1.0
    if sense.gender and referent.gender and sense.gender != referent.gender and not several:
        weight = _OF_OTHER_GENDER
    return weight * (1.0 if right_number else _OF_OTHER_NUMBER)


def as_topic(referent: Referent, span: Span) -> Topic:
    """A topic that stands for all of a referent's entities."""
    pairs = zip(referent.terms, referent.texts, strict=True)
    return Topic(shown(referent.texts), span, tuple(Candidate(text, term, 1.0) for term, text in pairs), together=True)


def as_referent(topic: Topic, *, name: str = "", turn: int = 0) -> Referent:
    """What a topic stands for."""
    best = topic.candidates if topic.together else topic.candidates[:1]
    texts = tuple(candidate.text for candidate in best)
    sense = of_names(texts)
    return Referent(name, tuple(candidate.iri for candidate in best), texts, sense.kind, turn, gender=sense.gender)


def shown(texts: Sequence[str]) -> str:
    """Several names in a sentence."""
    if len(texts) > _SHOWN:
        return f"{', '.join(texts[: _SHOWN - 1])} and {len(texts) - _SHOWN + 1} others"
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)

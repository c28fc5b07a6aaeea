"""An evidence path as one sentence: "Otto Hahn was educated at the University of Marburg, which is located in Hesse."

What a relation is called tells by its words how it is said:

    wrote, is part of, died in     a verb             X wrote Y
    born in, written by            a participle       X was born in Y
    student of, in the country     what X is          X is a student of Y
    release year, has genre        a noun             the release year of X is Y

A fact whose head was named last follows as a relative clause; any other is told in full, so that nothing is said of the
wrong one. The word lists are written by hand; what they do not know is taken for a noun.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from kgqa.types import Step


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PREPOSITIONS = _words("of in at by to for from with on after before under near as into about through during over")
_BEING = _words("is was are were")
_ARTICLES = _words("a an the")
_STATES = _words("located situated based buried named known called headquartered married related")
"""Participles of what lasts."""
_WITHOUT_OBJECT = _words(
    "died worked collaborated studied lived taught served played graduated moved travelled retired acted appeared "
    "competed participated fought resided belonged lectured emigrated starred"
)
"""Verbs that are active in the past before a preposition: a teacher `worked at`, but was `educated at`."""
_PARTICIPLES = _words("born written made built led won held given taken sung shown spoken set sold found told known")
_VERBS = _words(
    "wrote won taught led made built held met sang sold gave said saw became began bore fought knew left lost ran "
    "spoke took knows likes teaches contains includes borders causes treats employs owns uses produces plays speaks"
)
"""Verbs that do not show by an -ed what they are."""
_NOUNS_IN_ED = _words("speed seed breed need feed bed weed deed")
_ONE_OF_A_KIND = _words("spouse husband wife mother father capital author head president king queen founder successor")
_MANY = _words("children people men women")
_SINGULAR_IN_S = _words("series species news gas lens")
_OF_PEOPLE = _words(
    "born died educated studied graduated student pupil teacher taught spouse husband wife married child children "
    "parent parents son daughter father mother sibling brother sister worked lived wrote discovered invented directed "
    "collaborated acted sang painted composed said nationality profession occupation gender religion ethnicity knows"
)
"""A fact with such a word is about a person, who is a "who"."""
_OF_THE_KIND = re.compile(
    r"(University|Institute|Academy|College|School|Kingdom|Republic|Battle|Duchy|Museum|Ministry|Bank|House) of\b"
)


class Saying(NamedTuple):
    """How a relation is said."""

    text: str
    """A predicate ("was born in"), or a noun ("release year")."""
    is_noun: bool
    is_plural: bool
    pronoun: str
    """Of a head in a relative clause."""


def explain(path: Sequence[Step], text_of: Callable[[str], str]) -> str:
    """The sentence of a path; empty for an empty one."""
    sentence, named_last = "", ""
    for step in path:
        said = saying(text_of(step.relation))
        tail = _name(text_of(step.tail))
        if sentence and step.head == named_last:
            sentence += f", {_relative(said)} {tail}"
        else:
            sentence += f"{', and ' if sentence else ''}{_clause(said, _name(text_of(step.head)))} {tail}"
        named_last = step.tail
    return sentence[:1].upper() + sentence[1:] + ("." if sentence and not sentence.endswith(".") else "")


@lru_cache(1 << 12)
def saying(relation: str) -> Saying:
    """How the relation of that text is said."""
    words = relation.split()
    lower = [word.lower() for word in words] or [""]
    pronoun = "who" if _OF_PEOPLE & set(lower) else "which"
    if predicate := _predicate(words, lower):
        return Saying(predicate, False, False, pronoun)
    nouns = words[lower[0] in ("has", "have") and len(words) > 1 :]
    nouns = nouns[nouns[:1] != [] and nouns[0].lower() in _ARTICLES and len(nouns) > 1 :]
    return Saying(" ".join(nouns), True, _is_plural(lower), pronoun)


def _predicate(words: Sequence[str], lower: Sequence[str]) -> str:
    """What is said of the head before the tail is named; empty where the relation is a noun."""
    text, first = " ".join(words), lower[0]
    followed = len(lower) > 1 and lower[1] in _PREPOSITIONS
    if first in _BEING or first in _VERBS or lower == ["has"]:
        return text
    if first in _PREPOSITIONS:
        return f"is {first} the {' '.join(words[1:])}" if len(words) == 2 else f"is {text}"
    if followed and first in _WITHOUT_OBJECT:
        return text
    if followed and (first in _PARTICIPLES or _is_past(first)):
        return f"{'is' if first in _STATES else 'was'} {text}"
    if len(lower) > 1 and lower[-1] in _PREPOSITIONS:
        return f"is {_article(first)}{text}"
    return text if len(lower) == 1 and _is_past(first) else ""


def _is_past(word: str) -> bool:
    return word.endswith("ed") and word not in _NOUNS_IN_ED


def _article(noun: str) -> str:
    if noun == "part" or noun in _ARTICLES:
        return ""
    return "the " if noun in _ONE_OF_A_KIND else "an " if noun[:1] in "aeiou" else "a "


def _is_plural(lower: Sequence[str]) -> bool:
    """Whether a noun, the last word or the one before "of", is of several."""
    noun = lower[lower.index("of") - 1] if "of" in lower[1:] else lower[-1]
    return noun in _MANY or (
        noun.endswith("s") and not noun.endswith(("ss", "us", "is", "ics")) and noun not in _SINGULAR_IN_S
    )


def _clause(said: Saying, head: str) -> str:
    if not said.is_noun:
        return f"{head} {said.text}"
    return f"{'one of ' if said.is_plural else ''}the {said.text} of {head} is"


def _relative(said: Saying) -> str:
    if not said.is_noun:
        return f"{said.pronoun} {said.text}"
    return f"{'one of ' if said.is_plural else ''}whose {said.text} is"


@lru_cache(1 << 14)
def _name(text: str) -> str:
    """A name inside a sentence: on one line, and "the University of X"."""
    name = " ".join(text.split())
    return f"the {name}" if _OF_THE_KIND.match(name) else name

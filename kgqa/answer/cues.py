"""Words by which a question asks for an operation, as data: closed classes of English, none of a data set's phrases."""

import re
from typing import NamedTuple

from kgqa.graph.values import Kind
from kgqa.types import Question, Topic


class Cue(NamedTuple):
    """What a comparative or a superlative compares by."""

    smallest: bool
    """The smallest value is meant: the oldest has the earliest date."""
    kind: Kind
    hint: str
    """Words that relations with such values are made of."""


_LIFE = "born founded established created built released published"
_LINES = f"""
    first earliest earlier soonest sooner       | smallest date   |
    last latest later newest newer              | largest date    |
    oldest older eldest elder                   | smallest date   | {_LIFE}
    youngest younger                            | largest date    | {_LIFE}
    largest biggest greatest larger bigger      | largest number  | size area population
    smallest smaller littlest                   | smallest number | size area population
    longest longer                              | largest number  | length duration
    shortest shorter                            | smallest number | length duration height
    tallest taller highest higher               | largest number  | height elevation
    lowest lower                                | smallest number | height elevation
    heaviest heavier                            | largest number  | weight mass
    lightest lighter                            | smallest number | weight mass
    fastest faster                              | largest number  | speed
    slowest slower                              | smallest number | speed
    richest richer                              | largest number  | worth wealth
    cheapest cheaper                            | smallest number | price cost
    deepest deeper                              | largest number  | depth
"""


def _read(lines: str) -> dict[str, Cue]:
    cues: dict[str, Cue] = {}
    for line in filter(str.strip, lines.splitlines()):
        words, sense, hint = line.split("|")
        extreme, kind = sense.split()
        found = Cue(extreme == "smallest", "date" if kind == "date" else "number", hint.strip())
        cues |= dict.fromkeys(words.split(), found)
    return cues


CUES = _read(_LINES)
"""Comparatives and superlatives."""

_SUPERLATIVES = "|".join(word for word in CUES if word.endswith("st") and word not in ("first", "last"))
_ALL = "|".join(CUES)

_NO_HINTS = """
    the a an of in at by on for to from with and or who whom whose what which when where was is were are be been has
    have had do did does year years date time it its he she they them their his her that this those these more most than
"""
NO_HINTS = frozenset(_NO_HINTS.split())
"""Words that say nothing of what is compared."""

AUXILIARY = "is|was|are|were|does|do|did|has|have|had"
WH = "who|whom|whose|what|which|where|when|why|how"
_ARTICLES = "the|a|an"
_PREPOSITIONS = "in|at|of|by|from|with|to|for|on|under|as|into|near"

ARTICLES_AND_PREPOSITIONS = re.compile(rf"(?:(?:{_ARTICLES}|{_PREPOSITIONS})\s+)*", re.I)

COUNT = re.compile(
    rf"^\W*(?:(?:and|so|but|then)\s+)?(?P<prep>(?:{_PREPOSITIONS})\s+)?"
    r"(?:how\s+many(?!\s+(?:years?|times|days?|months?|percent)\b)|(?:what\s+(?:is|was)\s+)?the\s+number\s+of|count(?:\s+of)?)\b"
    r"(?P<of>\s+of\b)?",
    re.I,
)
UNIT = re.compile(
    r"\s+(?:pages?|(?:(?:kilo|centi|milli)?(?:met(?:re|er)|gram(?:me)?)|mile|inche?|pound|ton(?:ne)?|lit(?:re|er)|gallon"
    r"|degree|hour|minute|second|euro|dollar|calorie|watt|volt|hectare|acre)s?|feet|foot)\b",
    re.I,
)
"""What is measured and not counted: after "how many" it asks for a number that a fact has."""
ASK = re.compile(rf"^\W*(?:(?:and|so|but|then)\s+)?(?P<auxiliary>{AUXILIARY})\s+(?P<article>(?:{_ARTICLES})\s+)?", re.I)
ASKS_WHICH = re.compile(rf"\b(?:{WH})\b", re.I)
WHEN = re.compile(r"^\W*(?:(?:and|so|but|then)\s+)?(?:when|(?:(?:in|since|until)\s+)?(?:what|which)\s+years?)\b", re.I)
TWO = re.compile(rf"^,?\s*(?:or|and)\s+(?:(?:{_ARTICLES}|{_PREPOSITIONS})\s+)*$", re.I)
"""Between two names of which one is to be chosen."""
COMPARATIVE = re.compile(rf"\b(?P<cue>{_ALL})\b", re.I)
SUPERLATIVE = re.compile(
    rf"(?:\bthe\s+)?\b(?<!at the )(?P<cue>{_SUPERLATIVES}|most\s+recent(?:ly)?)\b(?:\s+of\b)?"
    r"|\b(?P<end>first|last)(?=[\s?.!]*$)",
    re.I,
)
THAN = re.compile(rf"\b(?:(?P<cue>{_ALL})\s+than|(?P<before>before|prior\s+to)|(?P<after>after))\b", re.I)
NOT = re.compile(
    rf"\b(?:(?:but|and|who|which|that)\s+)*(?P<auxiliary>{AUXILIARY})(?:\s+not|n['’]t|\s+never)\b"
    r"|\b(?:(?:but|and|who|which|that)\s+)+(?:not|never)\b",
    re.I,
)
EXCEPT = re.compile(r"\b(?:except(?:\s+for)?|other\s+than|apart\s+from|excluding|but\s+not)\b", re.I)
AMONG = re.compile(
    r"^\W*(?:(?:and|so|but|then)\s+)?(?:(?:which|who|what|any\w*|one|some)\s+)?(?:(?:ones?|two)\s+)?(?:of|among)\s+",
    re.I,
)
"""What stands before those of whom some are asked for."""
TELLING = re.compile(r"\b(?!(?:is|are|was|were|one|ones|it|that|there|the)\b)\w+", re.I)
"""A word that says something of them."""
OR, AND = (re.compile(rf"\b{word}\s+(?:(?:who|which|that)\s+)?", re.I) for word in ("or", "and"))

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def _date(name: str) -> str:
    """A pattern for a date, with a group `name` for all of it."""
    return rf"(?P<{name}>(?:(?:\d{{1,2}}\s+)?(?:{'|'.join(_MONTHS)})[a-z]*\.?\s+)?\d{{4}}(?:-\d\d(?:-\d\d)?)?)(?!\w)"


DATES = re.compile(
    r"\b(?:(?P<side>(?:in\s+or\s+)?before|(?:in\s+or\s+)?after|earlier\s+than|later\s+than|prior\s+to|since|until|up\s+to)"
    rf"\s+(?:the\s+year\s+)?{_date('date')}|(?:between|from)\s+{_date('first')}\s+(?:and|to|until)\s+{_date('last')}"
    r"|(?:in|during)\s+the\s+(?P<decade>\d{3}0)['’]?s\b)",
    re.I,
)
"""A time: before 1900, since May 1904, between 1900 and 1910, in the 1920s."""
NUMBERS = re.compile(
    r"\b(?:with\s+|of\s+)?(?P<side>more\s+than|over|above|at\s+least|less\s+than|fewer\s+than|under|below|at\s+most)\s+"
    r"(?P<number>\d{1,15}(?:[.,]\d+)*)(?!\w)",
    re.I,
)


_JOINED = r"(?:related|connected|linked|tied)"
_RELATION = r"(?:relation(?:ship)?|connection|link|tie)s?"
_RELATED = [
    tuple(re.compile(part, re.I) for part in parts)
    for parts in (
        (r"(?:what|who)\s+(?:is|was)", r"to", r""),
        (r"how\s+(?:is|are|was|were)", rf"(?:{_JOINED})\s+(?:to|with)", r""),
        (r"how\s+(?:is|are|was|were)", r"and", rf"{_JOINED}(?:\s+(?:to|with)\s+(?:each\s+other|one\s+another))?"),
        (rf"(?:what|which)\s+(?:is|are|was|were)\s+the\s+{_RELATION}\s+(?:between|of)", r"(?:and|to|with)", r""),
    )
]
"""What stands before, between and after two names of which is asked what they are to each other."""


def asked_to_each_other(question: Question) -> tuple[Topic, Topic] | None:
    """The two of "what is X to Y?" and "how are X and Y related?"."""
    if len(question.topics) != 2:
        return None
    one, other = question.topics
    text = question.text
    before = re.sub(r"^\W*(?:and|so|but|then)\s+", "", text[: one.span[0]], flags=re.I)
    parts = before, text[one.span[1] : other.span[0]], text[other.span[1] :]
    said = [re.sub(rf"\s+(?:{_ARTICLES})$", "", part.strip(" ,.?!"), flags=re.I) for part in parts]
    for expected in _RELATED:
        if all(pattern.fullmatch(part) for pattern, part in zip(expected, said, strict=True)):
            return one, other
    return None


def asked_among(question: Question) -> Topic | None:
    """Those of whom some are asked for: "which of these won Y?"."""
    cue = AMONG.match(question.text)
    if not cue or not question.topics:
        return None
    between = question.text[cue.end() : question.topics[0].span[0]]
    return question.topics[0] if between.strip().lower() in ("", "the") else None


def read_date(text: str) -> tuple[int, int, int]:
    """Year, month and day of what `DATES` found; 0 for what is not said."""
    year, *rest = (int(part) for part in re.findall(r"\d{4}(?:-\d\d(?:-\d\d)?)?", text)[0].split("-"))
    named = re.match(r"(?:(\d{1,2})\s+)?([a-z]{3})", text, re.I)
    if named:
        return year, _MONTHS.index(named[2].lower()) + 1, int(named[1] or 0)
    return year, rest[0] if rest else 0, rest[1] if len(rest) > 1 else 0

"""Everything in a paragraph that can fill a place in a fact: names, values, pronouns, and (on demand) noun phrases.

Names come from three sources that correct each other: the pipeline's NER, the form of the words (a missed name is a
lost fact), and the names that the document uses elsewhere. The longest wins; within a document a name has one label.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kgqa.text.lexicon import Lexicon
from kgqa.text.names import Chunk, chunks, form_label, is_common
from kgqa.text.nlp import Parse, readable
from kgqa.types import Span

XSD = "http://www.w3.org/2001/XMLSchema#"
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_MONTH = f"({'|'.join(_MONTHS)})"
_DATES = re.compile(
    rf"\b(?:(?P<d1>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m1>{_MONTH}),? (?P<y1>\d{{4}})"
    rf"|(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y2>\d{{4}})"
    rf"|(?P<m3>{_MONTH}),? (?:of )?(?P<y3>\d{{4}})"
    r"|(?P<y4>1\d{3}|20\d{2}))(?![\d'’]|s\b|-\d{1,3}(?!\d)|,\d{3})(?! (?:metres|kilometres|miles|people|kg|volumes)\b)"
)
_PRONOUNS = {
    "he": "m", "him": "m", "his": "m", "she": "f", "her": "f", "hers": "f", "it": "n", "its": "n",
    "they": "p", "them": "p", "their": "p", "theirs": "p",
}  # fmt: skip
_ENDS_NO_NAME = frozenset({"PUNCT", "ADP", "AUX", "DET", "SPACE"})
_RELATIVES = frozenset({"who", "whom", "whose", "which", "that", "where"})


@dataclass(slots=True)
class Spot:
    """A filler: the tokens [start, end) of one paragraph, what they are, and where in the document they stand."""

    start: int
    end: int
    head: int
    kind: str
    """name | value | pronoun | relative | description | concept"""
    label: str
    """One of nlp.LABELS, DATE, or "" where it depends on what it stands for."""
    sentence: int
    span: Span
    text: str
    literal: str = ""
    """For values: the N-Triples literal."""
    gender: str = ""
    """m, f, n (a thing), p (several), "" unknown."""
    sure: bool = True
    """Whether more than a recogniser's single guess stands behind the label."""


def find_spots(parse: Parse, text: str, lex: Lexicon) -> list[Spot]:
    """Names, values and pronouns of a paragraph of the document `text`, in order, not overlapping."""
    spots = _values(parse, text)
    taken = {token for spot in spots for token in range(spot.start, spot.end)}
    for start, end, label in _names(parse, lex):
        is_blank = not "".join(parse.words[start:end]).strip()
        if not is_blank and not taken.intersection(range(start, end)):
            spots.append(_spot(parse, text, start, end, "name", label))
            taken.update(range(start, end))
    spots.extend(_small_names(parse, text, lex, taken))
    spots.extend(_pro_forms(parse, text, taken))
    return sorted(spots, key=lambda spot: spot.start)


def _spot(parse: Parse, text: str, start: int, end: int, kind: str, label: str, gender: str = "") -> Spot:
    span = parse.span(start, end)
    shown = " ".join(readable(text[span[0] : span[1]]).split())
    head = parse.head_of(start, end)
    return Spot(start, end, head, kind, label, parse.sentence_of[start], span, shown, "", gender)


def make_spot(parse: Parse, text: str, start: int, end: int, kind: str, label: str) -> Spot:
    """A spot for a noun phrase that fills a place without being a name: a description or a concept."""
    return _spot(parse, text, start, end, kind, label)


def literal(year: str, month: int = 0, day: int = 0) -> str:
    """The N-Triples literal of a date as exact as it is known; an impossible day or month is left out."""
    if 1 <= month <= 12 and 1 <= day <= 31:
        return f'"{year}-{month:02d}-{day:02d}"^^<{XSD}date>'
    if 1 <= month <= 12:
        return f'"{year}-{month:02d}"^^<{XSD}gYearMonth>'
    return f'"{year}"^^<{XSD}gYear>'


def _values(parse: Parse, text: str) -> list[Spot]:
    if not parse.words:
        return []
    offset, stop = parse.starts[0], parse.ends[-1]
    token_at = {place: token for token, place in enumerate(parse.starts)}
    end_at = {place: token + 1 for token, place in enumerate(parse.ends)}
    spots = []
    for match in _DATES.finditer(text.replace("\n", " "), offset, stop):
        start, end = token_at.get(match.start()), end_at.get(match.end())
        if start is None or end is None:
            continue
        part = match.groupdict()
        month = part["m1"] or part["m2"] or part["m3"]
        year = part["y1"] or part["y2"] or part["y3"] or part["y4"]
        day = int(part["d1"] or part["d2"] or 0)
        spot = _spot(parse, text, start, end, "value", "DATE")
        spot.literal = literal(year, _MONTHS.index(month) + 1 if month else 0, day)
        spots.append(spot)
    return spots


def _names(parse: Parse, lex: Lexicon) -> list[Chunk]:
    """Names by form and by NER, brought together: form decides the borders, NER the label where form does not tell."""
    by_form = chunks(parse, lex)
    entities = [entity for raw in parse.entities if (entity := _trim(parse, raw))]
    result: list[Chunk] = []
    for start, end, label in by_form:
        inside = [ner for ner in entities if ner[0] < end and start < ner[1]]
        wider = [ner for ner in inside if ner[0] <= start and end <= ner[1] and ner[1] - ner[0] > end - start]
        alone = len([other for other in by_form if wider and other[0] < wider[0][1] and wider[0][0] < other[1]]) < 2
        if wider and alone and label != "PERSON" and _trusted(parse, wider[0], lex):
            continue
        longest = max(inside, key=lambda ner: ner[1] - ner[0], default=None)
        # A span that takes in a date or a verb is a guess, and so is its label.
        clean = longest is not None and longest[0] >= start - 1 and longest[1] <= end + 1
        result.append((start, end, label or (longest[2] if longest and clean else "MISC")))
    covered = {token for start, end, _ in result for token in range(start, end)}
    for start, end, label in entities:
        if not covered.intersection(range(start, end)):
            if label == "SCIENCE":
                end = _to_noun(parse, end)
            capital = parse.words[start][:1].isupper() and not (end - start == 1 and is_common(parse, start, lex))
            if capital or label in {"SCIENCE", "AWARD", "EVENT"}:
                result.append((start, end, form_label(parse.words[start:end], lex) or label))
                covered.update(range(start, end))
    return sorted(result)


def _trim(parse: Parse, entity: Chunk) -> Chunk | None:
    start, end, label = entity
    while start < end and (
        parse.lower[start] in {"the", "a", "an", "'s"} or parse.pos[start] in {"PUNCT", "SPACE", "NUM"}
    ):
        if label == "WORK" and parse.words[start] in {"The", "A", "An"}:
            break
        start += 1
    while end > start and (
        parse.words[end - 1] in {"'s", "'"} or parse.pos[end - 1] in _ENDS_NO_NAME or _is_year(parse.words[end - 1])
    ):
        end -= 1
    has_verb = any(parse.pos[token] in {"VERB", "AUX"} and parse.words[token].islower() for token in range(*entity[:2]))
    return (start, end, label) if start < end and not has_verb else None


def _to_noun(parse: Parse, end: int) -> int:
    """The end of the noun phrase that a span ends inside of ("the DNA double| helix")."""
    head = parse.heads[end - 1]
    inside = end <= head < end + 3 and {"NOUN", "ADJ"}.issuperset(parse.pos[end : head + 1])
    return head + 1 if inside else end


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit()


def _trusted(parse: Parse, entity: Chunk, lex: Lexicon) -> bool:
    """Whether an NER span wider than the form allows is believed: only where small words link capitalised ones."""
    start, end, label = entity
    links = lex.name_links.get(label, frozenset())
    return label in {"WORK", "ORG", "EVENT"} and all(
        parse.words[token][:1].isupper() or parse.lower[token] in links or not parse.words[token].isalpha()
        for token in range(start, end)
    )


def _small_names(parse: Parse, text: str, lex: Lexicon, taken: set[int]) -> list[Spot]:
    """Things that common nouns name (elements, particles)."""
    spots = []
    for token, word in enumerate(parse.lower):
        if word in lex.concepts and token not in taken and parse.pos[token] in {"NOUN", "PROPN", "X", "ADJ"}:
            head = parse.heads[token]
            between = parse.pos[token + 1 : head + 1]
            if not (token < head < token + 4 and {"NOUN", "ADJ", "PROPN"}.issuperset(between)):  # "DNA double helix"
                spots.append(_spot(parse, text, token, token + 1, "name", "SCIENCE"))
                taken.add(token)
    return spots


def _pro_forms(parse: Parse, text: str, taken: set[int]) -> Iterable[Spot]:
    for token, word in enumerate(parse.lower):
        if token in taken:
            continue
        if word in _PRONOUNS:
            yield _spot(parse, text, token, token + 1, "pronoun", "", _PRONOUNS[word])
        elif word in _RELATIVES and _is_relative(parse, token):
            yield _spot(parse, text, token, token + 1, "relative", "LOC" if word == "where" else "")
        elif word == "there" and parse.pos[token] == "ADV":
            yield _spot(parse, text, token, token + 1, "pronoun", "LOC", "n")


def _is_relative(parse: Parse, token: int) -> bool:
    """Not a question's "who" nor a conjunction's "that": something stands before it that it can mean."""
    start, _ = parse.sentences[parse.sentence_of[token]]
    if token == start or (parse.pos[token] == "SCONJ" and parse.lower[token] == "that"):
        return False
    return parse.lower[token] != "that" or (parse.pos[token] == "PRON" and parse.deps[token] != "mark")


def add_known_names(parse: Parse, text: str, spots: list[Spot], names: dict[tuple[str, ...], str]) -> list[Spot]:
    """`spots` with every further occurrence of the document's names (token texts -> label), longest match first."""
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for name in sorted(names, key=lambda name: (-len(name), name)):
        by_first.setdefault(name[0], []).append(name)
    size_at = {
        token: spot.end - spot.start
        for spot in spots
        if spot.kind != "pronoun"
        for token in range(spot.start, spot.end)
    }
    added: list[Spot] = []
    token = 0
    while token < len(parse.words):
        match = next(
            (
                name
                for name in by_first.get(parse.words[token], ())
                if tuple(parse.words[token : token + len(name)]) == name
            ),
            None,
        )
        covered = max((size_at.get(place, 0) for place in range(token, token + len(match or ()))), default=0)
        if match is None or covered >= len(match):
            token += 1
            continue
        added.append(_spot(parse, text, token, token + len(match), "name", names[match]))
        token += len(match)
    if not added:
        return spots
    taken = {token for spot in added for token in range(spot.start, spot.end)}
    kept = [spot for spot in spots if not taken.intersection(range(spot.start, spot.end))]
    return sorted(kept + added, key=lambda spot: spot.start)

"""Names by their form: capitalised words, the small words that link them, and what kind of thing they name."""

import re

from kgqa.text.lexicon import Lexicon
from kgqa.text.nlp import Parse

Chunk = tuple[int, int, str]
"""Token range [start, end) and label, "" where the form does not tell."""

_INITIAL = re.compile(r"^(?:[A-Z]\.)+$|^[A-Z]$")
_ACRONYM = re.compile(r"^[A-Z]{3,6}$")
_DESIGNATION = re.compile(r"\w-\d+$")
_NUMERAL = re.compile(r"^(?:[IVX]+|\d+)$")
_NOT_NAMES = frozenset({
    "i", "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "ph.d.",
    "phd",
})  # fmt: skip
_ARTICLES = frozenset({"the", "a", "an", "la", "le"})
_WRITING = frozenset({"wrote", "written", "writing", "write", "published", "publish", "co-wrote", "penned"})
_ABSTRACT = ("tion", "ness", "ment")
_NAME_POS = frozenset({"PROPN", "NOUN", "ADJ", "X"})
_WORK_STARTS = frozenset({"the", "a", "an", "what", "how", "why", "on", "who", "when", "where", "in"})
_TITLE_END = 14
"""Words that a title in quotes has at most."""


def chunks(parse: Parse, lex: Lexicon) -> list[Chunk]:
    """The names of a paragraph that show by their form, in order, not overlapping."""
    found = quoted_titles(parse)
    taken = {token for start, end, _ in found for token in range(start, end)}
    token, total = 0, len(parse.words)
    while token < total:
        if token in taken or not _starts_name(parse, token, lex):
            token += 1
            continue
        end, label = _extend(parse, token, lex, taken)
        if _is_full_title(parse, token, end, label, lex):
            token, label = token - 1, "WORK"
        found.append((token, end, label))
        token = end
    named = _joined_titles(parse, sorted(found), lex)
    return [chunk for chunk in named if chunk[1] - chunk[0] > 1 or not is_common(parse, chunk[0], lex)]


def _joined_titles(parse: Parse, found: list[Chunk], lex: Lexicon) -> list[Chunk]:
    """ "Physics and Philosophy, a book ...": names that only together are a title."""
    result: list[Chunk] = []
    for start, end, label in found:
        if result and not label and not result[-1][2] and called(parse, start, end, lex) == "WORK":
            gap = parse.lower[result[-1][1] : start]
            if 0 < len(gap) < 3 and lex.name_links["WORK"].issuperset(gap):
                start, label = result.pop()[0], "WORK"
        result.append((start, end, label))
    return result


def _is_full_title(parse: Parse, start: int, end: int, label: str, lex: Lexicon) -> bool:
    """Whether a sentence's first word "The" belongs to the name: "THE Origin of Species", not "the Bohr model"."""
    if label or not start or parse.words[start - 1] != "The":
        return False
    linked = any(parse.words[token].islower() for token in range(start, end))
    return linked and parse.lower[start] not in lex.noun_label and form_label(parse.words[start:end], lex) == ""


def called(parse: Parse, start: int, end: int, lex: Lexicon) -> str:
    """The label of what a name is said to be: "X, a beautifully written BOOK", "X was the PHYSICIST who"; or ""."""
    place, limit = end, parse.sentences[parse.sentence_of[start]][1]
    if place >= limit or not (parse.words[place] == "," or parse.lower[place] in {"is", "was", "are", "were"}):
        return ""
    place += 1
    if place < limit and parse.lower[place] in {"now", "then"}:
        place += 1
    if place >= limit or parse.lower[place] not in {"a", "an", "the", "one"}:
        return ""
    label = ""
    for token in range(place + 1, min(limit, place + 7)):
        if parse.pos[token] not in {"NOUN", "ADJ", "ADV", "PROPN", "NUM", "VERB"} or (
            label and parse.pos[token] != "NOUN"
        ):
            break
        label = lex.noun_label.get(parse.lower[token], "")
    return label


def is_common(parse: Parse, token: int, lex: Lexicon) -> bool:
    """Whether a capitalised word names no entity by itself: "English", "Dutchman", a sentence's first "Recognition"."""
    word = parse.lower[token]
    if token == parse.sentences[parse.sentence_of[token]][0] and word.endswith(_ABSTRACT):
        return True
    return (
        word in _NOT_NAMES
        or word in lex.fields
        or word in lex.demonyms
        or word in lex.noun_label
        or (word in lex.concepts and parse.pos[token] != "PROPN")
    )


def quoted_titles(parse: Parse) -> list[Chunk]:
    """Titles between double quotes: short, capitalised, ending before the quote closes."""
    found: list[Chunk] = []
    opened = None
    for token, word in enumerate(parse.words):
        if word != '"':
            continue
        if opened is None:
            opened = token
            continue
        start, end = opened + 1, token
        while end > start and parse.words[end - 1] in {",", "."}:
            end -= 1
        first = parse.words[start] if start < end else ""
        is_title = first[:1].isupper() and end - start <= _TITLE_END
        if is_title and sum(word[:1].isupper() for word in parse.words[start:end]) * 2 >= end - start:
            found.append((start, end, "WORK"))
        opened = None
    return found


def _is_capital(parse: Parse, token: int) -> bool:
    return parse.words[token][:1].isupper() and parse.lower[token] not in _NOT_NAMES


def _starts_name(parse: Parse, token: int, lex: Lexicon) -> bool:
    if not _is_capital(parse, token):
        return False
    sentence_start, sentence_end = parse.sentences[parse.sentence_of[token]]
    first = token == sentence_start or parse.words[token - 1] in {'"', "(", "*"}
    has_next = token + 1 < sentence_end and _is_capital(parse, token + 1)
    if not first:
        if parse.lower[token] in _WORK_STARTS:
            return has_next and parse.words[token - 1] not in {".", ":", "!", "?"}
        return parse.pos[token] in _NAME_POS and (has_next or parse.pos[token] != "ADJ" or parse.tags[token] == "NNP")
    if parse.lower[token] in _WORK_STARTS or parse.pos[token] in {"PRON", "DET", "ADP", "SCONJ", "CCONJ", "ADV"}:
        return False
    return parse.pos[token] == "PROPN" or (has_next and parse.pos[token] in _NAME_POS) or _known_word(parse, token, lex)


def _known_word(parse: Parse, token: int, lex: Lexicon) -> bool:
    return parse.lower[token] in lex.given_names or parse.words[token] in lex.countries


def _extend(parse: Parse, start: int, lex: Lexicon, taken: set[int]) -> tuple[int, str]:
    """The end of the name that starts here, and its label."""
    end = start + 1
    limit = parse.sentences[parse.sentence_of[start]][1]
    is_certain = _is_title_cue(parse, start, lex)
    cue = "WORK" if is_certain else "TITLE" if parse.lower[max(0, start - 1)] in _WRITING else ""
    while end < limit and end not in taken:
        label = cue or form_label(parse.words[start:end], lex)
        step = _step(parse, start, end, limit, label, lex)
        if not step:
            break
        end += step
    is_linked = any(word.islower() for word in parse.words[start:end])
    label = "WORK" if is_certain or (cue and is_linked) else form_label(parse.words[start:end], lex)
    if parse.lower[start] in {"what", "how", "why", "who"} and end < limit - 1 and parse.words[end] == "?":
        end += 1
    return end, label


def _step(parse: Parse, start: int, end: int, limit: int, label: str, lex: Lexicon) -> int:
    """How many tokens continue the name at `end`: 0 where it ends."""
    word, follows = parse.lower[end], end + 1 < limit and _is_capital(parse, end + 1)
    if _is_capital(parse, end):
        if label in {"EVENT", "AWARD"} and _is_person(parse, end, lex):
            return 0  # "after the Second World War Marie ..."
        return 0 if parse.pos[end] in {"PRON", "DET", "ADP", "SCONJ", "CCONJ"} and label != "WORK" else 1
    if _NUMERAL.match(parse.words[end]) and parse.words[end - 1] in {"-", "No.", "Pile"}:
        return 1
    if word == "-" and parse.ends[end - 1] == parse.starts[end]:
        return 2 if end + 1 < limit and parse.starts[end + 1] == parse.ends[end] else 0
    if word == "'s" and follows and parse.lower[end - 1] in lex.possessive_names:
        return 2
    if word == "," and follows and parse.lower[end - 1] in lex.campuses and label == "ORG":
        return 2
    if word in lex.name_words["SCIENCE"] | lex.name_words["AWARD"] and label in {"", "PERSON"} and end - start < 4:
        return 1  # "the Geiger counter", "the Nobel prize"
    if word not in lex.name_links.get(label or "PERSON", ()):
        return 0
    if word in {"and", "&"} and label == "ORG":
        return 2 if follows and parse.lower[end + 1] in lex.fields else 0
    if follows:
        return 0 if label in {"ORG", "AWARD"} and word in {"for", "in"} and _is_person(parse, end + 1, lex) else 2
    if word == "for" and label != "WORK":
        return 0  # "left Cornell University for the Radium Institute"
    articles = _ARTICLES if label in {"WORK", "TITLE"} else {"the", "la"}
    two = end + 2 < limit and word != "the" and parse.lower[end + 1] in articles and _is_capital(parse, end + 2)
    return 3 if two else 0


def _is_person(parse: Parse, token: int, lex: Lexicon) -> bool:
    return parse.lower[token] in lex.given_names


def _is_title_cue(parse: Parse, start: int, lex: Lexicon) -> bool:
    """Whether what stands before says that a title follows: "the book X", "the paper entitled X", "The X" in a row."""
    before = start - 1
    if before >= 0 and parse.lower[before] in {",", ":", "entitled", "titled", "called"}:
        before -= 1
    if before >= 0 and lex.noun_label.get(parse.lower[before]) == "WORK" and parse.pos[before] != "VERB":
        return True
    return parse.lower[start] in _WORK_STARTS


def form_label(words: list[str], lex: Lexicon) -> str:
    """The label that a name's own words give it: by head noun, title, country, initials; "" if they do not tell."""
    lower = [word.lower() for word in words]
    name = " ".join(words)
    if name in lex.countries:
        return "LOC"
    if lower[0] in lex.name_words["PERSON"] and len(words) > 1:
        return "PERSON"
    head_part = lower
    for place, word in enumerate(lower):
        if place and word in {"of", "for", "in", "des", "de", "du", "der", "für"}:
            head_part = lower[:place]
            break
    for label in ("AWARD", "ORG", "EVENT", "LOC", "SCIENCE"):
        group = lex.name_words[label]
        if head_part[-1] in group or (label in {"AWARD", "ORG"} and any(word in group for word in head_part)):
            return label
    if lower[0] in lex.concepts and len(words) == 1:
        return "SCIENCE"
    if _DESIGNATION.search(name):
        return "SCIENCE"
    if _ACRONYM.match(words[0]) and lower[0] not in lex.concepts:
        return "ORG"
    initials = all(_INITIAL.match(word) for word in words[:-1])
    if len(words) > 1 and (lower[0] in lex.given_names or (initials and not _INITIAL.match(words[-1]))):
        return "PERSON"
    return ""

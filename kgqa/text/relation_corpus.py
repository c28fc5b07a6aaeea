"""KnowledgeNet and Re-DocRED as the relation reader's training and scoring see them: text, mentions, facts.

KnowledgeNet (Mesquita and others, EMNLP 2019): passages, each read for some of 15 properties; what was not read for is
unknown, and every mention, pronouns too, has its own fact. Re-DocRED (Tan and others, EMNLP 2022): documents whose
entities, mentions and 96 Wikidata properties are given; facts join entities.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgqa.errors import InputError
from kgqa.types import Span

KNOWLEDGENET = {
    "CEO": "P169", "CHILD_OF": "P40", "DATE_FOUNDED": "P571", "DATE_OF_BIRTH": "P569", "DATE_OF_DEATH": "P570",
    "EDUCATED_AT": "P69", "EMPLOYEE_OR_MEMBER_OF": "P108", "FOUNDED_BY": "P112", "HEADQUARTERS": "P159",
    "NATIONALITY": "P27", "PLACE_OF_BIRTH": "P19", "PLACE_OF_RESIDENCE": "P551", "POLITICAL_AFFILIATION": "P102",
    "SPOUSE": "P26", "SUBSIDIARY_OF": "P749",
}  # fmt: skip
"""KnowledgeNet's properties as Wikidata's. CHILD_OF is P40 turned round, EMPLOYEE_OR_MEMBER_OF wider than P108."""
TURNED = frozenset({"CHILD_OF"})
"""Whose subject is the Wikidata property's value."""
_ENDS = {
    "P169": ("ORG", "PERSON"), "P40": ("PERSON", "PERSON"), "P571": ("ORG", "DATE"), "P569": ("PERSON", "DATE"),
    "P570": ("PERSON", "DATE"), "P69": ("PERSON", "ORG"), "P108": ("PERSON", "ORG"), "P112": ("ORG", "PERSON"),
    "P159": ("ORG", "LOC"), "P27": ("PERSON", "MISC"), "P19": ("PERSON", "LOC"), "P551": ("PERSON", "LOC"),
    "P102": ("PERSON", "ORG"), "P26": ("PERSON", "PERSON"), "P749": ("ORG", "ORG"),
}  # fmt: skip
_REDOCRED_TYPES = {
    "PER": "PERSON", "ORG": "ORG", "LOC": "LOC", "MISC": "MISC", "TIME": "DATE", "NUM": "NUMBER",
}  # fmt: skip
_DEMONYM_ENDS = ("ian", "ish", "ese", "can")
_NO_SPACE_BEFORE = frozenset([",", ".", ")", ";", ":", "?", "!", "'s", "n't", "%", "'", '"'])
_NO_SPACE_AFTER = ("(", "$")

Statement = tuple[Span, str, Span]
"""Head, Wikidata property, tail."""


@dataclass(slots=True)
class Passage:
    """A piece of text that was read for some properties. Spans are characters of `text`."""

    doc_id: str
    start: int
    """Where it begins in its document."""
    text: str
    fold: str = ""
    read_for: set[str] = field(default_factory=set)
    mentions: dict[Span, str] = field(default_factory=dict)
    """Those of the facts; others are not marked."""
    statements: list[Statement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AnnotatedDocument:
    """A document of Re-DocRED as running text."""

    title: str
    text: str
    mentions: tuple[tuple[Span, str, int], ...]
    """(characters, type, number of its entity)"""
    facts: frozenset[tuple[int, str, int]]
    """(entity, Wikidata property, entity)"""


def knowledgenet(path: Path) -> list[Passage]:
    """The passages of a KnowledgeNet file (.jsonl or .jsonl.gz), in its order. InputError where it is none."""
    passages: dict[tuple[str, int], Passage] = {}
    for number, row in enumerate(_rows(path), 1):
        try:
            start = int(row["passage"][0])
            key = (str(row["doc"]), start)
            passage = passages.setdefault(key, Passage(*key, row["text"], str(row.get("fold", ""))))
            passage.read_for.add(KNOWLEDGENET[row["prop"]])
            if row["subj_off"][0] != "-":
                spans = [(int(row[end][0]) - start, int(row[end][1]) - start) for end in ("subj_off", "obj_off")]
                _state(passage, row["prop"], *spans)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"{path}:{number}: no row of KnowledgeNet ({type(error).__name__}: {error})") from error
    return list(passages.values())


def _state(passage: Passage, prop: str, subject: Span, obj: Span) -> None:
    name = KNOWLEDGENET[prop]
    head, tail = (obj, subject) if prop in TURNED else (subject, obj)
    for span, kind in zip((head, tail), _ENDS[name], strict=True):
        passage.mentions[span] = kind
    passage.statements.append((head, name, tail))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with _open(path) as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _open(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such file; set KGQA_DATA to the folder that holds the data sets")
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def redocred(path: Path) -> list[AnnotatedDocument]:
    """The documents of a Re-DocRED file (.json or .json.gz). InputError where it is none."""
    with _open(path) as file:
        try:
            return [_document(entry) for entry in json.load(file)]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"{path}: no file of Re-DocRED ({type(error).__name__}: {error})") from error


def _document(entry: dict[str, Any]) -> AnnotatedDocument:
    text, places = running_text(entry["sents"])
    mentions = []
    for number, entity in enumerate(entry["vertexSet"]):
        for mention in entity:
            tokens = places[mention["sent_id"]][slice(*mention["pos"])]
            span = (tokens[0][0], tokens[-1][1])
            mentions.append((span, _type(text[slice(*span)], mention["type"]), number))
    facts = frozenset((label["h"], label["r"], label["t"]) for label in entry.get("labels", ()))
    return AnnotatedDocument(entry["title"], text, tuple(mentions), facts)


def _type(text: str, theirs: str) -> str:
    ours = _REDOCRED_TYPES[theirs]
    return "MISC" if ours == "LOC" and " " not in text and text.endswith(_DEMONYM_ENDS) else ours


def running_text(sentences: Iterable[Iterable[str]]) -> tuple[str, list[list[Span]]]:
    """Tokens joined as they are usually written, and the place of each: Re-DocRED has no text but its tokens."""
    text = ""
    places: list[list[Span]] = []
    for sentence in sentences:
        places.append([])
        for token in sentence:
            word = token.strip() or "_"
            if text and word not in _NO_SPACE_BEFORE and not text.endswith(_NO_SPACE_AFTER):
                text += " "
            places[-1].append((len(text), len(text) + len(word)))
            text += word
    return text, places


def held_out(doc_id: str, *, one_in: int = 7) -> bool:
    """Whether a training document chooses thresholds instead of training; told from its id alone."""
    return zlib.crc32(doc_id.encode("utf-8")) % one_in == 0

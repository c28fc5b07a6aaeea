"""From annotated text to what the relation reader's network learns from: parsed, tagged, with its pairs."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from kgqa.text import mention_tags
from kgqa.text.mention_tags import PRONOUN, PRONOUNS, TYPES, Mentioned
from kgqa.text.nlp import readable
from kgqa.text.relation_corpus import KNOWLEDGENET, AnnotatedDocument, Passage
from kgqa.text.relation_reader import REACH, Features
from kgqa.text.relation_training import UNKNOWN, Example
from kgqa.types import Span

_NEVER_NAMES = frozenset({"VERB", "AUX", "ADP", "DET", "PUNCT", "CCONJ", "SCONJ", "PART", "ADV", "PRON"})
_OURS = {
    "PERSON": "PERSON", "ORG": "ORG", "LOC": "LOC", "WORK": "MISC", "AWARD": "MISC", "EVENT": "MISC", "MISC": "MISC",
}  # fmt: skip
_WIDER = {"P108": frozenset({"P463", "P54"})}
"""KnowledgeNet's EMPLOYEE_OR_MEMBER_OF covers these; where Re-DocRED has one of them, P108 is left open."""
_INFERRED = frozenset({"P551"})
"""Too rarely given in Re-DocRED for its silence to mean anything."""
_SHARED = frozenset(KNOWLEDGENET.values())
_PAIRS_OF_ENTITIES = 2
"""Of the pairs of mentions of two related entities, the nearest ones are taken to state it."""


@dataclass(frozen=True, slots=True)
class Named:
    """Text with all its names marked. Spans are characters; what is in `unknown` may or may not be part of a name."""

    text: str
    names: list[tuple[Span, str]]
    unknown: list[Span]


def _parsed(nlp: Language, texts: Iterable[str]) -> Iterable[Doc]:
    return nlp.pipe((readable(text) for text in texts), batch_size=32)  # type: ignore[no-any-return]


def _tokens(doc: Doc, span: Span) -> tuple[int, int] | None:
    """The tokens that a span touches."""
    found = doc.char_span(*span, alignment_mode="expand")
    return (found.start, found.end) if found is not None and len(found) else None


def from_passages(
    passages: Sequence[Passage], nlp: Language, features: Features, columns: dict[str, int]
) -> list[Example]:
    """KnowledgeNet: names that take part in no fact are not marked, so they may be learned only from other sets."""
    docs = _parsed(nlp, (passage.text for passage in passages))
    return [_from_passage(passage, doc, features, columns) for passage, doc in zip(passages, docs, strict=True)]


def _from_passage(passage: Passage, doc: Doc, features: Features, columns: dict[str, int]) -> Example:
    words = [token.text for token in doc]
    tags = np.full(len(doc), UNKNOWN)
    for token in doc:
        if (token.pos_ in _NEVER_NAMES and token.is_lower) or token.lower_ in PRONOUNS:
            tags[token.i] = 0
    place: dict[Span, Mentioned] = {}
    for span, kind in passage.mentions.items():
        if found := _tokens(doc, span):
            is_pronoun = found[1] - found[0] == 1 and words[found[0]].lower() in PRONOUNS
            place[span] = (*found, PRONOUN if is_pronoun else TYPES.index(kind))
            if not is_pronoun:
                mention_tags.write(tags, *place[span])
    mentions = sorted(set(place.values()))
    stated: dict[tuple[int, int], set[int]] = {}
    for head, name, tail in passage.statements:
        if head in place and tail in place:
            pair = mentions.index(place[head]), mentions.index(place[tail])
            stated.setdefault(pair, set()).add(columns[name])
    read_for = tuple(sorted(columns[name] for name in passage.read_for))
    return Example(features(doc), words, tags, mentions, stated, read_for, open_ended=True)


def from_documents(
    documents: Sequence[AnnotatedDocument], nlp: Language, features: Features, columns: dict[str, int], *, most: int
) -> list[Example]:
    """Re-DocRED: the nearest mentions of related entities state it; `most` pairs of unrelated ones to a document."""
    docs = _parsed(nlp, (document.text for document in documents))
    return [
        _from_document(document, doc, features, columns, most) for document, doc in zip(documents, docs, strict=True)
    ]


def _from_document(
    document: AnnotatedDocument, doc: Doc, features: Features, columns: dict[str, int], most: int
) -> Example:
    tags = np.zeros(len(doc), np.int64)
    mentions: list[Mentioned] = []
    entities: list[int] = []
    for span, kind, entity in document.mentions:
        if found := _tokens(doc, span):
            mentions.append((*found, TYPES.index(kind)))
            entities.append(entity)
            mention_tags.write(tags, *mentions[-1])
    related: dict[tuple[int, int], set[str]] = {}
    for head, name, tail in document.facts:
        related.setdefault((head, tail), set()).add(name)
    stated: dict[tuple[int, int], set[int]] = {}
    doubtful: set[tuple[int, int, int]] = set()
    unrelated: list[tuple[int, int]] = []
    for ends, pairs in _nearest(mentions, entities).items():
        names = related.get(ends, set())
        for pair in pairs[: _PAIRS_OF_ENTITIES if names else 1]:
            if names:
                stated[pair] = {columns[name] for name in names}
                doubtful |= {(*pair, columns[name]) for name, wider in _WIDER.items() if wider & names}
            else:
                unrelated.append(pair)
    chosen = random.Random(document.title).sample(unrelated, min(most, len(unrelated)))
    stated.update({pair: set() for pair in chosen})
    read_for = tuple(sorted(column for name, column in columns.items() if name not in _INFERRED))
    words = [token.text for token in doc]
    facts = frozenset((head, tail, columns[name]) for head, name, tail in document.facts)
    return Example(
        features(doc), words, tags, mentions, stated, read_for,
        doubtful=frozenset(doubtful), entities=entities, facts=facts,
    )  # fmt: skip


def _nearest(mentions: Sequence[Mentioned], entities: Sequence[int]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """(entity, entity) -> their pairs of mentions within reach, the nearest first."""
    found: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for one, entity in enumerate(entities):
        for other, another in enumerate(entities):
            apart = abs(mentions[one][0] - mentions[other][0])
            if entity != another and apart < REACH:
                found.setdefault((entity, another), []).append((apart, one, other))
    return {ends: [pair[1:] for pair in sorted(pairs)] for ends, pairs in found.items()}


def from_names(named: Sequence[Named], nlp: Language, features: Features) -> list[Example]:
    """Sets of names: tags alone. They name no dates and numbers, so tokens with digits stay unknown."""
    examples = []
    for one, doc in zip(named, _parsed(nlp, (one.text for one in named)), strict=True):
        tags = np.array([UNKNOWN if any(map(str.isdigit, token.text)) else 0 for token in doc], np.int64)
        for span in one.unknown:
            if found := _tokens(doc, span):
                tags[slice(*found)] = UNKNOWN
        for span, label in one.names:
            if found := _tokens(doc, span):
                if label in _OURS:
                    mention_tags.write(tags, *found, TYPES.index(_OURS[label]))
                else:
                    tags[slice(*found)] = UNKNOWN
        examples.append(Example(features(doc), [token.text for token in doc], tags, [], {}))
    return examples


def joined_types(examples: Iterable[Example], columns: dict[str, int]) -> list[list[tuple[int, int]]]:
    """For each property the types of head and tail that it joins: those seen twice; KnowledgeNet's also by pronouns.

    A type that is easily taken for another (ORG for LOC, MISC for any name) counts as both.
    """
    seen = [Counter[tuple[int, int]]() for _ in columns]
    for example in examples:
        for (head, tail), properties in example.stated.items():
            for column in properties:
                seen[column][example.mentions[head][2], example.mentions[tail][2]] += 1
    result = []
    for name, column in columns.items():
        pairs = {pair for pair, count in seen[column].items() if count > 1}
        if name in _SHARED:
            pairs = {(head, tail) for one, other in pairs for head in _like(one) for tail in _like(other)}
        result.append(sorted(pairs))
    return result


def _like(kind: int) -> set[int]:
    names = [TYPES.index(name) for name in ("PERSON", "ORG", "LOC", "MISC")]
    place, org, misc = TYPES.index("LOC"), TYPES.index("ORG"), TYPES.index("MISC")
    if kind not in names:
        return {kind}
    return {kind, misc, PRONOUN} | ({org} if kind in (place, misc) else {place} if kind == org else set())

"""What a document yields, as values."""

from dataclasses import dataclass

from kgqa.types import Document, Fact, Mention, Passage, Span


@dataclass(frozen=True, slots=True)
class Statement:
    """A relation between two mentions as the text has it, whatever they stand for."""

    relation: str
    """Its IRI."""
    head_span: Span
    tail_span: Span
    confidence: float
    extractor: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that states no fact."""

    relation: str
    """In words."""
    sentence: Span
    head_span: Span
    tail_span: Span
    extractor: str
    confidence: float
    reason: str
    """negation, hearsay, question ... (see assertion.doubt), or `below the threshold`, or `nothing of the types`."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What one document yields."""

    document: Document
    passages: tuple[Passage, ...]
    mentions: tuple[Mention, ...]
    facts: tuple[Fact, ...]
    aliases: tuple[tuple[str, str], ...]
    """(name, term): every name by which the document calls an entity."""
    statements: tuple[Statement, ...] = ()
    """What the facts were made of, before anybody was found for "she" and before doubles were left out."""
    rejected: tuple[Rejected, ...] = ()
    """What looked like a fact and is none."""

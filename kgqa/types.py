"""The values that travel between the parts of kgqa. All are frozen; offsets are characters, end exclusive.

A *term* is a string: an IRI as it stands (`urn:kgqa:entity:Marie%20Curie`), or a literal in N-Triples form
(`"1903"^^<http://www.w3.org/2001/XMLSchema#gYear>`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Span = tuple[int, int]
"""[start, end) in characters of the document's text."""

Triple = tuple[str, str, str]
"""(head, relation, tail): three terms."""


@dataclass(frozen=True, slots=True)
class Document:
    """One unit of writing: prose to be read, or (`facts_path` set) a file of facts that are known."""

    doc_id: str
    text: str
    title: str = ""
    date: str | None = None
    """ISO 8601 date of the document, where known."""
    path: str = ""
    """Where it was read from, for messages."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph of a document: the unit that is embedded and shown."""

    doc_id: str
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class RankedPassage:
    """A passage that was retrieved; scores of one question can be compared, the higher the nearer."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch of text that names an entity or a value."""

    span: Span
    text: str
    label: str
    """Type of what is named: PERSON, ORG, LOC, WORK, AWARD, SCIENCE, EVENT, MISC, DATE, NUMBER."""
    term: str = ""
    """The term it stands for once canonicalised; empty before."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a fact is stated, by whom it was read, and how sure the reader was."""

    doc_id: str
    sentence: str = ""
    """Empty for a given fact where it is stored; in answers, its triple in words."""
    span: Span = (0, 0)
    """The sentence's place in the document (the line's number and the next, for files of given facts)."""
    head_span: Span = (0, 0)
    tail_span: Span = (0, 0)
    extractor: str = "given"
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Fact:
    """A triple of terms with the texts they go by and one support."""

    head: str
    relation: str
    tail: str
    head_text: str
    relation_text: str
    tail_text: str
    provenance: Provenance

    @property
    def triple(self) -> tuple[str, str, str]:
        return self.head, self.relation, self.tail


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity that a piece of a question may stand for."""

    text: str
    iri: str
    score: float
    """Probability in [0, 1] that this entity is meant."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A mention in a question with the entities it may stand for, best first; no candidates: not known here."""

    text: str
    span: Span
    """Characters of the question's text."""
    candidates: tuple[Candidate, ...] = ()
    together: bool = False
    """All candidates are meant, as by "they"; else one of them."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as asked. `answers` are gold texts or terms: None = not known, () = the graph cannot answer it."""

    question_id: str
    text: str
    topics: tuple[Topic, ...] = ()
    """Given topics (brackets in MetaQA); empty: entity linking finds them."""
    answers: tuple[str, ...] | None = None
    kind: str = ""
    """A label that figures are broken down by ("2-hop", "two topics"); the answers never depend on it."""
    session: str = ""
    """The conversation that it is a turn of; empty: it stands for itself."""
    turn: int | None = None
    """Its place there, ascending; None: in the order of the file."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fact of an evidence path with its best support, and the direction it was walked in."""

    head: str
    relation: str
    tail: str
    provenance: Provenance | None = None
    inverse: bool = False


@dataclass(frozen=True, slots=True)
class RankedFact:
    """A fact that was retrieved, with its best support; scores of one question can be compared."""

    step: Step
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a question: an answer set with its proof, or an abstention with its reason."""

    question: Question
    topics: tuple[Topic, ...]
    answers: tuple[Candidate, ...]
    abstained: bool
    reason: str
    paths: tuple[tuple[Step, ...], ...] = ()
    sparql: str = ""
    passages: tuple[RankedPassage, ...] = ()
    """Where an answer may be read, when the question was abstained from; they are no answer."""
    understood: str = ""
    """A turn of a conversation as a question that stands for itself; empty where it was asked so."""
    operation: str = ""
    """What was done with the ends of paths, `count path`; empty where they are the answer."""
    withheld: tuple[Candidate, ...] = ()
    """What would have been said, best first, had it not been abstained from."""
    seconds: float = 0.0
    """What it took: a share of its batch's linking and reasoning, and its own evidence."""

    @property
    def found(self) -> tuple[Candidate, ...]:
        """The answer set, given or withheld."""
        return self.answers or self.withheld


@dataclass(frozen=True, slots=True)
class Delta:
    """What an expansion changes, by document id; `unchanged` is only counted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    hashes: Mapping[str, str] = field(default_factory=dict)
    """Content hash of every added or changed document."""

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.removed)

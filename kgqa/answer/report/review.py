"""What was read from documents as one HTML page for a person to judge: mentions and facts where they stand, what was
rejected and why, which names were brought together and why.

Documents are taken one at a time; kept are counts, and the markup of as many documents as the page has room for.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from markupsafe import Markup

from kgqa.answer.report.page import TEMPLATES, report_environment
from kgqa.artifacts import write_atomic
from kgqa.ids import name_of
from kgqa.types import Document, Fact, Mention, Passage, Span

_MOST_SENTENCES = 400
"""Of a document, that are shown."""


class Rejection(Protocol):
    """A candidate that states no fact."""

    @property
    def relation(self) -> str: ...
    @property
    def sentence(self) -> Span: ...
    @property
    def head_span(self) -> Span: ...
    @property
    def tail_span(self) -> Span: ...
    @property
    def extractor(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def reason(self) -> str: ...


class Read(Protocol):
    """What a document yielded."""

    @property
    def document(self) -> Document: ...
    @property
    def passages(self) -> tuple[Passage, ...]: ...
    @property
    def mentions(self) -> tuple[Mention, ...]: ...
    @property
    def facts(self) -> tuple[Fact, ...]: ...
    @property
    def aliases(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def rejected(self) -> Sequence[Rejection]: ...


class Joined(Protocol):
    """A term that was brought to another one, and the rules that did it."""

    @property
    def term(self) -> str: ...
    @property
    def kept(self) -> str: ...
    @property
    def reasons(self) -> tuple[tuple[str, str], ...]: ...


class Merging(Protocol):
    """Gives the terms that are brought together, from all names."""

    def __call__(self, names: Iterable[tuple[str, str]]) -> Sequence[Joined]: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; `label` where it is a mention, which then stands for `name`."""

    text: str
    label: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in pieces, with what was read from it."""

    pieces: list[Piece]
    facts: list[Fact]
    rejected: list[Rejection]


@dataclass(slots=True)
class Counts:
    """Of all documents, shown or not."""

    documents: int = 0
    mentions: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    confidence: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Sum by relation."""
    extractors: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, read: Read) -> None:
        """Count one document."""
        self.documents += 1
        self.mentions.update(mention.label for mention in read.mentions)
        self.facts.update(fact.relation_text for fact in read.facts)
        for fact in read.facts:
            self.confidence[fact.relation_text] += fact.provenance.confidence
        self.extractors.update(fact.provenance.extractor for fact in read.facts)
        self.rejected.update(one.relation for one in read.rejected)
        self.reasons.update(one.reason for one in read.rejected)


def write_review(
    extractions: Iterable[Read],
    out: Path,
    *,
    merges: Merging,
    listed: int = 200,
    most_bytes: int = 5_000_000,
) -> Counts:
    """Write the page of what documents yielded.

    Documents are shown in their order as long as the page stays below `most_bytes`, the others are only counted;
    at most `listed` merges are shown. `merges` gives them for the (name, term) pairs of all documents.
    """
    environment = report_environment()
    render = environment.get_template("review_parts.html").module.document  # type: ignore[attr-defined]
    counts, names = Counts(), dict[tuple[str, str], None]()
    shown: list[Markup] = []
    style = "".join((TEMPLATES / name).read_text("utf-8") for name in ("report.css", "review.css"))
    room = 0.8 * most_bytes - len(style)  # the rest is for the tables
    for read in extractions:
        counts.add(read)
        names.update(dict.fromkeys(read.aliases))
        if room > 0:
            markup = render(read, list(islice(sentences(read), _MOST_SENTENCES)), counts.documents)
            room -= len(markup.encode())
            if room > 0:
                shown.append(markup)
    joined = merges(names)
    page = environment.get_template("review.html").render(
        counts=counts,
        shown=shown,
        merges=[(name_of(one.term), name_of(one.kept), _reasons(one)) for one in joined[:listed]],
        num_merges=len(joined),
        style=Markup(style),
    )
    write_atomic(out, page.encode("utf-8"))
    return counts


def _reasons(one: Joined) -> list[tuple[str, str]]:
    return [(rule, name_of(other)) for rule, other in one.reasons]


def sentences(read: Read) -> Iterator[Sentence]:
    """The document in the order of its text: sentences that something was read from, and what lies between them."""
    text = read.document.text
    marks = sorted(read.mentions, key=lambda mention: mention.span)
    starts = [mention.span[0] for mention in marks]
    facts, rejected = defaultdict[Span, list[Fact]](list), defaultdict[Span, list[Rejection]](list)
    for fact in read.facts:
        facts[fact.provenance.span].append(fact)
    for one in read.rejected:
        rejected[one.sentence].append(one)
    borders = sorted({*facts, *rejected})
    for passage in read.passages:
        place, end = passage.span
        inside = borders[bisect_left(borders, (place, 0)) : bisect_left(borders, (end, 0))]
        for span in [*inside, (end, end)]:
            for stretch in ((place, span[0]), span):
                if text[slice(*stretch)].strip():
                    here = marks[bisect_left(starts, stretch[0]) : bisect_left(starts, stretch[1])]
                    yield Sentence(pieces(text, stretch, here), facts.get(stretch, []), rejected.get(stretch, []))
            place = span[1]


def pieces(text: str, span: Span, marks: Iterable[Mention]) -> list[Piece]:
    """The text of a span, cut at the mentions in it; of mentions that overlap the first is shown."""
    found = []
    place, end = span
    for mention in marks:
        start, stop = mention.span
        if start < place or stop > end:
            continue
        if place < start:
            found.append(Piece(text[place:start]))
        found.append(Piece(text[start:stop], mention.label, _called(mention.term)))
        place = stop
    return [*found, Piece(text[place:end])] if place < end else found


def _called(term: str) -> str:
    return term[1 : term.rindex('"')] if term.startswith('"') else name_of(term)

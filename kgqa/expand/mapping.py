"""What was read, in the words of a user's ontology: relations by their text, and only between ends that they can join.

A relation's text ("born in", "mayor") is compared with the labels of the ontology's properties by a text encoder. The
nearest property whose domain and range admit the fact's ends takes the relation's place, if it is near enough. Where
only the other way round is possible the ends change places: (Ulm, birthplace of, Einstein) under a property of people.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kgqa.errors import ConfigError
from kgqa.expand.batches import Extracted, Reread, TextExtractor
from kgqa.graph.ontology import Property, read_properties
from kgqa.graph.terms import XSD, is_literal
from kgqa.ids import digest, name_of
from kgqa.memory.embedder import Embedder
from kgqa.types import Document, Fact, Span

_NAMED = {
    "PERSON": "person human people artist athlete politician scientist",
    "LOC": "place location city town village country region settlement administrativearea populatedplace building",
    "ORG": "organisation organization company corporation university school sportsteam band politicalparty agency",
    "WORK": "work creativework book film movie song album article writtenwork musicalwork",
    "EVENT": "event battle election",
    "AWARD": "award prize",
    "DATE": "date datetime gyearmonth time",
    "YEAR": "gyear",
    "NUMBER": "decimal integer int long double float number quantitativevalue nonnegativeinteger positiveinteger",
}
_KINDS = {name: frozenset({label}) for label, names in _NAMED.items() for name in names.split()}
_KINDS["agent"] = frozenset({"PERSON", "ORG"})
"""What the recogniser calls the members of a class, by its own name; a class that is not here may hold anything."""
_THINGS = frozenset(_NAMED) - {"DATE", "YEAR", "NUMBER"}
"""What has a node of its own."""
_LIKE = {
    "ORG": frozenset({"ORG", "LOC"}),
    "LOC": frozenset({"LOC", "ORG"}),
    "DATE": frozenset({"DATE", "YEAR"}),
}
"""What also passes for it: a recogniser often takes places for organisations, and of many a date the year is known."""
_WORDS = {
    "PERSON": "person", "LOC": "place", "ORG": "organisation", "WORK": "work", "EVENT": "event", "AWARD": "award",
    "DATE": "date", "YEAR": "year", "NUMBER": "number",
}  # fmt: skip
"""What a tail of each kind adds to its relation's text: one is born on a date, and in a place."""
_FROM_TAIL = re.compile(r"(.+) (?:of|in|for|at|to)")
"""A noun and what it is a noun of: who is mayor of a town is its mayor."""
_MARGIN = 0.1
"""How far behind the nearest property another may be taken in its place, where that cannot join the ends."""
_MOST_TEXTS = 20_000
"""Texts of which the nearest properties are kept; then all are forgotten, so that memory does not grow."""

Kinds = frozenset[str]
"""What an end may be, as the recogniser calls it."""
Wording = tuple[list[str], bool]
"""Texts that say a relation, whose likeness counts on the mean; and whether they say it from its tail."""


@dataclass(frozen=True, slots=True)
class _Ends:
    heads: Kinds
    tails: Kinds

    def admit(self, head: Kinds, tail: Kinds) -> bool:
        """Whether what is known of the ends allows them; an end of which nothing is said allows all."""
        return all(not asked or asked & given for asked, given in ((self.heads, head), (self.tails, tail)))


class Ontology:
    """Properties by the text of a relation; a pure function of the two, whatever was asked before."""

    def __init__(self, properties: Sequence[Property], embedder: Embedder, *, least: float) -> None:
        """least: cosine in [-1, 1] from which a text is taken for a property."""
        self._properties, self._embedder, self._least = properties, embedder, least
        self._ends = [_Ends(_kinds(one.domains), _kinds(one.ranges)) for one in properties]
        labels = [(place, label) for place, one in enumerate(properties) for label in one.labels]
        self._vectors: NDArray[np.float32] = embedder.embed([label for _, label in labels])
        self._of = np.array([place for place, _ in labels])
        self._alike: dict[str, NDArray[np.float32]] = {}

    @property
    def identity(self) -> str:
        """Changes when a property, the encoder or the threshold does."""
        return digest(*map(repr, self._properties), self._embedder.name, str(self._least))

    def judged(
        self, facts: Sequence[Fact], labels: Mapping[Span, str], *, restrict: bool
    ) -> Iterator[tuple[Fact, Fact | None, str]]:
        """Each fact of one document as it was read, and under the ontology's properties; or None, and why.

        labels: of its mentions, by their spans. What no property is near to stays as it is, unless `restrict`.
        """
        rows = [(fact, *_kinds_of(fact, labels)) for fact in facts]
        wordings = [_wordings(*row) for row in rows]
        self._look_up({text for row in wordings for texts, _ in row for text in texts})
        for row, texts in zip(rows, wordings, strict=True):
            found, is_near = self._under(*row, texts)
            if found is None and not is_near and not restrict:
                found = row[0]
            reason = "no property that is near joins these" if is_near else "no property is near"
            yield row[0], found, "" if found else reason

    def _under(self, fact: Fact, head: Kinds, tail: Kinds, wordings: Sequence[Wording]) -> tuple[Fact | None, bool]:
        """The fact under the nearest property that admits its ends, if one does; and whether any is near."""
        alike = np.stack([np.mean([self._alike[text] for text in texts], axis=0) for texts, _ in wordings])
        order = np.argsort(-alike, axis=None, kind="stable")
        least = max(self._least, float(alike.max()) - _MARGIN)
        both = not is_literal(fact.tail)
        for row, place in zip(*np.unravel_index(order, alike.shape), strict=True):
            if alike[row, place] < least:
                break
            ends, name = self._ends[place], self._properties[place]
            read = replace(fact, relation=name.iri, relation_text=name.labels[0])
            if not wordings[row][1] and ends.admit(head, tail):
                return read, True
            if both and ends.admit(tail, head):
                return turned(read), True
        return None, bool(alike.max() >= self._least)

    def _look_up(self, texts: set[str]) -> None:
        if len(self._alike) > _MOST_TEXTS:
            self._alike.clear()
        if new := sorted(texts - self._alike.keys()):
            alike = self._embedder.embed(new) @ self._vectors.T  # [texts, labels]
            best = np.full((len(new), len(self._properties)), -1.0, np.float32)
            np.maximum.at(best.T, self._of, alike.T)
            self._alike.update(zip(new, best, strict=True))


def turned(fact: Fact) -> Fact:
    """The fact with its ends in each other's place."""
    source = fact.provenance
    swapped = replace(source, head_span=source.tail_span, tail_span=source.head_span)
    return replace(
        fact, head=fact.tail, tail=fact.head, head_text=fact.tail_text, tail_text=fact.head_text, provenance=swapped
    )


def _kinds(classes: Iterable[str]) -> Kinds:
    known = [_KINDS.get(name_of(one).lower(), frozenset()) for one in classes]
    kinds = frozenset[str]().union(*known)
    return kinds.union(*(_LIKE.get(kind, frozenset()) for kind in kinds))


def _kind(term: str, label: str | None) -> Kinds:
    """What a fact's end may be: any thing, where the recogniser does not say."""
    if is_literal(term):
        datatype = term.rpartition("^^<")[2].removesuffix(">").removeprefix(XSD)
        return _KINDS.get(datatype.lower(), frozenset({"TEXT"}))
    return frozenset({label}) if label in _THINGS else _THINGS


def _kinds_of(fact: Fact, labels: Mapping[Span, str]) -> tuple[Kinds, Kinds]:
    """Of a fact's head and tail."""
    source = fact.provenance
    return _kind(fact.head, labels.get(source.head_span)), _kind(fact.tail, labels.get(source.tail_span))


def _wordings(fact: Fact, head: Kinds, tail: Kinds) -> list[Wording]:
    """How a fact's relation can be said, with and without what its value is; and from its tail, where that is a noun:
    what is capital of a country is its capital."""
    found = [(_with_kind(fact.relation_text, tail), False)]
    if noun := _FROM_TAIL.fullmatch(fact.relation_text):
        found.append((_with_kind(noun[1], head), True))
    return found


def _with_kind(text: str, kinds: Kinds) -> list[str]:
    return [text, *(f"{text} {_WORDS[kind]}" for kind in kinds & _WORDS.keys() if len(kinds) == 1)]


class OntologyExtractor:
    """A `TextExtractor` whose facts are those of another in an ontology's words."""

    def __init__(self, extractor: TextExtractor, ontology: Ontology, *, restrict: bool) -> None:
        """restrict: leaves out what no property is near to."""
        self._extractor, self._ontology, self._restrict = extractor, ontology, restrict

    @property
    def identity(self) -> str:
        """Of the extractor under this ontology."""
        return digest(self._extractor.identity, self._ontology.identity, str(self._restrict))[:32]

    def extract(self, documents: Iterable[Document]) -> Iterator[Extracted]:
        """The extractions of the documents, in their order; the same fact by two relations' texts is one."""
        for one in self._extractor.extract(documents):
            labels = {mention.span: mention.label for mention in one.mentions}
            facts: dict[tuple[str, ...], Fact] = {}
            for _, fact, _ in self._ontology.judged(one.facts, labels, restrict=self._restrict):
                if fact:
                    facts.setdefault((*fact.triple, str(fact.provenance.span[0])), fact)
            yield Reread(one.document, one.passages, one.mentions, tuple(facts.values()), one.aliases)


def open_ontology(path: Path, open_embedder: Callable[[], Embedder], *, least: float) -> Ontology:
    """The ontology of a file. Raises InputError where the file is none, ConfigError for a threshold that no cosine can
    be."""
    if not -1 <= least <= 1:
        raise ConfigError(f"extract.ontology_least is {least}; it is a cosine, from -1 to 1")
    return Ontology(read_properties(path), open_embedder(), least=least)


def open_mapped(
    open_extractor: Callable[[], TextExtractor], opened: Callable[[], Ontology], *, restrict: bool
) -> OntologyExtractor:
    """The extractor under the ontology that `opened` gives."""
    ontology = opened()
    return OntologyExtractor(open_extractor(), ontology, restrict=restrict)

"""Files of known facts: `head|relation|tail`, TSV, N-Triples, N-Quads, Turtle, RDF/XML, JSON-LD, GraphML; gz or not.

Line formats stream; a malformed line is named, counted and passed over (`strict` refuses it). The others are read
whole, because a mistake in them leaves no way to tell where the next fact begins. Nothing is fetched: remote JSON-LD
contexts and external XML entities are refused by the parser. Blank nodes get IRIs; labels become names, not facts.
"""

import gzip
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import pyoxigraph as ox

from kgqa.errors import InputError
from kgqa.graph.provenance import EXPORT, RESERVED, VOCABULARIES
from kgqa.graph.statements import one_a_line, plain_statements
from kgqa.graph.terms import canonical_term, from_node, is_literal, relation_text
from kgqa.ids import DOCUMENT, entity_iri, relation_iri

log = logging.getLogger(__name__)

_OWN_LINE = re.compile(r" \(line 1\)$")  # each line is parsed alone, so the parser always says line 1

_SKOS = "http://www.w3.org/2004/02/skos/core#"
_PREFERRED = frozenset({"http://www.w3.org/2000/01/rdf-schema#label", _SKOS + "prefLabel"})
_LABELS = _PREFERRED | {_SKOS + "altLabel"}

_TABLES = {".txt": "|", ".tsv": "\t"}
_RDF_LINES = {".nt": ox.RdfFormat.N_TRIPLES, ".nq": ox.RdfFormat.N_QUADS}
_RDF_WHOLE = {
    ".ttl": ox.RdfFormat.TURTLE,
    ".rdf": ox.RdfFormat.RDF_XML,
    ".owl": ox.RdfFormat.RDF_XML,
    ".xml": ox.RdfFormat.RDF_XML,
    ".jsonld": ox.RdfFormat.JSON_LD,
}
_GRAPHML = ".graphml"
_BLOCK = 1 << 20
"""Bytes that are parsed at once."""
_SHOWN = 5
"""Malformed lines that a warning names; all are counted."""
FACT_SUFFIXES = frozenset(
    suffix + packed for suffix in (*_TABLES, *_RDF_LINES, *_RDF_WHOLE, _GRAPHML) for packed in ("", ".gz")
)
"""What the name of a file of facts ends in."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line, or a fact of a structured file, that was passed over."""

    line: int
    """Counted from 1; 0 where the format has no lines."""
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


@dataclass(frozen=True, slots=True)
class Name:
    """What the file calls a term; `preferred` for a label in English or without a language."""

    name: str
    term: str
    preferred: bool


Given = tuple[str, str, str, int]
"""(head, relation, tail, line): a fact of a file. Lines count from 1; 0 where the format has none."""


class FactReader(Iterable[Given]):
    """The facts of one file, once; `names` and `skipped` are complete when it is exhausted."""

    def __init__(self, path: Path, doc_id: str, *, strict: bool, after: int = 0) -> None:
        self.path = path
        self.doc_id = doc_id
        self.names: list[Name] = []
        self.skipped: list[Skipped] = []
        self._strict = strict
        self._after = after
        self._facts = self._read()

    def __iter__(self) -> Iterator[Given]:
        return self._facts

    def _read(self) -> Iterator[Given]:
        suffix = fact_suffix(self.path).removesuffix(".gz")
        try:
            if suffix in _TABLES:
                yield from self._table(_TABLES[suffix])
            elif suffix in _RDF_LINES:
                yield from self._rdf_lines(_RDF_LINES[suffix])
            elif suffix == _GRAPHML:
                yield from self._graphml()
            else:
                yield from self._rdf_whole(_RDF_WHOLE[suffix])
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"cannot read {self.path}: {error}; mend or remove the file") from error
        if self.skipped:
            shown = "; ".join(map(str, self.skipped[:_SHOWN]))
            more = f"; and {len(self.skipped) - _SHOWN} more" if len(self.skipped) > _SHOWN else ""
            log.warning("%s: passed over %d: %s%s", self.path, len(self.skipped), shown, more)

    def _table(self, separator: str) -> Iterator[Given]:
        for number, line in self._lines():
            if number == 1 and separator == "|" and line.count("\t") == 2 and "|" not in line:
                separator = "\t"
            if number <= self._after:
                continue
            fields = [field.strip() for field in line.split(separator)]
            if len(fields) != 3 or not all(fields):
                what = f"{len(fields)} fields" if len(fields) != 3 else "an empty field"
                self._skip(number, f"{what} where head{separator}relation{separator}tail is wanted: {line[:80]!r}")
                continue
            head, relation, tail = fields
            yield entity_iri(head), relation_iri(relation), entity_iri(tail), number

    def _rdf_lines(self, form: ox.RdfFormat) -> Iterator[Given]:
        number = 1
        for lines in self._blocks():
            passed = max(0, min(self._after + 1 - number, len(lines)))
            number, lines = number + passed, lines[passed:]
            if plain := plain_statements(lines, form):
                for place, (head, relation, tail, *_) in enumerate(plain, number):
                    yield head, relation, tail, place
            elif quads := one_a_line(lines, form):
                for place, quad in enumerate(quads, number):
                    yield from self._fact(quad, place, _label_of_node)
            else:
                for place, line in self._decoded(enumerate(lines, number)):
                    yield from self._rdf_line(line, place, form)
            number += len(lines)

    def _rdf_line(self, line: str, number: int, form: ox.RdfFormat) -> Iterator[Given]:
        if line.lstrip().startswith("#"):
            return
        try:
            for quad in ox.parse(line, form):
                yield from self._fact(quad, number, _label_of_node)
        except (SyntaxError, ValueError) as error:
            self._skip(number, _OWN_LINE.sub("", str(error).partition(": ")[2] or str(error)))

    def _rdf_whole(self, form: ox.RdfFormat) -> Iterator[Given]:
        numbers: dict[ox.BlankNode, str] = {}

        def by_order(node: ox.BlankNode) -> str:  # the parser's own labels are random
            return numbers.setdefault(node, f"b{len(numbers)}")

        data = self._whole(xml=form == ox.RdfFormat.RDF_XML)
        try:
            quads = list(ox.parse(data, form, base_iri=DOCUMENT + "base/"))
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{self.path} cannot be parsed, nothing of it is read: {error}; mend it") from error
        for quad in quads:
            yield from self._fact(quad, 0, by_order)

    def _graphml(self) -> Iterator[Given]:
        """As kgqa writes it: nodes are terms, or names; edges have a `relation`."""
        from kgqa.graph.views import read_graphml  # networkx takes a while to load, and other formats do without

        try:
            nodes, edges = read_graphml(self._whole(xml=True))
        except ValueError as error:
            raise InputError(f"{self.path} cannot be parsed, nothing of it is read: {error}; mend it") from error
        terms = {node: _term_or(entity_iri, node) for node in nodes}
        relations: dict[str, str] = {}
        for node, about in nodes.items():
            self._names_of_node(terms[node], about)
        for source, target, about in edges:
            head, tail = terms[source], terms[target]
            relation = _term_or(relation_iri, str(about.get("relation", "")))
            if "relation" not in about or is_literal(head) or is_literal(relation) or head.startswith(RESERVED):
                self._skip(0, f"the edge from {source} to {target} has no relation, or is of what has none")
                continue
            relations.setdefault(relation, str(about.get("text", relation_text(relation))))
            yield head, relation, tail, 0
        self.names += [Name(text, relation, True) for relation, text in relations.items()]

    def _names_of_node(self, term: str, about: Mapping[str, Any]) -> None:
        if is_literal(term):
            return
        if text := about.get("text"):
            self.names.append(Name(str(text), term, True))
        try:
            aliases = json.loads(about.get("aliases", "[]"))
            self.names += [Name(str(alias), term, False) for alias in aliases]
        except (TypeError, ValueError):
            self._skip(0, f"the aliases of {term} are no list of names in JSON")

    def _whole(self, *, xml: bool) -> bytes:
        from kgqa.graph.views import unsafe_xml

        with closing(open_packed(self.path)) as file:
            data = file.read()
        if xml and (reason := unsafe_xml(data)):
            raise InputError(f"{self.path} is not read: {reason}")
        return data

    def _fact(self, quad: ox.Quad, line: int, label: Callable[[ox.BlankNode], str]) -> Iterator[Given]:
        if isinstance(quad.subject, ox.Triple) or isinstance(quad.object, ox.Triple):
            self._skip(line, "a triple term (RDF 1.2) is not a node")
            return
        head, relation, tail = self._term(quad.subject, label), quad.predicate.value, self._term(quad.object, label)
        if head == EXPORT:
            raise InputError(f"{self.path} is an export of a knowledge base; read it with corpus=export")
        if head.startswith(RESERVED):
            if not relation.startswith(VOCABULARIES):
                self._skip(line, f"{head} is reserved for provenance")
        elif relation in _LABELS and isinstance(quad.object, ox.Literal):
            english = (quad.object.language or "en").split("-")[0] == "en"
            self.names.append(Name(quad.object.value, head, english and relation in _PREFERRED))
        else:
            yield head, relation, tail, line

    def _term(self, node: object, label: Callable[[ox.BlankNode], str]) -> str:
        if isinstance(node, ox.BlankNode):
            return entity_iri(f"_:{self.doc_id}:{label(node)}")
        return canonical_term(from_node(node)) if isinstance(node, ox.Literal) else from_node(node)

    def _blocks(self) -> Iterator[list[bytes]]:
        """The file's lines, a megabyte or so at a time."""
        with closing(open_packed(self.path)) as file:
            while lines := file.readlines(_BLOCK):
                yield lines

    def _lines(self) -> Iterator[tuple[int, str]]:
        """(number from 1, line) for each line that is UTF-8 text and not blank."""
        return self._decoded(enumerate(chain.from_iterable(self._blocks()), 1))

    def _decoded(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, str]]:
        for number, data in lines:
            try:
                line = data.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                self._skip(number, f"not UTF-8 ({error.reason} at byte {error.start})")
                continue
            if "\0" in line:
                self._skip(number, "binary data")
            elif line.strip():
                yield number, line

    def _skip(self, line: int, reason: str) -> None:
        if self._strict:
            raise InputError(f"{self.path} line {line}: {reason}; mend it, or set strict=false to pass over such lines")
        self.skipped.append(Skipped(line, reason))


def read_facts(path: Path, doc_id: str, *, strict: bool = False, after: int = 0) -> FactReader:
    """The facts of a file, which is the document `doc_id`; of a format of lines, those `after` a line.

    Given names become IRIs (`entity_iri`, `relation_iri`); terms are in the store's spelling. Raises InputError for a
    file that cannot be read or parsed, and with `strict` for a malformed line.
    """
    if fact_suffix(path) not in FACT_SUFFIXES:
        raise InputError(f"{path}: {path.suffix!r} is no format of facts; known are {', '.join(sorted(FACT_SUFFIXES))}")
    if not path.is_file():
        raise InputError(f"{path} is not a file; corpus.path must name a file of facts or a folder")
    return FactReader(path, doc_id, strict=strict, after=after)


def _term_or(make: Callable[[str], str], text: str) -> str:
    """The term that a text is, or else the one that is made from it as from a name."""
    try:
        return canonical_term(text)
    except InputError:
        return make(text)


def fact_suffix(path: Path) -> str:
    """`.txt.gz` for kb.txt.gz, `.nt` for kb.v2.nt."""
    suffixes = path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]
    return "".join(suffixes).lower()


def open_packed(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where its name ends in .gz."""
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _label_of_node(node: ox.BlankNode) -> str:
    return node.value

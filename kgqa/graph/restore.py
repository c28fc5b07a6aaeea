"""An exported knowledge base read back: what every document stated, in its own terms, ready to be recorded again.

The file is sorted into a store of its own first, so that the order of its statements does not matter and memory does
not grow with it. The names of nodes were made from their content: what was altered by hand is refused.
"""

import re
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Self

import pyoxigraph as ox

from kgqa.errors import InputError
from kgqa.graph import provenance as pv
from kgqa.graph.exports import FORMAT, WHOLE
from kgqa.graph.formats import Name, fact_suffix, open_packed
from kgqa.graph.oxigraph import GraphStore, Quad
from kgqa.graph.terms import is_literal, lexical_form
from kgqa.ids import DOCUMENT, document_iri, name_of, passage_iri
from kgqa.ledger import DocumentRow
from kgqa.ledger_writer import PassageRow
from kgqa.types import Fact, Provenance

_HEADER = re.compile(rb"^\s*(?:<|\[\s*\{\s*\"@id\"\s*:\s*\")" + pv.EXPORT.encode() + rb"[>\"]")
_PLACE = re.compile(r"[0-9]{1,15}")


def is_export(path: Path) -> bool:
    """Whether the file begins as `sealed` begins it."""
    if fact_suffix(path).removesuffix(".gz") not in WHOLE or not path.is_file():
        return False
    try:
        with closing(open_packed(path)) as file:
            return _HEADER.match(file.read(256)) is not None
    except (OSError, EOFError, zlib.error):  # whoever reads it says what is wrong with it
        return False


class Export:
    """An export, sorted into a store of its own; made by `Export.open`."""

    def __init__(self, path: Path, store: GraphStore) -> None:
        self.path = path
        self._store = store

    @classmethod
    @contextmanager
    def open(cls, path: Path, scratch: Path) -> Iterator[Self]:
        """Loads the file into the folder `scratch`, which is gone afterwards; memory does not grow with the file.

        Raises InputError for what is no export, was cut off, was edited, or is of a newer format.
        """
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            with _load(path, scratch) as store:
                _check(path, store)
                yield cls(path, store)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @property
    def policy(self) -> str:
        """What was done about conflicts, as JSON; "" where nobody looked for any."""
        return _Node(self.path, pv.EXPORT, self._store.scan(pv.EXPORT, graph=pv.EXPORT)).text(pv.POLICY, "")

    def documents(self) -> Iterator[DocumentRow]:
        """The documents, without source and batch: those are of the knowledge base that they were in."""
        for graph in self._store.graphs():
            if graph.startswith(DOCUMENT):
                yield self._document(graph)

    def read(self, doc_id: str) -> "ExportedDocument":
        """What the document states."""
        return ExportedDocument(self.path, self._store, doc_id)

    def _document(self, graph: str) -> DocumentRow:
        node = _Node(self.path, graph, self._store.scan(graph, graph=graph))
        doc_id = name_of(graph)
        if document_iri(doc_id) != graph:
            raise node.error("is no document's name")
        versions = [_Node(self.path, agent, self._store.scan(agent, graph=graph)) for agent in self._agents(graph)]
        if len(versions) != 1:
            raise node.error(f"was read by {len(versions)} readers, where one is wanted")
        return DocumentRow(
            doc_id, "", node.text(pv.SHA256), node.text(pv.TITLE, ""), node.text(pv.DATE, "") or None,
            node.text(pv.PATH, ""), versions[0].text(pv.VERSION), "",
        )  # fmt: skip

    def _agents(self, graph: str) -> list[str]:
        return [quad[2] for quad in self._store.scan(graph + "#reading", pv.ASSOCIATED, graph=graph)]


class ExportedDocument(Iterator[Fact]):
    """The facts of one document in its own terms, once; all else is complete when it is exhausted."""

    def __init__(self, path: Path, store: GraphStore, doc_id: str) -> None:
        self.names: list[Name] = []
        self.passages: list[PassageRow] = []
        self.mentions: list[tuple[int, str]] = []
        self._doc_id = doc_id
        self._graph = document_iri(doc_id)
        self._nodes = (
            _Node(path, iri, quads)
            for iri, quads in groupby(store.scan(graph=self._graph), key=lambda quad: quad[0])
            if iri.startswith(pv.RESERVED)
        )

    def __next__(self) -> Fact:
        for node in self._nodes:
            if node.iri.startswith(pv.SUPPORT):
                return self._fact(node)
            if node.iri.startswith(pv.NAME):
                self.names.append(self._name(node))
            elif pv.PART in node.values:
                self.passages.append(self._passage(node))
                self.mentions += ((node.place(pv.START), term) for term in node.terms(pv.MENTIONS))
        raise StopIteration

    def _fact(self, node: "_Node") -> Fact:
        triple = node.term(pv.SUBJECT), node.term(pv.PREDICATE), node.term(pv.OBJECT)
        stated = node.term(pv.STATED_HEAD, triple[0]), triple[1], node.term(pv.STATED_TAIL, triple[2])
        if any(is_literal(term) or term.startswith(pv.RESERVED) for term in (triple[0], *stated[:2])):
            raise node.error("is about what cannot be the head or the relation of a fact")
        span = node.place(pv.START), node.place(pv.END)
        source = Provenance(self._doc_id, span=span)
        if pv.VALUE in node.values:
            head = node.place(pv.HEAD_START), node.place(pv.HEAD_END)
            tail = node.place(pv.TAIL_START), node.place(pv.TAIL_END)
            read = node.text(pv.VALUE), span, head, tail, node.text(pv.EXTRACTOR), node.share(pv.CONFIDENCE)
            source = Provenance(self._doc_id, *read)
        if node.iri != pv.support_iri(triple, stated, source):
            raise node.error("is not what its name was made from")
        return Fact(*stated, "", "", "", source)

    def _name(self, node: "_Node") -> Name:
        name = Name(node.text(pv.FORM), node.term(pv.NAME_OF), pv.PREFERRED in node.values)
        if node.iri != pv.name_iri(self._doc_id, name.name, name.term, name.preferred):
            raise node.error("is not what its name was made from")
        return name

    def _passage(self, node: "_Node") -> PassageRow:
        start, stop = node.place(pv.START), node.place(pv.END)
        if node.iri != passage_iri(self._doc_id, start, stop):
            raise node.error("is not what its name was made from")
        return start, stop, node.text(pv.VALUE)


class _Node:
    """All that one graph says of one subject; what is not as an export has it is an InputError."""

    def __init__(self, path: Path, iri: str, quads: Iterable[Quad]) -> None:
        self.iri = iri
        self.values: dict[str, list[str]] = {}
        self._path = path
        for _, relation, term, _ in quads:
            self.values.setdefault(relation, []).append(term)

    def term(self, key: str, default: str | None = None) -> str:
        found = self.values.get(key, [] if default is None else [default])
        if len(found) != 1 or found[0].startswith(("_:", "<")):
            raise self.error(f"has {len(found)} values of {key}, where one IRI or literal is wanted")
        return found[0]

    def terms(self, key: str) -> list[str]:
        """All values, each of which may be the head of a fact."""
        found = self.values.get(key, [])
        if wrong := [term for term in found if is_literal(term) or term.startswith(("_:", "<", *pv.RESERVED))]:
            raise self.error(f"has {wrong[0]} as its {key}, where an entity is wanted")
        return found

    def text(self, key: str, default: str | None = None) -> str:
        if key not in self.values and default is not None:
            return default
        if not is_literal(term := self.term(key)):
            raise self.error(f"has {term} as its {key}, where a text is wanted")
        return lexical_form(term)

    def place(self, key: str) -> int:
        if not _PLACE.fullmatch(text := self.text(key)):
            raise self.error(f"has {text!r} as its {key}, where a place in a document is wanted")
        return int(text)

    def share(self, key: str) -> float:
        try:
            if 0 <= (share := float(text := self.text(key))) <= 1:
                return share
        except ValueError:
            pass
        raise self.error(f"has {text!r} as its {key}, where a number from 0 to 1 is wanted")

    def error(self, what: str) -> InputError:
        return InputError(f"{self._path}: {self.iri} {what}; the file was edited, export it again")


def _load(path: Path, scratch: Path) -> GraphStore:
    form = WHOLE.get(fact_suffix(path).removesuffix(".gz"))
    if form is None or not path.is_file():
        raise InputError(f"{path} is no export; give a file that pipelines/export.py wrote, {' or '.join(WHOLE)}")
    try:
        store = ox.Store(str(scratch))
        with closing(open_packed(path)) as file:
            store.bulk_load(file, form)
    except (OSError, EOFError, zlib.error, SyntaxError, ValueError) as error:
        raise InputError(f"cannot read the export {path}: {error}; nothing of it is read, export it again") from error
    return GraphStore(store, scratch)


def _check(path: Path, store: GraphStore) -> None:
    header = _Node(path, pv.EXPORT, store.scan(pv.EXPORT, graph=pv.EXPORT))
    if pv.FORMAT not in header.values:
        raise InputError(f"{path} is no export of a knowledge base; its facts can be read with corpus=facts")
    if header.place(pv.FORMAT) > FORMAT:
        raise InputError(f"{path} has a newer format than {FORMAT}; read it with the kgqa that wrote it")
    if pv.NUM_STATEMENTS not in header.values:
        raise InputError(f"{path} was cut off: its last statement is missing; export it again")
    told, found = header.place(pv.NUM_STATEMENTS), len(store.native)
    if told != found:
        raise InputError(f"{path} has {found} statements where it says {told}; it was edited, export it again")

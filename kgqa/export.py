"""One generation of a knowledge base into a file for others, and for `corpus=export` to read back."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kgqa.artifacts import atomic_file
from kgqa.errors import InputError
from kgqa.graph import provenance as pv
from kgqa.graph.exports import WHOLE, sealed, write_rdf
from kgqa.graph.formats import fact_suffix
from kgqa.graph.oxigraph import Quad
from kgqa.graph.queries import ALT_LABEL, NAMES
from kgqa.graph.terms import XSD, literal, text_of
from kgqa.graph.views import write_graphml
from kgqa.history import (
    mentions_of_document,
    names_of_document,
    passages_of_document,
    support_counts,
    supports_of_document,
)
from kgqa.ids import ASSERTED, document_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.ledger import DocumentRow

SUFFIXES = (*WHOLE, ".ttl", ".graphml")


def export(kb: KnowledgeBase, out: Path) -> None:
    """Writes the generation that is open to `out`, whose suffix says the format; `.gz` after it packs the file.

    `.nq` and `.jsonld` hold all that it takes to have the knowledge base again, but its vectors; `.ttl` facts, names,
    and supports as reified statements; `.graphml` facts, names and numbers of supports. All but the last are written in
    a stream. `out` appears when it is complete. Raises InputError for another suffix or a folder, StoreError where it
    cannot be written.
    """
    suffix = fact_suffix(out).removesuffix(".gz")
    if suffix not in SUFFIXES or out.is_dir():
        raise InputError(f"cannot export to {out}; give out=FILE that ends in {', '.join(SUFFIXES)}, or that and .gz")
    with _packed(out) as file:
        if suffix == ".graphml":
            write_graphml(kb.triples(), file, aliases=_aliases(kb), supports=support_counts(kb.ledger))
        else:
            write_rdf(_whole(kb) if suffix in WHOLE else _readable(kb), file, suffix)


@contextmanager
def _packed(out: Path) -> Iterator[IO[bytes]]:
    """The time is left out of a packed file: equal contents are equal files."""
    with atomic_file(out) as file:
        if out.suffix.lower() == ".gz":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield file


def _whole(kb: KnowledgeBase) -> Iterator[Quad]:
    """The graphs, with what the ledger alone has of each document.

    What is said of documents and supports is made from the ledger, so that it is complete where an older version of
    this code wrote the graph.
    """
    header = {
        pv.GENERATION: literal(kb.generation),
        pv.PROV + "generatedAtTime": literal(kb.state.created, XSD + "dateTime"),
    }
    if kb.state.conflict is not None:
        header[pv.POLICY] = literal(json.dumps(kb.state.conflict, sort_keys=True))
    return sealed(header, _quads(kb))


def _quads(kb: KnowledgeBase) -> Iterator[Quad]:
    for graph in (ASSERTED, NAMES):
        yield from kb.graph.scan(graph=graph)
    for document in kb.ledger.documents():
        facts = kb.graph.scan(graph=document_iri(document.doc_id))
        yield from (quad for quad in facts if not quad[0].startswith(pv.RESERVED))
        yield from _provenance(kb, document)
        yield from _restorable(kb, document)


def _readable(kb: KnowledgeBase) -> Iterator[Quad]:
    """Facts and names, then where each fact comes from; graphs are not told apart."""
    for graph in (ASSERTED, NAMES):
        yield from kb.graph.scan(graph=graph)
    for document in kb.ledger.documents():
        yield from _provenance(kb, document)


def _provenance(kb: KnowledgeBase, document: DocumentRow) -> Iterator[Quad]:
    """The document and its supports, those of given facts too, with their first generations."""
    doc_id = document.doc_id
    yield from pv.document_quads(doc_id, document.title, document.date, document.hash, document.reader)
    for support in supports_of_document(kb.ledger, doc_id):
        said = support.triple, support.stated, support.provenance
        node = pv.support_iri(*said)
        yield from pv.support_quads(node, *said)
        yield from pv.lifetime_quads(node, doc_id, support.first, support.last)


def _restorable(kb: KnowledgeBase, document: DocumentRow) -> Iterator[Quad]:
    """What else it takes to record the document again."""
    doc_id, graph = document.doc_id, document_iri(document.doc_id)
    if document.path:
        yield graph, pv.PATH, literal(document.path), graph
    for name, term, preferred in names_of_document(kb.ledger, doc_id):
        yield from pv.name_quads(doc_id, name, term, preferred)
    mentions = mentions_of_document(kb.ledger, doc_id)
    for start, stop, text in passages_of_document(kb.ledger, doc_id):
        yield from pv.passage_quads(doc_id, start, stop, text, mentions.get(start, ()))


def _aliases(kb: KnowledgeBase) -> dict[str, list[str]]:
    """Node or relation -> its names beside the one that it is called by."""
    found: dict[str, list[str]] = {}
    for term, _, name, _ in kb.graph.scan(relation=ALT_LABEL, graph=NAMES):
        found.setdefault(term, []).append(text_of(name))
    return found

"""The file of a whole knowledge base, written as a stream; kgqa.graph.restore reads it back.

An export holds the graphs as they are and, in the graph of each document, what else it takes to record the document
again: a node for each support of a given fact, names, passages. Its last statement says how many there are, so that a
file which was cut off or edited is refused. N-Quads and JSON-LD hold all of it; Turtle has no graphs.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, cast

import pyoxigraph as ox

from kgqa.graph import provenance as pv
from kgqa.graph.oxigraph import Quad
from kgqa.graph.terms import fast_token, integer
from kgqa.ids import DOCUMENT, ENTITY, READER, RELATION

FORMAT = 1
"""The format of the exports that this code writes; it reads this one and older ones."""

WHOLE = {".nq": ox.RdfFormat.N_QUADS, ".jsonld": ox.RdfFormat.JSON_LD}
"""The formats that hold all of a knowledge base."""
_FORMATS = WHOLE | {".ttl": ox.RdfFormat.TURTLE}
_PREFIXES = {
    "entity": ENTITY, "relation": RELATION, "support": pv.SUPPORT, "doc": DOCUMENT, "reader": READER,
    "kgqa": pv.VOCABULARY, "rdf": pv.RDF, "rdfs": "http://www.w3.org/2000/01/rdf-schema#", "prov": pv.PROV,
    "dcterms": pv.TERMS, "skos": "http://www.w3.org/2004/02/skos/core#", "xsd": "http://www.w3.org/2001/XMLSchema#",
}  # fmt: skip
_CHUNK = 4096
"""Statements that are written at once."""


def write_rdf(quads: Iterable[Quad], file: IO[bytes], suffix: str) -> None:
    """Streams quads of canonical terms into a file of the format that `suffix` names; Turtle leaves the graphs out.

    The other formats are made from the lines of N-Quads: Oxigraph parses them faster than Python makes its objects.
    """
    form = _FORMATS[suffix]
    lines = _lines(quads)
    if form == ox.RdfFormat.N_QUADS:
        file.writelines(lines)
        return
    # lenient: the terms were checked when they came in
    parsed = ox.parse(cast(IO[bytes], _Lines(lines)), ox.RdfFormat.N_QUADS, lenient=True)
    if form == ox.RdfFormat.TURTLE:
        ox.serialize((quad.triple for quad in parsed), file, form, prefixes=_PREFIXES)
    else:
        ox.serialize(parsed, file, form)


def sealed(header: Mapping[str, str], quads: Iterable[Quad]) -> Iterator[Quad]:
    """An export: its header first, which tells what the file is, and the number of all statements last."""
    total = 1
    for key, text in {pv.FORMAT: integer(FORMAT), **header}.items():
        yield pv.EXPORT, key, text, pv.EXPORT
        total += 1
    for quad in quads:
        yield quad
        total += 1
    yield pv.EXPORT, pv.NUM_STATEMENTS, integer(total), pv.EXPORT


def _lines(quads: Iterable[Quad]) -> Iterator[bytes]:
    stream = iter(quads)
    while chunk := list(islice(stream, _CHUNK)):
        yield "".join(f"{fast_token(h)} <{r}> {fast_token(t)} <{g}> .\n" for h, r, t, g in chunk).encode()


class _Lines(io.RawIOBase):
    """Chunks of bytes as a file that is read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        size = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

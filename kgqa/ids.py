"""Identifiers that come from content: the same text gives the same id in every run, on every machine."""

import hashlib
import re
from urllib.parse import quote, unquote

ENTITY = "urn:kgqa:entity:"
RELATION = "urn:kgqa:relation:"
OPEN = "urn:kgqa:open:"
"""Relations that a text itself has words for, and nobody else."""
DOCUMENT = "urn:kgqa:doc:"
READER = "urn:kgqa:reader:"
ASSERTED = "urn:kgqa:asserted"
"""The one graph that reasoning reads; every fact stands in it once, whatever the number of its supports."""

# Characters that RFC 3987 forbids in an IRI's path, and "%" itself so that quoting can be undone. All others, accented
# letters among them, stay readable. Oxigraph refuses an IRI with any of these.
_NONCHARACTERS = "".join(chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0x10000, 0xF0000, 0x10000))
_UNSAFE = re.compile(
    r"[\x00-\x20<>\"{}|\\^`%#\[\]\x7f-\x9f\ud800-\uf8ff\ufdd0-\ufdef\ufff0-\uffff"
    rf"\U000e0000-\U000e0fff\U000f0000-\U0010ffff{_NONCHARACTERS}]"
)


def _quote(name: str) -> str:
    return _UNSAFE.sub(lambda match: quote(match.group(), safe="", errors="replace"), name)


def entity_iri(name: str) -> str:
    """The IRI of the entity called `name`; case is kept, so that "Peter Fonda" and "peter fonda" stay two."""
    return ENTITY + _quote(name)


def relation_iri(name: str) -> str:
    """The IRI of the relation called `name` (`directed_by`, `born in`)."""
    return RELATION + _quote(name)


def open_relation_iri(text: str) -> str:
    """The IRI of what a text calls a relation (`live in`); apart from those that have a name."""
    return OPEN + _quote(text)


def document_iri(doc_id: str) -> str:
    """The IRI of the named graph that holds what the document `doc_id` supports."""
    return DOCUMENT + _quote(doc_id)


def reader_iri(identity: str) -> str:
    """The IRI of what reads documents: an extractor in one version of its weights, patterns and code."""
    return READER + _quote(identity)


def passage_iri(doc_id: str, start: int, stop: int) -> str:
    """What stands for the passage [start, stop) of a document; "#" does not occur in a document's IRI."""
    return f"{document_iri(doc_id)}#{start}-{stop}"


def passage_of(iri: str) -> tuple[str, int, int]:
    """(doc_id, start, stop) of what `passage_iri` made."""
    document, _, place = iri.rpartition("#")
    start, _, stop = place.partition("-")
    return name_of(document), int(start), int(stop)


def name_of(iri: str) -> str:
    """The readable part of an IRI: our own scheme undone, else what follows the last `#`, `/` or `:`."""
    for scheme in (ENTITY, RELATION, OPEN, DOCUMENT):
        if iri.startswith(scheme):
            return unquote(iri[len(scheme) :])
    return unquote(iri.rstrip("#/").rpartition("#")[2].rpartition("/")[2].rpartition(":")[2])


def digest(*parts: str) -> str:
    """The sha256 of the parts in hexadecimal; parts are length-prefixed, so ("ab", "c") and ("a", "bc") differ."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


def vector_id(*parts: str) -> int:
    """A stable id in [0, 2**63) for the long-term memory, from the first 63 bits of `digest`."""
    return int(digest(*parts)[:16], 16) >> 1

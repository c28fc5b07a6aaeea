"""What is new, changed or gone: a corpus held against the ledger, by content and by nothing else."""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from kgqa.artifacts import sha256_file
from kgqa.errors import InputError
from kgqa.graph.formats import FACT_SUFFIXES, fact_suffix
from kgqa.graph.restore import is_export
from kgqa.ids import digest
from kgqa.ledger import DocumentRow
from kgqa.text.reader import DOCUMENT_SUFFIXES, TEXT_SUFFIXES, Skipped, read_documents
from kgqa.types import Delta, Document

log = logging.getLogger(__name__)

GIVEN = "given-1"
"""Identity of the reader of given facts; raised when what it makes of a file changes, so that files are read again."""


@dataclass(frozen=True)
class Corpus:
    """Where documents come from: prose, files of facts, a folder with both, or an exported knowledge base.

    `kind` settles what a .txt holds: prose ("text") or `head|relation|tail` ("facts", which reads nothing but facts).
    An export ("export") is one file that holds many documents; where it begins as one it is known under any kind.
    """

    path: Path
    kind: str = "text"
    skipped: list[Skipped] = field(default_factory=list)
    """Files that could not be read, filled by `documents`."""
    settled: frozenset[str] | None = None
    """The only files that are read; None: all that there are."""
    unsettled: frozenset[str] = frozenset()
    """Files that somebody is writing or removing: their documents stay as they were."""
    english: bool = False
    """Whether documents in other languages are skipped."""

    @cached_property
    def is_export(self) -> bool:
        """Whether the documents are those of another knowledge base."""
        return self.kind == "export" or is_export(self.path)

    @property
    def source(self) -> str:
        """What the ledger remembers: only documents of the same source can be missed."""
        return str(self.path.resolve())

    def documents(self, *, tell: bool = True) -> Iterator[Document]:
        """The prose, in a stable order; nothing where there is none. `tell`: log what cannot be read."""
        self.skipped.clear()
        is_prose = self.kind == "text" and any(path.suffix.lower() in DOCUMENT_SUFFIXES for path in self._files())
        if is_prose:
            yield from read_documents(
                self.path, skipped=self.skipped, tell=tell, only=self.settled, english=self.english
            )

    def fact_files(self) -> Iterator[tuple[str, Path]]:
        """(doc_id, path) of each file of facts; the id keeps the suffix, so that kb.nt and kb.md are two documents."""
        root = self.path if self.path.is_dir() else self.path.parent
        for path in [] if self.is_export else self._files():
            suffix = fact_suffix(path)
            if suffix in FACT_SUFFIXES and not (self.kind == "text" and suffix == ".txt"):
                yield path.relative_to(root).as_posix(), path

    def paths(self) -> Iterator[str]:
        """Every file that is named like one that is read, whether settled or not, in no order."""
        suffixes = tuple(FACT_SUFFIXES | DOCUMENT_SUFFIXES if self.kind == "text" else FACT_SUFFIXES)
        return (path for path in _walk(self.path) if path.lower().endswith(suffixes))

    def _files(self) -> list[Path]:
        found = (path for path in _walk(self.path) if self.settled is None or path in self.settled)
        return sorted(path for path in map(Path, found) if path.is_file())


def _walk(path: Path) -> Iterator[str]:
    """What lies below a folder, or the path; InputError where a folder cannot be listed: that is not an empty one."""

    def refuse(error: OSError) -> None:
        raise InputError(f"cannot list {error.filename}: {error.strerror}; mend that, or its documents would be missed")

    if not path.is_dir():
        yield str(path)
    for folder, _, names in os.walk(path, onerror=refuse) if path.is_dir() else ():
        yield from (os.path.join(folder, name).removeprefix("./") for name in names)


def content_hash(document: Document) -> str:
    """The digest of what a document says; where it lies does not count."""
    return digest(document.text, document.title, document.date or "")


def make_plan(
    corpus: Corpus,
    known: Iterable[DocumentRow],
    *,
    reader: str,
    exported: Iterable[DocumentRow] = (),
    allow_empty: bool = False,
    remove: Iterable[str] = (),
    strict: bool = False,
) -> Delta:
    """Compares the corpus with what the ledger knows; `exported`: the documents of a corpus that is an export.

    A document is changed when its content is, or when prose was read by another extractor than `reader`. It is removed
    when the same source had it and now has not, or when `remove` names it. A file that is there but cannot be read is
    left as it was. Raises InputError for a corpus that has nothing, unless `allow_empty`, so that an unmounted disk
    does not empty a knowledge base, for a name in `remove` that is not known, and with `strict` for a document that
    cannot be read.
    """
    rows = {row.doc_id: row for row in known}
    wanted = set(remove)
    if unknown := sorted(wanted - rows.keys()):
        raise InputError(f"cannot remove {unknown[0]!r}: the knowledge base has no such document")
    hashes: dict[str, str] = {}
    readers: dict[str, str] = {}
    for document in corpus.documents():
        hashes[document.doc_id], readers[document.doc_id] = content_hash(document), reader
    if strict and corpus.skipped:
        first = corpus.skipped[0]
        raise InputError(
            f"{first.path}: {first.reason}; mend or remove it, or set strict=false to pass over such files"
        )
    for doc_id, path in corpus.fact_files():
        if doc_id in hashes:
            raise InputError(f"{path} and a document have the same id {doc_id!r}; rename one of them")
        hashes[doc_id], readers[doc_id] = sha256_file(path), GIVEN
    for row in exported:
        hashes[row.doc_id], readers[row.doc_id] = row.hash, row.reader
    if not hashes and not allow_empty:
        raise InputError(_nothing(corpus, rows))
    for doc_id in wanted & hashes.keys():
        del hashes[doc_id]
    return _compare(rows, hashes, readers, corpus, wanted)


def _compare(
    rows: Mapping[str, DocumentRow],
    hashes: Mapping[str, str],
    readers: Mapping[str, str],
    corpus: Corpus,
    wanted: set[str],
) -> Delta:
    unread = _documents_in(corpus, {skipped.path for skipped in corpus.skipped} | corpus.unsettled, rows.values())
    gone = {row.doc_id for row in rows.values() if row.source == corpus.source} - unread
    stale = {
        doc_id for doc_id in hashes.keys() & rows.keys()
        if (rows[doc_id].hash, rows[doc_id].reader) != (hashes[doc_id], readers[doc_id])
    }  # fmt: skip
    added = hashes.keys() - rows.keys()
    return Delta(
        added=tuple(sorted(added)),
        changed=tuple(sorted(stale)),
        removed=tuple(sorted((gone - hashes.keys()) | wanted)),
        unchanged=len(hashes) - len(added) - len(stale),
        hashes={doc_id: hashes[doc_id] for doc_id in sorted(added | stale)},
    )


_LINE = re.compile(r":\d+$")
"""What follows the file in the path of a document that is one of its lines."""


def _documents_in(corpus: Corpus, paths: set[str], rows: Iterable[DocumentRow]) -> set[str]:
    """The ids of the documents in files (`feed.jsonl`: all of its lines, `feed.jsonl:3`: that one).

    By path, and by id where the file gives one: the ledger has a path as it was said then, from another folder perhaps.
    """
    root = corpus.path if corpus.path.is_dir() else corpus.path.parent
    relative = (Path(os.path.relpath(path, root)) for path in paths)
    ids = {(path.with_suffix("") if path.suffix.lower() in TEXT_SUFFIXES else path).as_posix() for path in relative}
    return ids | {row.doc_id for row in rows if {row.path, _LINE.sub("", row.path)} & paths}


def _nothing(corpus: Corpus, rows: Mapping[str, DocumentRow]) -> str:
    readable = ", ".join(sorted(DOCUMENT_SUFFIXES | FACT_SUFFIXES if corpus.kind == "text" else FACT_SUFFIXES))
    what = f"holds no documents or facts (files in {readable})" if corpus.path.exists() else "does not exist"
    if corpus.skipped:
        what = f"holds nothing that can be read ({corpus.skipped[0].path}: {corpus.skipped[0].reason})"
    held = sum(row.source == corpus.source for row in rows.values())
    loss = f"; if its {held} documents are to be removed, say corpus.allow_empty=true" if held else ""
    return f"{corpus.path} {what}; give a folder of documents or a file of facts as corpus.path{loss}"

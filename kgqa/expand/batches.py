"""What was read in documents, as JSON lines: extract/batch-000007/{documents,passages,mentions,facts}.jsonl.

A batch is written document by document. One that never was committed (its run was killed) is read again by the next
run, so that no document is extracted twice.
"""

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol, Self

from kgqa.artifacts import Manifest, sha256_file, sync, unreferenced
from kgqa.types import Document, Fact, Mention, Passage, Provenance

log = logging.getLogger(__name__)

_PARTS = ("documents", "passages", "mentions", "facts")


class Extracted(Protocol):
    """What one document yields (kgqa.text.extraction.Extraction)."""

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


class TextExtractor(Protocol):
    """Reads documents (kgqa.text.extract.Extractor); a pure function of each."""

    @property
    def identity(self) -> str: ...
    def extract(self, documents: Iterable[Document]) -> Iterator[Extracted]: ...


@dataclass(frozen=True)
class Reread:
    """An `Extracted` that comes from a batch on disk; the document's text is not kept there."""

    document: Document
    passages: tuple[Passage, ...]
    mentions: tuple[Mention, ...]
    facts: tuple[Fact, ...]
    aliases: tuple[tuple[str, str], ...]


class BatchWriter:
    """A batch in the making, under a name that ends in .partial until `finish`."""

    def __init__(self, extract: Path, name: str) -> None:
        self.name = name
        self._readers: set[str] = set()
        self._final = extract / name
        number = len(list(extract.glob(f"{name}.*.partial")))
        self._folder = extract / f"{name}.{number}.partial"
        self._folder.mkdir(parents=True)
        self._files: dict[str, IO[str]] = {
            part: (self._folder / f"{part}.jsonl").open("w", encoding="utf-8") for part in _PARTS
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def add(self, extraction: Extracted, content_hash: str, reader: str) -> None:
        """Writes one document; its own line goes last, so that a document which has it is complete."""
        self._readers.add(reader)
        doc_id = extraction.document.doc_id
        rows = {
            "passages": [{"doc_id": doc_id, **asdict(passage)} for passage in extraction.passages],
            "mentions": [{"doc_id": doc_id, **asdict(mention)} for mention in extraction.mentions],
            "facts": [fact_record(fact) for fact in extraction.facts],
        }
        for part, records in rows.items():
            self._files[part].writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            self._files[part].flush()
        header = _header(extraction, content_hash, reader)
        self._files["documents"].write(json.dumps(header, ensure_ascii=False) + "\n")
        self._files["documents"].flush()

    def finish(self, *, config: str, seed: int | None) -> str:
        """Makes the batch durable under its own name; returns the sha256 of its manifest."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        outputs = {f"{part}.jsonl": sha256_file(self._folder / f"{part}.jsonl") for part in _PARTS}
        manifest = Manifest("extract", {"reader": ", ".join(sorted(self._readers))}, config, seed, outputs=outputs)
        sha256 = manifest.write(self._folder / "manifest.json")
        shutil.rmtree(self._final, ignore_errors=True)
        os.replace(self._folder, self._final)
        sync(self._final.parent)
        return sha256


def fact_record(fact: Fact) -> dict[str, Any]:
    """The line of facts.jsonl, whose fields are kept stable (data/README.md)."""
    source = fact.provenance
    return {
        "head": fact.head, "relation": fact.relation, "tail": fact.tail,
        "head_text": fact.head_text, "relation_text": fact.relation_text, "tail_text": fact.tail_text,
        "doc_id": source.doc_id, "sentence": source.sentence, "start": source.span[0], "end": source.span[1],
        "head_span": source.head_span, "tail_span": source.tail_span,
        "extractor": source.extractor, "confidence": source.confidence,
    }  # fmt: skip


def read_fact(record: dict[str, Any]) -> Fact:
    """The fact of a line of facts.jsonl."""
    provenance = Provenance(
        record["doc_id"], record["sentence"], (record["start"], record["end"]),
        tuple(record["head_span"]), tuple(record["tail_span"]), record["extractor"], record["confidence"],
    )  # fmt: skip
    terms = record["head"], record["relation"], record["tail"]
    return Fact(*terms, record["head_text"], record["relation_text"], record["tail_text"], provenance)


def unfinished(extract: Path, committed: Iterable[str], reader: str) -> Iterator[tuple[str, Reread]]:
    """(content hash, extraction) of every document that a run which did not commit has read with the same reader."""
    seen: set[str] = set()
    for folder in unreferenced(extract, set(committed)):
        for header, extraction in read_batch(folder):
            if header["reader"] == reader and extraction.document.doc_id not in seen:
                seen.add(extraction.document.doc_id)
                yield header["hash"], extraction


def read_batch(folder: Path) -> Iterator[tuple[dict[str, Any], Reread]]:
    """(its line of documents.jsonl, extraction) of each complete document, in order; what was cut off ends it."""
    files = {part: _records(folder / f"{part}.jsonl") for part in _PARTS}
    try:
        for header in files["documents"]:
            rows = {part: [next(files[part]) for _ in range(header[f"num_{part}"])] for part in _PARTS[1:]}
            yield header, _reread(header, rows)
    except (StopIteration, KeyError, TypeError):
        log.warning("%s ends in the middle of a document; what is complete in it is used", folder)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def _header(extraction: Extracted, content_hash: str, reader: str) -> dict[str, Any]:
    document = extraction.document
    return {
        "doc_id": document.doc_id, "title": document.title, "date": document.date, "path": document.path,
        "hash": content_hash, "reader": reader, "aliases": extraction.aliases,
        "num_passages": len(extraction.passages), "num_mentions": len(extraction.mentions),
        "num_facts": len(extraction.facts),
    }  # fmt: skip


def _reread(header: dict[str, Any], rows: dict[str, list[dict[str, Any]]]) -> Reread:
    document = Document(header["doc_id"], "", header["title"], header["date"], header["path"])
    return Reread(
        document,
        tuple(Passage(row["doc_id"], tuple(row["span"]), row["text"]) for row in rows["passages"]),
        tuple(Mention(tuple(row["span"]), row["text"], row["label"], row["term"]) for row in rows["mentions"]),
        tuple(map(read_fact, rows["facts"])),
        tuple((name, term) for name, term in header["aliases"]),
    )

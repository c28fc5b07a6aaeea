"""A toy language, its reader, and the canonical dump of a knowledge base: what the tests of the write path compare.

A line `A knows B` is a fact that mentions A and B, `A,C knows B` is two with one sentence, `A = B` says that this
document calls the entity B "A"; of other lines the words in capitals are mentions.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyoxigraph as ox

from kgqa.conflicts import Policy
from kgqa.expand.apply import Outcome, Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.ids import entity_iri, relation_iri
from kgqa.knowledge_base import KINDS, KnowledgeBase
from kgqa.memory.embedder import HashingEmbedder
from kgqa.types import Document, Fact, Mention, Passage, Provenance

TEXTS = {"fancies": "is fond of"}
"""What a relation is called where its name does not say it."""


@dataclass(frozen=True)
class ToyExtraction:
    document: Document
    passages: tuple[Passage, ...]
    mentions: tuple[Mention, ...]
    facts: tuple[Fact, ...]
    aliases: tuple[tuple[str, str], ...]


@dataclass
class ToyExtractor:
    identity: str = "toy-1"
    read: list[str] = field(default_factory=list)
    """Ids of the documents that were extracted, in order."""

    def extract(self, documents: Iterable[Document]) -> Iterator[ToyExtraction]:
        for document in documents:
            self.read.append(document.doc_id)
            yield _extract(document)


def _extract(document: Document) -> ToyExtraction:
    facts, aliases, passages, mentions, place = [], [], [], [], 0
    for line in document.text.splitlines(keepends=True):
        words, span = line.split(), (place, place + len(line.rstrip()))
        place += len(line)
        if len(words) == 3 and words[1] == "=":
            aliases.append((words[0], entity_iri(words[2])))
            words = []
        mentions += [Mention(span, word, "MISC", entity_iri(word)) for word in words if word.isupper()]
        if len(words) == 3:
            head, relation, tail = words
            places = (span[0], span[0] + len(head)), (span[1] - len(tail), span[1])
            support = Provenance(document.doc_id, line.strip(), span, *places, "toy", 0.5)
            for name in head.split(","):
                terms = entity_iri(name), relation_iri(relation), entity_iri(tail)
                facts.append(Fact(*terms, name, TEXTS.get(relation, relation), tail, support))
        if line.strip():
            passages.append(Passage(document.doc_id, span, line.strip()))
    return ToyExtraction(document, tuple(passages), tuple(mentions), tuple(facts), tuple(aliases))


def toy_resolve(statements: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names and terms that any statement joins are one; the first in the alphabet stands for all."""
    groups: dict[str, set[str]] = {}
    for name, term in statements:
        joined = groups.get(entity_iri(name), {entity_iri(name)}) | groups.get(term, {term})
        groups |= dict.fromkeys(joined, joined)
    return {term: min(group) for term, group in groups.items() if term != min(group)}


def settings(
    *,
    extractor: ToyExtractor | None = None,
    index: bool = True,
    embedder: Any = None,
    policy: Policy | None = None,
) -> Settings:
    return Settings(
        extractor=extractor or ToyExtractor(),
        resolve=toy_resolve,
        embedder=(embedder or HashingEmbedder(16)) if index else None,
        policy=policy,
    )


def write_corpus(folder: Path, files: dict[str, str]) -> Corpus:
    """Makes the folder hold exactly these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        os.remove(path)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return Corpus(folder)


def fast_folder() -> TemporaryDirectory[str]:
    """A folder in memory where there is one: most of a small delta's time is waiting for the disk."""
    return TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def build(kb: Path, folder: Path, files: dict[str, str], **options: Any) -> Outcome:
    """Brings `kb` to what `files` say."""
    return expand(kb, write_corpus(folder, files), settings(**options), allow_empty=True)


def dump(kb: Path, generation: str | None = None) -> dict[str, Any]:
    """All that a reader can see, in an order and under names that do not depend on how it came to be."""
    with KnowledgeBase.open(kb, generation=generation) as base:
        store = ox.Store.read_only(str(kb / "graph" / "snapshots" / base.state.snapshot))
        quads = [tuple(map(str, (q.subject, q.predicate, q.object, q.graph_name))) for q in store]
        return {
            "counts": base.counts(),
            "graph": sorted(quads),
            "aliases": sorted(base.aliases()),
            **{f"ledger.{name}": sorted(map(repr, base.ledger.rows(sql))) for name, sql in _LEDGER.items()},
            **{f"memory.{kind}": _vectors(base, kind) for kind in KINDS},
        }


def _vectors(base: KnowledgeBase, kind: str) -> list[tuple[int, str, str, list[float]]]:
    memory = base.memory(kind, device="cpu")
    ids = memory.ids()
    vectors = np.round(memory.get(ids), 3).tolist() if len(ids) else []
    return [(int(i), *item, vector) for i, item, vector in zip(ids, memory.items(ids), vectors, strict=True)]


_LIVE = "{0}.born <= :generation AND {0}.died > :generation"
_LEDGER = {
    "documents": f"SELECT doc_id, hash, title, date, path, reader FROM documents JOIN docs ON docs.id = doc "
    f"WHERE {_LIVE.format('documents')}",
    "supports": "SELECT doc_id, h.term, r.term, t.term, nh.term, nt.term, sentence, start, stop, "
    "head_start, head_stop, tail_start, tail_stop, extractor, confidence "
    "FROM supports s JOIN docs ON docs.id = doc JOIN terms h ON h.id = head JOIN terms r ON r.id = relation "
    "JOIN terms t ON t.id = tail JOIN terms nh ON nh.id = node_head JOIN terms nt ON nt.id = node_tail "
    f"WHERE {_LIVE.format('s')}",
    "names": "SELECT doc_id, name, terms.term, preferred FROM names JOIN docs ON docs.id = doc "
    f"JOIN terms ON terms.id = names.term WHERE {_LIVE.format('names')}",
    "passages": f"SELECT doc_id, start, stop, text FROM passages JOIN docs ON docs.id = doc "
    f"WHERE {_LIVE.format('passages')}",
    "mentions": "SELECT doc_id, start, terms.term FROM mentions JOIN docs ON docs.id = doc "
    f"JOIN terms ON terms.id = mentions.term WHERE {_LIVE.format('mentions')}",
    "redirects": "SELECT a.term, b.term FROM redirects JOIN terms a ON a.id = raw JOIN terms b ON b.id = canonical "
    f"WHERE {_LIVE.format('redirects')}",
    "overruled": "SELECT h.term, r.term, t.term FROM overruled JOIN terms h ON h.id = head "
    "JOIN terms r ON r.id = relation "
    f"JOIN terms t ON t.id = tail WHERE {_LIVE.format('overruled')}",
    "cardinalities": "SELECT term, heads, single FROM cardinalities JOIN terms ON terms.id = relation "
    f"WHERE {_LIVE.format('cardinalities')}",
}

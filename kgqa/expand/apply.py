"""The one write path: whatever changes a knowledge base goes through here and becomes one generation.

Build, expansion and removal are the same: a delta against what is committed. The order is what makes a kill harmless
(docs/decisions/0001-commit-protocol.md): documents are read into a batch, the ledger's rows are written, the graph, the
vectors, then the ledger commits, the generation's file is written, and `CURRENT` is swapped. Until that last step
readers see the generation before, and the next writer drops what it finds beyond it.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kgqa.artifacts import hash_folder, sha256_file
from kgqa.conflicts import Policy
from kgqa.errors import ConfigError, InputError, StoreError
from kgqa.expand.batches import BatchWriter, Extracted, TextExtractor, unfinished
from kgqa.expand.catch_up import catch_up, follow
from kgqa.expand.changes import Changes, graph_changes
from kgqa.expand.mirror import Mirror
from kgqa.expand.overrule import count_heads, overrule
from kgqa.expand.plan import GIVEN, Corpus, content_hash, make_plan
from kgqa.expand.record import Resolve, apply_redirects, move_none, record_given, record_prose
from kgqa.expand.restore import exported_policy, opened, restore_documents
from kgqa.expand.vectors import delta_of_changes
from kgqa.expand.whole import build_graph
from kgqa.expand.writer import Writer, writing
from kgqa.generations import Generation, current_generation
from kgqa.graph.formats import read_facts
from kgqa.graph.oxigraph import open_live
from kgqa.graph.restore import Export
from kgqa.ledger import DocumentRow
from kgqa.memory.embedder import Embedder
from kgqa.memory.index import IndexOptions
from kgqa.progress import progress
from kgqa.types import Delta

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How documents become facts and vectors; a value, the same for every delta."""

    extractor: TextExtractor | None = None
    """None where there is no prose."""
    resolve: Resolve = move_none
    """Which raw terms stand for the same node; by default none move. To be the same for every delta."""
    embedder: Embedder | None = None
    """None: the vectors are left as they are, for a later `index`."""
    options: IndexOptions = field(default_factory=IndexOptions)
    policy: Policy | None = None
    """What is done about conflicts; None: what the knowledge base was last written with, a new one keeps all values."""
    strict: bool = False
    """Refuse the first malformed line of given facts, and the first unreadable document, instead of counting it."""
    config: str = ""
    """Digest of the configuration, for the manifests."""
    seed: int | None = None
    keep: int | None = None
    """Generations that stay readable, the newest ones; None: all."""
    mirror: Mirror | None = None
    """A server that follows each commit."""


@dataclass
class Outcome:
    """What a run did; `generation` is None when there was nothing to do."""

    generation: str | None
    delta: Delta
    redecided: bool = False
    """Whether the policy for conflicts was another before, so that all of them were decided anew."""
    counts: dict[str, int] = field(default_factory=dict)
    """num_facts_added, num_facts_removed, num_vectors_added, num_vectors_removed, num_mirror_added, num_mirror_removed,
    num_skipped, then the totals."""


def expand(
    kb: Path,
    corpus: Corpus,
    settings: Settings,
    *,
    allow_empty: bool = False,
    remove: Iterable[str] = (),
    dry_run: bool = False,
    stage: str = "expand",
) -> Outcome:
    """Brings the knowledge base `kb` to what `corpus` says now, in one generation; makes it when there is none.

    With `dry_run` only the plan is made. Raises LockedError while another process writes, InputError for a corpus that
    cannot be used, StoreError for a damaged knowledge base or one whose vectors another embedder made, and for a mirror
    that cannot be written: before any work, or after the commit, and then the next run brings it in step.
    """
    with writing(kb) as writer, opened(corpus, kb / ".export.tmp") as export:
        if settings.mirror and not dry_run:
            settings.mirror.check()
        reader = settings.extractor.identity if settings.extractor else ""
        known = writer.ledger.documents() if writer.base else ()
        delta = make_plan(
            corpus, known, reader=reader, exported=export.documents() if export else (), allow_empty=allow_empty,
            remove=remove, strict=settings.strict,
        )  # fmt: skip
        log.info(
            "plan: %d added, %d changed, %d removed, %d unchanged",
            len(delta.added), len(delta.changed), len(delta.removed), delta.unchanged,
        )  # fmt: skip
        if export and writer.base is None:
            writer.policy = exported_policy(export)
        redecided = _is_new_policy(writer, settings.policy)
        if dry_run or (delta.empty and not redecided):
            mirrored = _mirror(writer.base, settings) if writer.base and not dry_run else {}
            return Outcome(None, delta, redecided, {**mirrored, **writer.counts, "num_skipped": len(corpus.skipped)})
        writer.check_embedder(settings.embedder)
        num_skipped = _read_corpus(writer, corpus, export, delta, settings)
        writer.ledger.finish_bulk()
        apply_redirects(writer.ledger, settings.resolve)
        _decide(writer, settings.policy or writer.policy, anew=redecided)
        base, (counts, changes) = writer.base, _write_graph(writer, texts=settings.embedder is not None)
        counts |= _follow(writer, changes, settings)
        name = _commit(writer, stage, settings)
        counts |= _mirror(base, settings, changes)
        counts |= {"num_skipped": num_skipped + len(corpus.skipped), **writer.counts}
        return Outcome(name, delta, redecided, counts)


def index(kb: Path, settings: Settings) -> Outcome:
    """Brings the vectors in step with the graph, anew when another embedder made them; the graph stays as it is."""
    assert settings.embedder is not None
    if current_generation(kb) is None:
        raise StoreError(f"no knowledge base at {kb}; build one with pipelines/extract.py corpus.path=DIR kb={kb}")
    with writing(kb) as writer:
        base = writer.base
        assert base is not None
        if base.embedder != settings.embedder.name:
            writer.memory = {}
        vectors = catch_up(writer, settings.embedder, settings.options, config=settings.config, seed=settings.seed)
        if base.indexed and not any(vectors.values()):
            return Outcome(None, Delta(), counts={**vectors, **writer.counts})
        return Outcome(_commit(writer, "index", settings), Delta(), counts={**vectors, **writer.counts})


def _commit(writer: Writer, stage: str, settings: Settings) -> str:
    return writer.commit(stage, config=settings.config, seed=settings.seed, keep=settings.keep)


def _read_corpus(writer: Writer, corpus: Corpus, export: Export | None, delta: Delta, settings: Settings) -> int:
    """What documents state, into the ledger; returns how many files and lines were passed over."""
    for doc_id in delta.removed:
        writer.ledger.drop_document(doc_id)
    if export:
        restore_documents(writer.ledger, export, delta, source=corpus.source)
        return 0
    facts = [(doc_id, path) for doc_id, path in corpus.fact_files() if doc_id in delta.hashes]
    for doc_id in set(writer.ledger.kept()).difference(doc_id for doc_id, _ in facts):
        writer.ledger.forget(doc_id)
    if len(facts) < len(delta.hashes):
        _read_prose(writer, corpus, delta, settings)
    return sum(_read_facts(writer, corpus, doc_id, path, strict=settings.strict) for doc_id, path in facts)


def _read_prose(writer: Writer, corpus: Corpus, delta: Delta, settings: Settings) -> None:
    extractor = settings.extractor
    if extractor is None:
        raise ConfigError(f"{corpus.path} holds prose, and no extractor was given; set corpus=text")
    extract = writer.kb / "extract"
    finished = unfinished(extract, writer.batches, extractor.identity)
    with BatchWriter(extract, f"batch-{writer.ledger.generation:06d}") as batch:
        with progress("extracting", len(delta.hashes)) as advance:
            for content, extraction in _extractions(corpus, delta, extractor, finished):
                document = extraction.document
                batch.add(extraction, content, extractor.identity)
                row = DocumentRow(
                    document.doc_id, corpus.source, content, document.title, document.date, document.path,
                    extractor.identity, batch.name,
                )  # fmt: skip
                record_prose(writer.ledger, extraction, row=row)
                advance(1)
        writer.batches[batch.name] = batch.finish(config=settings.config, seed=settings.seed)


def _extractions(
    corpus: Corpus, delta: Delta, extractor: TextExtractor, finished: Iterable[tuple[str, Extracted]]
) -> Iterator[tuple[str, Extracted]]:
    """(content hash, extraction) of what is new: first what an unfinished run has read already, then the rest."""
    done: set[str] = set()
    for content, extraction in finished:
        if delta.hashes.get(extraction.document.doc_id) == content:
            done.add(extraction.document.doc_id)
            yield content, extraction
    if done:
        log.info("%d documents were read by a run that did not finish; they are not read again", len(done))
    rest = (document for document in corpus.documents(tell=False) if document.doc_id in delta.hashes.keys() - done)
    for extraction in extractor.extract(rest):
        yield content_hash(extraction.document), extraction


def _read_facts(writer: Writer, corpus: Corpus, doc_id: str, path: Path, *, strict: bool) -> int:
    """One file of facts; returns how many lines (or 1 for a file that is unusable among others) were passed over."""
    ledger, row = writer.ledger, DocumentRow(doc_id, corpus.source, sha256_file(path), "", None, str(path), GIVEN, "")
    content = f"{GIVEN} {row.hash}"
    reached = ledger.progress(doc_id, content)
    if reached.is_whole or reached.line:
        log.info("%s: %s facts were read by a run that did not finish, and are not read again", path, reached.facts)
    if reached.is_whole:
        return reached.skipped
    reader = read_facts(path, doc_id, strict=strict, after=reached.line)
    try:
        with ledger.all_or_nothing():
            reached = record_given(ledger, reader, row=row, content=content, reached=reached)
            if reached.facts == 0 and (reader.skipped or path == corpus.path):
                first = f"; line {reader.skipped[0].line}: {reader.skipped[0].reason}" if reader.skipped else ""
                raise InputError(f"{path} holds no facts{first}; give a file of facts as corpus.path")
            ledger.keep(doc_id, content, reached)
    except InputError as error:
        if strict or path == corpus.path:
            raise
        log.warning("passed over: %s", error)
        ledger.forget(doc_id)
        return 1
    return reached.skipped


def _is_new_policy(writer: Writer, policy: Policy | None) -> bool:
    """Whether what is committed was decided by another policy."""
    if writer.base is None or policy is None or policy.decides_like(writer.policy):
        return False
    log.info(
        "conflicts are decided anew: policy %s, %d functional relations (before: %s, %d)",
        policy.keep, len(policy.functional), writer.policy.keep, len(writer.policy.functional),
    )  # fmt: skip
    return True


def _decide(writer: Writer, policy: Policy, *, anew: bool) -> None:
    """Which facts are overruled, from the supports as they now are; and what functional relations are learned from."""
    overrule(writer.ledger, policy, anew=anew)
    count_heads(writer.ledger, anew=not writer.recorded or writer.base is None)
    writer.policy, writer.recorded = policy, True


def _write_graph(writer: Writer, *, texts: bool) -> tuple[dict[str, int], Changes | None]:
    """Changes the live store as the ledger says, and makes the snapshot that readers will open.

    Returns num_facts_added and num_facts_removed, and what changed; None for a first generation, whose graph is all of
    it and streams from the ledger.
    """
    graph, base, changes = writer.kb / "graph", writer.base, None
    with open_live(graph, base.snapshot if base else None) as store:
        if base is None:
            grown = build_graph(writer.ledger, store)
            added, removed = grown["num_facts"], 0
        else:
            changes = graph_changes(writer.ledger, store, texts=texts)
            store.remove(changes.old.quads)
            store.add(changes.new.quads)
            grown, added, removed = changes.growth(), len(changes.new.facts), len(changes.old.facts)
        writer.snapshot = writer.name
        store.snapshot(graph / "snapshots" / writer.name)
    before = graph / "snapshots" / base.snapshot if base else None
    known = base.snapshot_files if base else {}
    writer.snapshot_files = hash_folder(graph / "snapshots" / writer.name, known=known, known_folder=before)
    writer.count(grown)
    return {"num_facts_added": added, "num_facts_removed": removed}, changes


def _follow(writer: Writer, changes: Changes | None, settings: Settings) -> dict[str, int]:
    """The vectors of what changed; those of everything that is missing for a first generation, or when an earlier run
    left them behind."""
    if settings.embedder is None:
        writer.indexed = False
        return {}
    if writer.indexed and changes:
        return follow(writer, delta_of_changes(changes.old, changes.new), settings.embedder, settings.options)
    return catch_up(writer, settings.embedder, settings.options, config=settings.config, seed=settings.seed)


def _mirror(base: Generation | None, settings: Settings, changes: Changes | None = None) -> dict[str, int]:
    """The server in step with what is committed, where one follows; `changes` are those since generation `base`."""
    return settings.mirror.follow(base=base, changes=changes) if settings.mirror else {}

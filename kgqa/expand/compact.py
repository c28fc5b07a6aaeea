"""The one step that costs what a knowledge base holds: small files become large ones, and what died is forgotten.

Content stays as it is. What removed documents said is gone from the disk afterwards, unless an older generation that is
kept still shows it (`keep=1` keeps none).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kgqa.artifacts import hash_folder
from kgqa.errors import StoreError
from kgqa.expand.batches import BatchWriter, read_batch
from kgqa.expand.writer import Writer, writing
from kgqa.graph.oxigraph import GraphStore, Quad, open_live
from kgqa.ledger import DocumentRow, Ledger
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import compact as compact_memory
from kgqa.schema import drop_words, index_words

PARTS = ("extract", "graph", "memory", "generations", "ledger.sqlite")


@dataclass(frozen=True)
class Compacted:
    """What a compaction did."""

    generation: str
    before: Mapping[str, int]
    """Bytes on the disk of each of `PARTS`; a file that several snapshots share counts once."""
    after: Mapping[str, int]

    @property
    def reclaimed(self) -> int:
        """Bytes."""
        return sum(self.before.values()) - sum(self.after.values())


def compact(kb: Path, *, options: IndexOptions, keep: int | None = None) -> Compacted:
    """Rewrites vectors, graph files and batches without what is dead, prunes to `keep` generations, packs the ledger.

    Raises StoreError where there is no knowledge base.
    """
    before = disk_usage(kb)
    with writing(kb) as writer:
        if writer.base is None:
            raise StoreError(f"no knowledge base at {kb}; give one as kb=DIR")
        for kind, refs in writer.memory.items():
            writer.memory[kind] = compact_memory(kb / "memory" / kind, refs, generation=writer.name, options=options)
        _compact_graph(writer)
        _compact_batches(writer)
        name = writer.commit("compact", config="", seed=None, keep=keep)
        _pack(writer.ledger)
    return Compacted(name, before, disk_usage(kb))


def disk_usage(kb: Path) -> dict[str, int]:
    """Bytes of each of `PARTS`."""
    usage = dict.fromkeys(PARTS, 0)
    seen: set[tuple[int, int]] = set()
    for part in PARTS:
        for path in (kb / part).rglob("*") if (kb / part).is_dir() else kb.glob(f"{part}*"):
            stat = path.stat()
            if path.is_file() and (stat.st_dev, stat.st_ino) not in seen:
                seen.add((stat.st_dev, stat.st_ino))
                usage[part] += stat.st_size
    return usage


def _compact_graph(writer: Writer) -> None:
    """A new store with the same quads: Oxigraph keeps the text of every term that it ever saw."""
    graph = writer.kb / "graph"
    with GraphStore.open(graph / "snapshots" / writer.snapshot, read_only=True) as old:
        rebuild(writer, old.quads())


def rebuild(writer: Writer, quads: Iterable[Quad]) -> None:
    """Makes `quads` the whole graph, in a new store."""
    graph = writer.kb / "graph"
    with open_live(graph, None) as store:
        store.add(quads)
        writer.snapshot = writer.name
        store.snapshot(graph / "snapshots" / writer.name)
    writer.snapshot_files = hash_folder(graph / "snapshots" / writer.name, known={}, known_folder=None)


def _compact_batches(writer: Writer) -> None:
    """One batch of the living documents in place of those that hold dead ones."""
    extract = writer.kb / "extract"
    homes = {row.doc_id: row for row in writer.ledger.documents() if row.batch}
    stale = [name for name in writer.batches if _holds_dead(extract / name, name, homes)]
    if not stale:
        return
    with BatchWriter(extract, f"batch-{writer.ledger.generation:06d}") as batch:
        for name in stale:
            for header, extraction in read_batch(extract / name):
                row = homes.get(extraction.document.doc_id)
                if row is not None and row.batch == name:
                    batch.add(extraction, header["hash"], header["reader"])
                    writer.ledger.put_document(replace(row, batch=batch.name))
            del writer.batches[name]
        writer.batches[batch.name] = batch.finish(config="compact", seed=None)


def _holds_dead(folder: Path, name: str, homes: Mapping[str, DocumentRow]) -> bool:
    ids = [extraction.document.doc_id for _, extraction in read_batch(folder)]
    return any(doc_id not in homes or homes[doc_id].batch != name for doc_id in ids)


def _pack(ledger: Ledger) -> None:
    """Forgets the terms and document ids that no row names any more, and gives the room back."""
    uses = {
        "terms": [
            *(f"SELECT {column} FROM supports" for column in ("head", "relation", "tail", "node_head", "node_tail")),
            "SELECT term FROM names", "SELECT raw FROM redirects", "SELECT canonical FROM redirects",
            "SELECT term FROM mentions",
        ],
        "docs": [f"SELECT doc FROM {table}" for table in ("documents", "supports", "names", "passages")],
    }  # fmt: skip
    with ledger.connection as connection:
        connection.execute("BEGIN IMMEDIATE")
        for table, used in uses.items():
            connection.execute(f"DELETE FROM {table} WHERE id NOT IN ({' UNION '.join(used)})")
        drop_words(connection)  # the index keeps words that are gone, and VACUUM renumbers its passages
    connection.execute("VACUUM")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        index_words(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

"""The one writer of a knowledge base: it holds the lock, drops what a killed run left, and commits.

The order of a commit, and what a kill leaves at each step: docs/decisions/0001-commit-protocol.md.
"""

import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kgqa.artifacts import code_version
from kgqa.conflicts import Policy
from kgqa.errors import StoreError
from kgqa.expand.retention import PART, prune
from kgqa.generations import (
    Generation,
    commit_generation,
    current_generation,
    generation_name,
    read_generation,
    write_generation,
)
from kgqa.graph.oxigraph import mark_live
from kgqa.ledger_writer import LedgerWriter
from kgqa.lock import writer_lock
from kgqa.memory.embedder import Embedder
from kgqa.memory.long_term import MemoryRefs

log = logging.getLogger(__name__)

COUNTS = (
    "num_documents", "num_facts", "num_supports", "num_entities", "num_relations", "num_passages", "num_overruled",
)  # fmt: skip
"""Totals that every generation carries."""


class Writer:
    """The open knowledge base of the one writer, and the generation in the making."""

    def __init__(self, kb: Path, base: Generation | None, ledger: LedgerWriter) -> None:
        self.kb = kb
        self.base = base
        self.ledger = ledger
        self.name = generation_name(ledger.generation)
        self.snapshot = base.snapshot if base else ""
        self.snapshot_files = dict(base.snapshot_files) if base else {}
        self.batches = dict(base.batches) if base else {}
        self.memory = {kind: MemoryRefs.from_json(refs) for kind, refs in base.memory.items()} if base else {}
        self.embedder = base.embedder if base else None
        self.indexed = base.indexed if base else True
        """Whether the vectors follow the graph; those of nothing do."""
        self.counts = dict.fromkeys(COUNTS, 0) | (dict(base.counts) if base else {})
        self.take_policy(base)

    def take_policy(self, state: Generation | None) -> None:
        """Goes on with what a generation decides conflicts by; a new knowledge base keeps all values."""
        self.policy = Policy.from_json(state.conflict) if state and state.conflict else Policy()
        self.recorded = state is None or state.conflict is not None
        """Whether the ledger counts the heads of relations; one of format 1 does not until its next expansion."""

    def check_embedder(self, embedder: Embedder | None) -> None:
        """Vectors of two embedders are never mixed."""
        if embedder and self.embedder and embedder.name != self.embedder:
            raise StoreError(
                f"{self.kb} was indexed with embedder {self.embedder!r}, this run has {embedder.name!r}; "
                "choose that one, or run pipelines/index.py to index anew"
            )

    def count(self, grown: Mapping[str, int]) -> None:
        """Brings the totals up to date, without counting what did not change.

        `grown`: how many more there are now of what stands in the graph; the ledger tells the rest.
        """
        ledger = {f"num_{table}": self.ledger.growth(table) for table in ("documents", "supports", "overruled")}
        self.counts = {key: self.counts[key] + {**grown, **ledger}[key] for key in COUNTS}

    def commit_part(self, *, config: str, seed: int | None) -> None:
        """Commits what there is, with vectors that do not follow the graph yet, and goes on with the next generation.

        No generation is pruned for it, and it goes itself once there is a later one (kgqa.expand.retention).
        """
        self.indexed = False
        self.base = read_generation(self.kb, self.commit(PART, config=config, seed=seed, keep=None))
        self.ledger.go_on()
        self.name = generation_name(self.ledger.generation)

    def commit(self, stage: str, *, config: str, seed: int | None, keep: int | None) -> str:
        """Makes all that was written one generation and prunes to the newest `keep`; returns its name."""
        self.ledger.commit()
        generation = Generation(
            number=self.ledger.generation,
            stage=stage,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            snapshot=self.snapshot,
            snapshot_files=self.snapshot_files,
            batches=self.batches,
            memory={kind: refs.to_json() for kind, refs in self.memory.items()},
            embedder=self.embedder,
            indexed=self.indexed,
            counts=self.counts,
            manifest={"code": code_version(), "config": config, "seed": seed},
            conflict=self.policy.to_json() if self.recorded else None,
        )
        write_generation(self.kb, generation)
        commit_generation(self.kb, generation)
        if self.snapshot == self.name:
            mark_live(self.kb / "graph", self.snapshot)
        prune(self.kb, self.ledger, keep)
        return self.name


_NUMBER = re.compile(r"(\d{6,})")
"""The generation in the name of a file or folder."""


@contextmanager
def writing(kb: Path) -> Iterator[Writer]:
    """Holds the lock, drops what an unfinished run left, and opens the ledger."""
    with writer_lock(kb):
        name = current_generation(kb)
        base = read_generation(kb, name) if name else None
        committed = base.number if base else 0
        _drop_uncommitted(kb, committed)
        with LedgerWriter.open(kb / "ledger.sqlite", committed) as ledger:
            yield Writer(kb, base, ledger)


def _drop_uncommitted(kb: Path, committed: int) -> None:
    """Removes what a later generation than the committed one has left. Batches stay: they are read again."""
    folders = (kb / "generations", kb / "graph" / "snapshots", kb / "graph" / "derived", *(kb / "memory").glob("*"))
    entries = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    late = [path for path in entries if (number := _NUMBER.search(path.name)) and int(number[1]) > committed]
    temporary = [path for folder in (kb, kb / "graph", *folders) for path in folder.glob(".*.tmp")]
    for path in {*late, *temporary}:
        log.info("dropping %s, left by a run that did not finish", path)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

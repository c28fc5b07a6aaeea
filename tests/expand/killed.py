"""What a process does that is killed: it changes a toy knowledge base and dies by SIGKILL at the n-th step boundary, or
says how many there are."""

import sys
from pathlib import Path
from typing import Any

from kgqa import artifacts
from kgqa.expand import apply, batches, catch_up, compact, record, restore, retention, rollback, vectors, writer
from kgqa.expand.plan import Corpus
from kgqa.graph.oxigraph import GraphStore
from kgqa.ledger_writer import LedgerWriter
from kgqa.memory.index import IndexOptions
from tests.countdown import Countdown
from tests.expand.toy import settings

STEPS: list[tuple[Any, str]] = [
    (batches.BatchWriter, "add"), (batches.BatchWriter, "finish"), (LedgerWriter, "replace"),
    (LedgerWriter, "drop_document"), (LedgerWriter, "give"), (LedgerWriter, "keep"), (restore, "record_exported"),
    (LedgerWriter, "finish_bulk"), (apply, "apply_redirects"), (apply, "open_live"), (apply, "build_graph"),
    (GraphStore, "remove"), (GraphStore, "add"), (GraphStore, "snapshot"), (apply, "hash_folder"),
    (vectors, "apply_delta"), (LedgerWriter, "commit"), (writer, "write_generation"), (writer, "commit_generation"),
    (artifacts.os, "replace"), (writer, "mark_live"), (LedgerWriter, "go_on"), (retention, "_sweep"),
    (retention, "_forget"), (compact, "rebuild"), (compact, "compact_memory"), (compact, "_pack"),
    (rollback, "_revert"),
]  # fmt: skip


def main(kb: Path, corpus: Path, last: int, action: str) -> None:
    """`action`: expand, compact, rollback or index."""
    countdown = Countdown(last)
    record.BLOCK, record.PART = 3, 6
    catch_up.PART, vectors.BLOCK = 4, 2
    for owner, name in STEPS:
        setattr(owner, name, countdown.around(getattr(owner, name)))
    change(action, kb, corpus)
    sys.stdout.write(str(countdown.passed))


def change(action: str, kb: Path, corpus: Path) -> None:
    """What is killed; a rollback is to the first generation."""
    if action == "expand":
        apply.expand(kb, Corpus(corpus), settings(), allow_empty=True)
    elif action == "index":
        apply.index(kb, settings())
    elif action == "compact":
        compact.compact(kb, options=IndexOptions(), keep=1)
    else:
        rollback.rollback(kb, "gen-000001", keep=2)

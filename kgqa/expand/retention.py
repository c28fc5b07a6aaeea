"""Which generations stay readable, and the removal of all that only the others need.

Removing costs what is removed. A generation that a reader has open stays whatever its age. Each step can be repeated,
so that a run which died in between is finished by the next.
"""

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from kgqa.artifacts import unreferenced
from kgqa.errors import StoreError
from kgqa.generations import Generation, generation_names, read_generation
from kgqa.ledger import Ledger
from kgqa.lock import is_held
from kgqa.memory.long_term import MemoryRefs, remove_unreferenced
from kgqa.schema import FOREVER, VERSIONED

log = logging.getLogger(__name__)

PART = "part"
"""The stage of a generation that is a step on the way to the next one, whose vectors are not all made."""


def prune(kb: Path, ledger: Ledger, keep: int | None) -> list[str]:
    """Removes the generations but the newest `keep` (None: all stay) and those that are open; returns their names.

    For the one writer, after its commit. What killed runs left goes too, and generations that were but steps to a
    later one, which count for nothing. Nothing is removed while the file of a generation that is to stay cannot be
    read, since nobody knows then what it needs.
    """
    names = generation_names(kb)
    try:
        wanted = _wanted(kb, names, keep)
        gone = [name for name in names if name not in wanted and not is_held(_file(kb, name))]
        kept = [read_generation(kb, name) for name in names if name not in gone]
    except StoreError as error:
        log.warning("nothing is pruned: %s", error)
        return []
    for name in gone:
        _file(kb, name).unlink()
    _sweep(kb, kept)
    if gone:
        _forget(ledger, min(state.number for state in kept))
    return gone


def _wanted(kb: Path, names: Sequence[str], keep: int | None) -> set[str]:
    """The last generation, and so many before it that they are `keep`, without those that were steps to the next."""
    found = set(names[-1:])
    for name in reversed(names[:-1]):
        if keep is not None and len(found) >= keep:
            break
        if read_generation(kb, name).stage != PART:
            found.add(name)
    return found


def _file(kb: Path, name: str) -> Path:
    return kb / "generations" / f"{name}.json"


def _sweep(kb: Path, kept: Iterable[Generation]) -> None:
    """Removes the batches, snapshots and vectors that none of the generations names."""
    kept = list(kept)
    batches = {name for state in kept for name in state.batches}
    snapshots = {state.snapshot for state in kept}
    graph = kb / "graph"
    for place, named in ((kb / "extract", batches), (graph / "snapshots", snapshots), (graph / "derived", snapshots)):
        for path in unreferenced(place, named):
            shutil.rmtree(path)
    for folder in (kb / "memory").glob("*"):
        stored = (state.memory.get(folder.name) for state in kept)
        remove_unreferenced(folder, [MemoryRefs.from_json(refs) for refs in stored if refs])


def _forget(ledger: Ledger, oldest: int) -> None:
    """Deletes the rows that no generation from `oldest` on can see."""
    with ledger.connection:
        ledger.connection.execute("BEGIN IMMEDIATE")
        for table in VERSIONED:
            sql = f"DELETE FROM {table} WHERE died <= ? AND died < {FOREVER}"
            ledger.connection.execute(sql, (oldest,))

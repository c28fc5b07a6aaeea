"""Back to an older generation, by a new one that says the same: history only ever grows."""

from pathlib import Path

from kgqa.errors import InputError, StoreError
from kgqa.expand.writer import Writer, writing
from kgqa.generations import commit_generation, current_generation, read_generation
from kgqa.ledger import Ledger
from kgqa.lock import writer_lock
from kgqa.memory.long_term import MemoryRefs
from kgqa.schema import FOREVER, VERSIONED


def rollback(kb: Path, to: str, *, keep: int | None = None) -> str:
    """Commits a generation with the content of the kept generation `to`; returns its name.

    The graph and the vectors of `to` are named again, not written, so the cost follows the ledger's rows that changed
    since. An expansion from the same corpus afterwards brings back what was rolled back. Where the current generation
    cannot be read, `to` itself becomes the current one and later ones are dropped. Raises StoreError when `to` is no
    longer kept, InputError when it is the current one.
    """
    if not _current_is_whole(kb):
        with writer_lock(kb):
            commit_generation(kb, read_generation(kb, to))
        return to
    with writing(kb) as writer:
        target = read_generation(kb, to)
        if writer.base is None or target.number >= writer.base.number:
            raise InputError(f"{to} is the current generation of {kb}; name an older one (kgqa log kb={kb} lists them)")
        _revert(writer.ledger, target.number)
        _take_over(writer, to)
        return writer.commit("rollback", config=f"to {to}", seed=None, keep=keep)


def _current_is_whole(kb: Path) -> bool:
    try:
        name = current_generation(kb)
        return name is None or bool(read_generation(kb, name))
    except StoreError:
        return False


def _take_over(writer: Writer, to: str) -> None:
    target = read_generation(writer.kb, to)
    writer.snapshot, writer.snapshot_files = target.snapshot, dict(target.snapshot_files)
    writer.batches = {**target.batches, **writer.batches}
    writer.memory = {kind: MemoryRefs.from_json(refs) for kind, refs in target.memory.items()}
    writer.embedder, writer.indexed, writer.counts = target.embedder, target.indexed, dict(target.counts)
    writer.take_policy(target)


def _revert(ledger: Ledger, number: int) -> None:
    """Ends what was born after generation `number`, and bears again what died after it."""
    now = ledger.generation
    for table in VERSIONED:
        info = ledger.connection.execute(f"PRAGMA table_info({table})")
        columns = ", ".join(name for _, name, *_ in info if name not in ("id", "born", "died"))
        ledger.connection.execute(f"UPDATE {table} SET died = {now} WHERE born > {number} AND +died = {FOREVER}")
        ledger.connection.execute(
            f"INSERT INTO {table} ({columns}, born, died) SELECT {columns}, {now}, {FOREVER} FROM {table} "
            f"WHERE +born <= {number} AND died > {number} AND died < {FOREVER}"
        )

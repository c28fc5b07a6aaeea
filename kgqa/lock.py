"""Who works on what: the one writer of a file or a knowledge base, whose lock explains itself, and the readers of a
generation."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from kgqa.errors import LockedError, StoreError


def writer_lock(kb: Path) -> AbstractContextManager[None]:
    """Holds a knowledge base for writing; LockedError names the process that has it, and since when."""
    return file_lock(kb / "writer.lock", kb, remedy="choose another kb= or mend its rights")


@contextmanager
def file_lock(path: Path, what: Path, *, remedy: str) -> Iterator[None]:
    """Holds `what` by the lock file `path`, which its holder may remove; LockedError while another process has it.

    The lock is an flock, which the system drops when its holder dies in whatever way: a file left by a killed writer is
    recognised as stale because nobody holds it, with no guessing from process ids that may have been given out again.
    StoreError, with the remedy, where the file cannot be made.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab", buffering=0)
        except OSError as error:
            raise StoreError(f"cannot write in {path.parent}: {error.strerror}; {remedy}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LockedError(f"{what} is being written to by {_holder(path)}; wait for it, or end it") from None
            if not _is_at(file.fileno(), path):
                continue  # its last holder removed it between our opening and locking it
            holder = {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "since": datetime.now(UTC).isoformat("T", "seconds"),
            }
            with suppress(OSError):  # a full disk leaves the lock unexplained, not unlocked
                file.truncate(0)
                file.write(json.dumps(holder).encode())
            try:
                yield
            finally:
                file.truncate(0)
            return


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError):  # between taking the lock and writing who has it
        return "another process"


def hold(path: Path) -> IO[str] | None:
    """Holds a file against `is_held` until the result is closed; None when the file is gone, or goes meanwhile."""
    try:
        file = path.open(encoding="utf-8")
    except FileNotFoundError:
        return None
    fcntl.flock(file, fcntl.LOCK_SH)
    if os.fstat(file.fileno()).st_nlink == 0:  # removed between the opening and the lock
        file.close()
        return None
    return file


def is_held(path: Path) -> bool:
    """Whether any process has the file from `hold`."""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False

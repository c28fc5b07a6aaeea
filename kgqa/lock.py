"""Who works on a knowledge base: the one writer, whose lock explains itself, and the readers of a generation."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from kgqa.errors import LockedError, StoreError


@contextmanager
def writer_lock(kb: Path) -> Iterator[None]:
    """Holds `kb` for writing; LockedError names the process that has it, and since when.

    The lock is an flock, which the system drops when its holder dies in whatever way: a file left by a killed writer is
    recognised as stale because nobody holds it, with no guessing from process ids that may have been given out again.
    """
    path = kb / "writer.lock"
    try:
        kb.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write in {kb}: {error.strerror}; choose another kb= or mend its rights") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"{kb} is being written to by {_holder(path)}; wait for it, or end it") from None
        file.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


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

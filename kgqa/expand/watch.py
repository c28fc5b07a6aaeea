"""A folder that is watched: what changes in it is committed as it comes, until the process is told to stop.

A poll reads no file, it looks at sizes and times. They say when the corpus is compared with the ledger, never what has
changed: that is decided by content, as in every expansion. A file is left as it was until it stood still from one poll
to the next, and what comes while a delta is made waits for the next one, so that no half-written file is read.
"""

import logging
import os
import signal
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kgqa.errors import ConfigError, InputError, KgqaError
from kgqa.expand.apply import Outcome, Settings, expand
from kgqa.expand.plan import Corpus

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds after which a round that failed is tried again at the latest, unless polls are further apart."""

Signature = tuple[int, int, int, int]
"""(size, time of the last change of content, of any change, inode): what nobody can change a file without changing."""


class Watcher:
    """One folder and one knowledge base; remembers what the folder looked like, and what of it was committed."""

    def __init__(self, kb: Path, corpus: Corpus, settings: Settings) -> None:
        self._kb = kb
        self._corpus = corpus
        self._settings = settings
        self._seen: dict[str, Signature] = {}
        self._done: dict[str, Signature] = {}

    def poll(self) -> Outcome | None:
        """Looks once, and commits what changed and stands still; None where nothing is due.

        Raises InputError where the folder is gone, and what `expand` raises. The next poll tries again.
        """
        now = self._look()
        moving = _differing(now, self._seen)
        self._seen = now
        due = _differing(now, self._done) - moving
        if not due:
            return None
        settled = frozenset(now.keys() - moving)
        corpus = replace(self._corpus, settled=settled, unsettled=frozenset(moving), skipped=[])
        outcome = expand(self._kb, corpus, self._settings)
        left = {path: self._done[path] for path in moving & self._done.keys()}
        self._done = {path: now[path] for path in settled} | left
        return outcome

    def _look(self) -> dict[str, Signature]:
        if not self._corpus.path.exists():
            raise InputError(f"{self._corpus.path} is gone; its documents stay as they are, bring it back to go on")
        return {path: found for path in self._corpus.paths() if (found := _signature(path))}


def _differing(one: dict[str, Signature], other: dict[str, Signature]) -> set[str]:
    """The paths that only one has, or both with different signatures."""
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def _signature(path: str) -> Signature | None:
    """None for what is no file, or is gone since it was listed."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    is_file = stat.S_ISREG(found.st_mode)
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) if is_file else None


def watch(
    kb: Path, corpus: Corpus, settings: Settings, *, seconds: float, committed: Callable[[Outcome], None]
) -> None:
    """Polls every `seconds` until KeyboardInterrupt; `committed` is told of each generation.

    What fails in one round (a locked knowledge base, a full disk, a file that cannot be read) is logged once and tried
    again, after twice the time each time. Raises ConfigError, which no waiting mends.
    """
    watcher = Watcher(kb, corpus, settings)
    failures, told = 0, ""
    log.info("watching %s every %g s; Ctrl-C or SIGTERM ends it", corpus.path, seconds)
    while True:
        try:
            outcome = watcher.poll()
            if failures:
                log.info("going on after %d rounds that failed", failures)
            failures, told = 0, ""
            if outcome and outcome.generation:
                committed(outcome)
        except ConfigError:
            raise
        except (KgqaError, OSError, sqlite3.Error) as error:
            failures += 1
            if str(error) != told:
                log.warning("this round failed and is tried again: %s", error)
            told = str(error)
        time.sleep(min(seconds * 2 ** min(failures, 16), max(seconds, LONGEST_WAIT)))


@contextmanager
def until_stopped() -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM end the block quietly, at once.

    A delta that is under way is dropped, as by any interrupt; what was read for it is there for the next run.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        log.info("stopped; what was committed stays")
    finally:
        signal.signal(signal.SIGTERM, before)

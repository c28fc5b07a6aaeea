"""The ledger of a first generation: written without indexes, and kept in parts.

Nothing is committed yet that a reader could see, so that rows need no index and no history. What is read of files of
given facts is kept every so often, together with how far that is: an import that is killed goes on from there. A power
failure may cost the last of it.
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kgqa.artifacts import sync
from kgqa.schema import (
    CONFLICTS,
    HISTORY,
    IDENTITY,
    INDEXES,
    MENTIONS,
    SCHEMA,
    connect,
    has_table,
    index_words,
    set_durable,
)

_FORMAT = 1
"""Of what is left to go on from; raised when a row of it changes its meaning."""
_READING = """
CREATE TABLE reading (doc INTEGER PRIMARY KEY, hash TEXT NOT NULL, line INTEGER NOT NULL, facts INTEGER NOT NULL,
    skipped INTEGER NOT NULL, is_whole INTEGER NOT NULL);
"""
_OF_DOCUMENTS = ("documents", "supports", "names", "passages", "mentions")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file of given facts is read."""

    line: int = 0
    facts: int = 0
    skipped: int = 0
    is_whole: bool = False


def begin(path: Path) -> sqlite3.Connection:
    """Opens what a killed run has kept, or a new file; a transaction is open then."""
    connection = _left(path) or _new(path)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 50000")
    connection.execute("BEGIN IMMEDIATE")
    return connection


def _left(path: Path) -> sqlite3.Connection | None:
    """What a killed run has kept; None where that is nothing, or cannot be read."""
    if not path.is_file():
        return None
    connection = sqlite3.connect(path, isolation_level=None)
    with suppress(sqlite3.Error):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == _FORMAT and has_table(connection, "reading"):
            for table in _OF_DOCUMENTS:  # of prose nothing is kept here: its batches are
                connection.execute(f"DELETE FROM {table} WHERE doc NOT IN (SELECT doc FROM reading)")
            connection.close()
            return connect(path, "rw")
    connection.close()
    return None


def _new(path: Path) -> sqlite3.Connection:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
        path.with_name(name).unlink(missing_ok=True)
    connection = connect(path, "rwc")
    connection.executescript(
        f"BEGIN; {SCHEMA}{CONFLICTS}{MENTIONS}{_READING}{IDENTITY} PRAGMA user_version = {_FORMAT}; COMMIT;"
    )
    return connection


def progress(connection: sqlite3.Connection, doc: int, content: str) -> Progress:
    """What is kept of the document; all of it is forgotten where it was read from another content."""
    sql = "SELECT hash, line, facts, skipped, is_whole FROM reading WHERE doc = ?"
    row = connection.execute(sql, (doc,)).fetchone()
    if row is None:
        return Progress()
    if row[0] != content:
        forget(connection, doc)
        return Progress()
    return Progress(row[1], row[2], row[3], bool(row[4]))


def keep(connection: sqlite3.Connection, doc: int, content: str, reached: Progress) -> None:
    """Makes what was written so far last, inside `Ledger.all_or_nothing`."""
    values = (doc, content, reached.line, reached.facts, reached.skipped, reached.is_whole)
    connection.execute("INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?, ?, ?)", values)
    for statement in ("RELEASE part", "COMMIT", "BEGIN IMMEDIATE", "SAVEPOINT part"):
        connection.execute(statement)


def kept(connection: sqlite3.Connection) -> list[int]:
    """The documents of which something is kept."""
    return [doc for (doc,) in connection.execute("SELECT doc FROM reading")]


def forget(connection: sqlite3.Connection, doc: int) -> None:
    """Takes out all that the document states: a pass over all rows."""
    for table in ("reading", *_OF_DOCUMENTS):
        connection.execute(f"DELETE FROM {table} WHERE doc = ?", (doc,))


def finish(connection: sqlite3.Connection) -> None:
    """Makes the indexes, once all documents are recorded."""
    connection.execute(
        "DELETE FROM names WHERE rowid NOT IN (SELECT min(rowid) FROM names GROUP BY doc, name, term, preferred)"
    )
    for statement in (INDEXES + HISTORY).split(";"):
        connection.execute(statement)
    index_words(connection)
    connection.execute("DROP TABLE reading")


def settle(connection: sqlite3.Connection, path: Path) -> None:
    """After the commit: the file can be relied on from now on."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sync(path)
    set_durable(connection)

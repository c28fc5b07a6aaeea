"""The ledger's tables in SQLite, their indexes, and how a file of them is opened.

WAL mode, so that a reader opens and reads while a writer works; synchronous=FULL, because `CURRENT` must never be ahead
of the ledger after a power failure.
"""

import os
import sqlite3
from pathlib import Path

from kgqa.errors import StoreError

FOREVER = 2**62
"""`died` of a row that lives."""

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE);
CREATE TABLE docs (id INTEGER PRIMARY KEY, doc_id TEXT NOT NULL UNIQUE);
CREATE TABLE documents (doc INTEGER NOT NULL, source TEXT, hash TEXT, title TEXT, date TEXT, path TEXT, reader TEXT,
    batch TEXT, born INTEGER NOT NULL, died INTEGER NOT NULL);
CREATE TABLE supports (id INTEGER PRIMARY KEY, doc INTEGER NOT NULL,
    head INTEGER NOT NULL, relation INTEGER NOT NULL, tail INTEGER NOT NULL,
    node_head INTEGER NOT NULL, node_tail INTEGER NOT NULL,
    sentence TEXT, start INTEGER, stop INTEGER, head_start INTEGER, head_stop INTEGER,
    tail_start INTEGER, tail_stop INTEGER, extractor TEXT, confidence REAL,
    born INTEGER NOT NULL, died INTEGER NOT NULL);
CREATE TABLE names (doc INTEGER NOT NULL, name TEXT NOT NULL, term INTEGER NOT NULL, preferred INTEGER NOT NULL,
    born INTEGER NOT NULL, died INTEGER NOT NULL);
CREATE TABLE passages (doc INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, text TEXT NOT NULL,
    born INTEGER NOT NULL, died INTEGER NOT NULL);
CREATE TABLE redirects (raw INTEGER NOT NULL, canonical INTEGER NOT NULL, born INTEGER NOT NULL, died INTEGER NOT NULL);
CREATE INDEX documents_doc ON documents (doc);
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS supports_doc ON supports (doc);
CREATE INDEX IF NOT EXISTS supports_triple ON supports (node_head, relation, node_tail);
CREATE INDEX IF NOT EXISTS supports_tail ON supports (node_tail);
CREATE INDEX IF NOT EXISTS supports_relation ON supports (relation);
CREATE INDEX IF NOT EXISTS names_doc ON names (doc);
CREATE INDEX IF NOT EXISTS names_term ON names (term);
CREATE INDEX IF NOT EXISTS passages_place ON passages (doc, start);
CREATE INDEX IF NOT EXISTS mentions_doc ON mentions (doc);
CREATE INDEX IF NOT EXISTS redirects_raw ON redirects (raw);
CREATE INDEX IF NOT EXISTS redirects_canonical ON redirects (canonical);
"""
CONFLICTS = """
CREATE TABLE IF NOT EXISTS overruled (head INTEGER NOT NULL, relation INTEGER NOT NULL, tail INTEGER NOT NULL,
    born INTEGER NOT NULL, died INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS cardinalities (relation INTEGER NOT NULL, heads INTEGER NOT NULL, single INTEGER NOT NULL,
    born INTEGER NOT NULL, died INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS overruled_slot ON overruled (head, relation);
CREATE INDEX IF NOT EXISTS cardinalities_relation ON cardinalities (relation);
"""
"""Made when a ledger of format 1 is next written to (kgqa.conflicts, kgqa.expand.overrule)."""
MENTIONS = """
CREATE TABLE IF NOT EXISTS mentions (doc INTEGER NOT NULL, start INTEGER NOT NULL, term INTEGER NOT NULL,
    born INTEGER NOT NULL, died INTEGER NOT NULL);
"""
"""The terms in the passage of a document that begins at `start`, before redirects; made, as the index of words is, when
a ledger that lacks it is next written to."""
WORDS = (
    "CREATE VIRTUAL TABLE passage_words USING fts5 "
    "(text, content='passages', tokenize='porter unicode61 remove_diacritics 2')",
    "INSERT INTO passage_words (passage_words) VALUES ('rebuild')",
    "CREATE TRIGGER passages_come AFTER INSERT ON passages BEGIN "
    "INSERT INTO passage_words (rowid, text) VALUES (new.rowid, new.text); END",
    "CREATE TRIGGER passages_go AFTER DELETE ON passages BEGIN "
    "INSERT INTO passage_words (passage_words, rowid, text) VALUES ('delete', old.rowid, old.text); END",
)
"""The words of `passages`, of dead rows too, which triggers keep in step."""
IDENTITY = "INSERT OR IGNORE INTO meta VALUES ('identity', random() & 9223372036854775807);"
VERSIONED = ("documents", "supports", "names", "passages", "redirects", "overruled", "cardinalities", "mentions")
# What undoing a generation looks for. Births come in order, so that their index only ever grows at its end.
HISTORY = "".join(
    f"CREATE INDEX IF NOT EXISTS {table}_born ON {table} (born);\n"
    f"CREATE INDEX IF NOT EXISTS {table}_died ON {table} (died) WHERE died < {FOREVER};\n"
    for table in VERSIONED
)


def at(column: str) -> str:
    """The condition that a row's `born` or `died` is the open generation.

    The index of deaths holds only rows that died, and SQLite takes it only where a query says that they did.
    """
    ended = f" AND {column} < {FOREVER}" if column.endswith("died") else ""
    return f"{column} = :generation{ended}"


def connect(path: Path, mode: str) -> sqlite3.Connection:
    if mode != "rwc" and not path.is_file():
        raise StoreError(f"{path} is missing; restore it from a copy or build the knowledge base again")
    location = path.resolve().as_uri() + f"?mode={mode}"
    try:
        connection = sqlite3.connect(location, uri=True, isolation_level=None, timeout=30.0)
        if mode != "ro":
            set_durable(connection)
            connection.execute("PRAGMA cache_size = -64000")
        elif not os.access(path.parent, os.W_OK):  # WAL wants to create files beside; on a read-only disk nobody writes
            connection.close()
            wal = path.with_name(path.name + "-wal")
            if wal.is_file() and wal.stat().st_size:
                raise StoreError(f"{path} has changes in {wal.name} yet; open it once on a disk that can be written")
            connection = sqlite3.connect(location + "&immutable=1", uri=True, isolation_level=None)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {path}: {error}; restore it from a copy or build again") from error
    return connection


def set_durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def index_words(connection: sqlite3.Connection) -> None:
    """Makes the index of the passages' words where there is none; costs all passages then, and nothing else.

    Part of the open transaction. Raises StoreError where SQLite cannot, and closes the connection.
    """
    if has_table(connection, "passage_words"):
        return
    try:
        for statement in WORDS:
            connection.execute(statement)
    except sqlite3.OperationalError as error:
        connection.close()
        raise StoreError(
            f"cannot index the words of passages: {error}; it takes room on the disk, and a Python whose SQLite "
            f"({sqlite3.sqlite_version} here) was built with FTS5, as nearly all are"
        ) from error


def drop_words(connection: sqlite3.Connection) -> None:
    """Takes away what `index_words` makes, as a part of the open transaction."""
    for kind, name in (("TRIGGER", "passages_come"), ("TRIGGER", "passages_go"), ("TABLE", "passage_words")):
        connection.execute(f"DROP {kind} IF EXISTS {name}")


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def undo(connection: sqlite3.Connection, committed: int) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for table in VERSIONED:
            connection.execute(f"DELETE FROM {table} WHERE born > ?", (committed,))
            sql = f"UPDATE {table} SET died = {FOREVER} WHERE died > ? AND died < {FOREVER}"
            connection.execute(sql, (committed,))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (committed,))

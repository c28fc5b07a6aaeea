"""SQLite bookkeeping: which document states what, under which dense id, from which generation to which.

Every row carries the generation that brought it (`born`) and the one that ended it (`died`), so that a reader of an
older generation sees its own state and a run that did not commit can be undone. A row lives in generation g when
born <= g < died. Terms are interned as integers; compaction forgets those that no row names.

WAL mode, so that a reader opens and reads while a writer works; synchronous=FULL, because `CURRENT` must never be ahead
of the ledger after a power failure.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kgqa.artifacts import sync
from kgqa.errors import StoreError
from kgqa.types import Provenance

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


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """What the ledger knows of one document."""

    doc_id: str
    source: str
    hash: str
    title: str
    date: str | None
    path: str
    reader: str
    """Identity of the extractor that read it, or `given`."""
    batch: str
    """The folder under extract/ with what was read in it; empty for given facts."""


SupportRow = tuple[int, int, int, str, int, int, int, int, int, int, str, float]
"""(head, relation, tail, sentence, start, stop, head_start, head_stop, tail_start, tail_stop, extractor, confidence):
one document's word for a triple, under the terms that the document has, before redirects."""
NameRow = tuple[str, int, int]
"""(name, term, 1 when it is what the term is to be called, else 0)."""
PassageRow = tuple[int, int, str]
"""(start, stop, text)."""
MentionRow = tuple[int, int]
"""(start of the passage, term)."""

_COLUMNS = {
    "supports": "head, relation, tail, sentence, start, stop, head_start, head_stop, tail_start, tail_stop, "
    "extractor, confidence",
    "names": "name, term, preferred",
    "passages": "start, stop, text",
    "mentions": "start, term",
}
_GIVEN = Provenance("").extractor
_DOCUMENT = "doc_id, source, hash, title, date, path, reader, batch"
# The plus signs keep SQLite from using an index on births or deaths where a row is found by what it says.
_LIVE = "+born <= :generation AND +died > :generation"


def at(column: str) -> str:
    """The condition that a row's `born` or `died` is the open generation.

    The index of deaths holds only rows that died, and SQLite takes it only where a query says that they did.
    """
    ended = f" AND {column} < {FOREVER}" if column.endswith("died") else ""
    return f"{column} = :generation{ended}"


class Ledger:
    """An open ledger at one generation; a context manager that closes it."""

    def __init__(self, connection: sqlite3.Connection, generation: int, *, bulk: Path | None = None) -> None:
        self.connection = connection
        self.generation = generation
        """What is read, and for a writer what it writes."""
        self._terms: dict[str, int] = {}
        self._bulk = bulk
        """The file, while its first generation is written."""
        self._written: set[tuple[str, int]] = set()
        """The tables and documents that were written to."""

    @classmethod
    def read(cls, path: Path, generation: int) -> Self:
        """Opens the state of `generation`; StoreError when the file is missing or damaged."""
        connection = _connect(path, "ro")
        if not _has_table(connection, "meta"):
            connection.close()
            raise StoreError(f"{path} is no ledger; restore it from a copy or build the knowledge base again")
        return cls(connection, generation)

    @classmethod
    def write(cls, path: Path, committed: int) -> Self:
        """Opens for writing generation `committed` + 1, and drops what a run that did not commit has left.

        The first generation is written past the log and without indexes; `finish_bulk` makes them.
        """
        if committed == 0:
            return cls._begin(path)
        connection = _connect(path, "rwc")
        schema = "" if _has_table(connection, "meta") else SCHEMA
        connection.executescript(f"BEGIN; {schema}{CONFLICTS}{MENTIONS}{INDEXES}{HISTORY}{IDENTITY} COMMIT;")
        connection.execute("BEGIN IMMEDIATE")
        index_words(connection)
        connection.commit()
        written = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        if written and written[0] > committed:
            _undo(connection, committed)
        connection.execute("BEGIN IMMEDIATE")
        return cls(connection, committed + 1)

    @classmethod
    def _begin(cls, path: Path) -> Self:
        """A ledger without a committed generation has nothing that could be lost: it is made anew, and is a file that
        can be relied on once it is committed."""
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)
        connection = _connect(path, "rwc")
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(f"BEGIN; {SCHEMA}{CONFLICTS}{MENTIONS}{IDENTITY} COMMIT;")
        connection.execute("BEGIN IMMEDIATE")
        return cls(connection, 1, bulk=path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; what was written and not committed is gone."""
        with suppress(sqlite3.ProgrammingError):
            self.connection.rollback()
        self.connection.close()

    def finish_bulk(self) -> None:
        """Makes the indexes, once the documents of a first generation are recorded; nothing in later ones."""
        if self._bulk:
            for statement in (INDEXES + HISTORY).split(";"):
                self.connection.execute(statement)
            index_words(self.connection)

    def commit(self) -> None:
        """Makes the generation's rows durable. Readers see them once `CURRENT` names the generation."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (self.generation,))
        self.connection.commit()
        if self._bulk:
            sync(self._bulk)
            _set_durable(self.connection)
            self._bulk = None

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is written inside is undone when an error leaves the block."""
        self.connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO part")
            self._terms.clear()  # ids that were given out inside are free again
            raise
        finally:
            self.connection.execute("RELEASE part")

    # -- reading ------------------------------------------------------------------------------------------------

    def rows(self, sql: str, **values: object) -> Iterator[tuple[object, ...]]:
        """Runs a query that may say `:generation`."""
        return self.connection.execute(sql, {"generation": self.generation, **values})

    def has(self, table: str) -> bool:
        """Whether there is such a table; one of an older format lacks some until it is next written to."""
        return _has_table(self.connection, table)

    @property
    def identity(self) -> int:
        """Tells this knowledge base and its copies from all others; 0 where kgqa before 0.2 was the last to write."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()
        return int(row[0]) if row else 0

    def documents(self) -> Iterator[DocumentRow]:
        """Every live document, by id."""
        sql = f"SELECT {_DOCUMENT} FROM documents JOIN docs ON docs.id = doc WHERE {_LIVE} ORDER BY doc_id"
        return (DocumentRow(*row) for row in self.connection.execute(sql, {"generation": self.generation}))

    def names(self) -> Iterator[tuple[str, str, bool]]:
        """(name, raw term, whether preferred) as the live documents state them."""
        sql = f"SELECT name, terms.term, preferred FROM names JOIN terms ON terms.id = names.term WHERE {_LIVE}"
        for name, term, preferred in self.connection.execute(sql, {"generation": self.generation}):
            yield name, term, bool(preferred)

    def passages(self) -> Iterator[tuple[str, int, int, str]]:
        """(doc_id, start, stop, text) of every passage of the live documents."""
        sql = f"SELECT doc_id, start, stop, text FROM passages JOIN docs ON docs.id = doc WHERE {_LIVE}"
        return iter(self.connection.execute(sql, {"generation": self.generation}))

    def provenance(self, triple: tuple[str, str, str]) -> list[Provenance]:
        """The supports of a triple of the graph, the surest first; empty when the graph does not hold it."""
        ids = [self.term_id(term) for term in triple]
        if None in ids:
            return []
        sql = f"""SELECT doc_id, sentence, start, stop, head_start, head_stop, tail_start, tail_stop,
                extractor, confidence
            FROM supports JOIN docs ON docs.id = doc
            WHERE node_head = :head AND relation = :relation AND node_tail = :tail AND {_LIVE}
            ORDER BY confidence DESC, doc_id, start, head_start, tail_start"""
        values = dict(zip(("head", "relation", "tail"), ids, strict=True), generation=self.generation)
        return [
            Provenance(row[0], row[1], (row[2], row[3]), (row[4], row[5]), (row[6], row[7]), row[8], row[9])
            for row in self.connection.execute(sql, values)
        ]

    def growth(self, table: str) -> int:
        """How many rows more this generation has in a versioned table than the one before; costs what changed."""
        born, died = (f"SELECT count(*) FROM {table} WHERE {at(when)}" for when in ("born", "died"))
        row = self.connection.execute(f"SELECT ({born}) - ({died})", {"generation": self.generation})
        return int(row.fetchone()[0])

    def term_id(self, term: str) -> int | None:
        """The dense id of a term, None when it was never seen."""
        found = self._terms.get(term)
        if found is None:
            row = self.connection.execute("SELECT id FROM terms WHERE term = ?", (term,)).fetchone()
            if row is None:
                return None
            found = self._terms[term] = row[0]
        return found

    def term(self, key: int) -> str:
        """The term of a dense id."""
        return str(self.connection.execute("SELECT term FROM terms WHERE id = ?", (key,)).fetchone()[0])

    def doc_id(self, key: int) -> str:
        """The document of a dense id."""
        return str(self.connection.execute("SELECT doc_id FROM docs WHERE id = ?", (key,)).fetchone()[0])

    # -- writing ------------------------------------------------------------------------------------------------

    def intern(self, term: str) -> int:
        """The dense id of a term, given out when it is new."""
        found = self.term_id(term)
        if found is None:
            found = self.connection.execute("INSERT INTO terms (term) VALUES (?)", (term,)).lastrowid
            assert found is not None
            self._terms[term] = found
        return found

    def intern_all(self, terms: Iterable[str]) -> Mapping[str, int]:
        """The dense ids of these terms and of all met before, new ones given out; many at once cost little each."""
        unknown = [term for term in dict.fromkeys(terms) if term not in self._terms]
        run = self.connection.execute
        if not self._bulk:
            sql = "SELECT term, id FROM terms WHERE term IN (SELECT value FROM json_each(?))"
            self._terms.update(run(sql, (json.dumps(unknown),)))
            unknown = [term for term in unknown if term not in self._terms]
        (start,) = run("SELECT coalesce(max(id), 0) + 1 FROM terms").fetchone()
        self.connection.executemany("INSERT INTO terms VALUES (?, ?)", enumerate(unknown, start))
        self._terms.update(zip(unknown, range(start, start + len(unknown)), strict=True))
        return self._terms

    def intern_doc(self, doc_id: str) -> int:
        """The dense id of a document; it keeps it through changes, removal and return."""
        self.connection.execute("INSERT INTO docs (doc_id) VALUES (?) ON CONFLICT DO NOTHING", (doc_id,))
        return int(self.connection.execute("SELECT id FROM docs WHERE doc_id = ?", (doc_id,)).fetchone()[0])

    def has_document(self, doc_id: str) -> bool:
        """Whether a document lives."""
        sql = "SELECT 1 FROM documents JOIN docs ON docs.id = doc WHERE doc_id = ? AND died = ?"
        return self.connection.execute(sql, (doc_id, FOREVER)).fetchone() is not None

    def put_document(self, row: DocumentRow) -> None:
        """Records the document as it now is; what was recorded before ends with this generation."""
        doc, now = self.intern_doc(row.doc_id), self.generation
        self.connection.execute("UPDATE documents SET died = ? WHERE doc = ? AND died = ?", (now, doc, FOREVER))
        said = (row.source, row.hash, row.title, row.date, row.path, row.reader, row.batch)
        self.connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (doc, *said, now, FOREVER)
        )

    def drop_document(self, doc_id: str) -> None:
        """Ends the document and all that it states."""
        doc = self.intern_doc(doc_id)
        for table in ("documents", *_COLUMNS):
            self.connection.execute(
                f"UPDATE {table} SET died = ? WHERE doc = ? AND died = ?", (self.generation, doc, FOREVER)
            )

    def replace(self, table: str, doc_id: str, rows: Iterable[tuple[object, ...]]) -> int:
        """Makes `rows` all that the document has in `table`: those that go die, those that come are born.

        `rows` are distinct; returns how many there are.
        """
        doc, columns = self.intern_doc(doc_id), _COLUMNS[table]
        sql = f"SELECT {columns}, rowid FROM {table} WHERE doc = ? AND died = ?"
        is_new = self._bulk is not None and (table, doc) not in self._written  # nothing to look for, and no index yet
        self._written.add((table, doc))
        old = {} if is_new else {row[:-1]: row[-1] for row in self.connection.execute(sql, (doc, FOREVER))}
        num_old, num_new = len(old), self._insert(table, doc, (row for row in rows if old.pop(row, None) is None))
        gone = [(self.generation, rowid) for rowid in old.values()]
        self.connection.executemany(f"UPDATE {table} SET died = ? WHERE rowid = ?", gone)
        return num_new + num_old - len(gone)

    def give(self, doc_id: str, facts: Iterable[tuple[int, int, int, int]]) -> int:
        """Adds (head, relation, tail, line) of given facts to a document that has none; returns how many there are."""
        sql = (
            "INSERT INTO supports (doc, head, relation, tail, node_head, node_tail, sentence, start, stop, head_start, "
            "head_stop, tail_start, tail_stop, extractor, confidence, born, died) VALUES "
            f"({self.intern_doc(doc_id)}, ?1, ?2, ?3, ?1, ?3, '', max(?4 - 1, 0), ?4, 0, 0, 0, 0, '{_GIVEN}', 1.0, "
            f"{self.generation}, {FOREVER})"
        )
        return max(0, self.connection.executemany(sql, facts).rowcount)

    def _insert(self, table: str, doc: int, rows: Iterable[tuple[object, ...]]) -> int:
        columns = _COLUMNS[table]
        marks = ", ".join("?" * (len(columns.split(", ")) + 3))
        if table == "supports":  # the nodes are the document's own terms until redirects are applied
            values = ((doc, *row, row[0], row[2], self.generation, FOREVER) for row in rows)
            columns, marks = columns + ", node_head, node_tail", marks + ", ?, ?"
        else:
            values = ((doc, *row, self.generation, FOREVER) for row in rows)
        sql = f"INSERT INTO {table} (doc, {columns}, born, died) VALUES ({marks})"
        return max(0, self.connection.executemany(sql, values).rowcount)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if mode == "ro" and not path.is_file():
        raise StoreError(f"{path} is missing; restore it from a copy or build the knowledge base again")
    location = path.resolve().as_uri() + f"?mode={mode}"
    try:
        connection = sqlite3.connect(location, uri=True, isolation_level=None, timeout=30.0)
        if mode == "rwc":
            _set_durable(connection)
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


def _set_durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def index_words(connection: sqlite3.Connection) -> None:
    """Makes the index of the passages' words where there is none; costs all passages then, and nothing else.

    Part of the open transaction. Raises StoreError where SQLite cannot, and closes the connection.
    """
    if _has_table(connection, "passage_words"):
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


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is not None


def _undo(connection: sqlite3.Connection, committed: int) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for table in VERSIONED:
            connection.execute(f"DELETE FROM {table} WHERE born > ?", (committed,))
            sql = f"UPDATE {table} SET died = {FOREVER} WHERE died > ? AND died < {FOREVER}"
            connection.execute(sql, (committed,))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (committed,))

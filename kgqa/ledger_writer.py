"""The ledger of the one writer: records what documents state, as one generation that is committed or never was."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from kgqa import bulk
from kgqa.bulk import Progress
from kgqa.ledger import DocumentRow, Ledger
from kgqa.schema import CONFLICTS, FOREVER, HISTORY, IDENTITY, INDEXES, MENTIONS, index_words, undo
from kgqa.types import Provenance

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


class LedgerWriter(Ledger):
    """A ledger that is open for writing one generation more; what is not committed is gone when it is closed."""

    def __init__(self, connection: sqlite3.Connection, generation: int, *, first: Path | None = None) -> None:
        super().__init__(connection, generation)
        self._first = first
        """The file, while its first generation is written; all its terms are in `_terms` then."""
        self._remember_terms()
        self._written: set[tuple[str, int]] = set()
        """The tables and documents that were written to."""

    @classmethod
    def open(cls, path: Path, committed: int) -> Self:
        """Opens for writing generation `committed` + 1, and drops what a run that did not commit has left.

        The first generation is written without indexes (kgqa.bulk); `finish_bulk` makes them. Raises StoreError where
        something was committed and the file is missing or damaged.
        """
        if committed == 0:
            return cls(bulk.begin(path), 1, first=path)
        connection = cls._opened(path, "rw")
        connection.executescript(f"BEGIN; {CONFLICTS}{MENTIONS}{INDEXES}{HISTORY}{IDENTITY} COMMIT;")
        connection.execute("BEGIN IMMEDIATE")
        index_words(connection)
        connection.commit()
        written = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        if written and written[0] > committed:
            undo(connection, committed)
        connection.execute("BEGIN IMMEDIATE")
        return cls(connection, committed + 1)

    def finish_bulk(self) -> None:
        """Makes the indexes, once the documents of a first generation are recorded; nothing in later ones."""
        if self._first:
            self._terms.clear()  # few are asked for from here on
            bulk.finish(self.connection)

    def commit(self) -> None:
        """Makes the generation's rows durable. Readers see them once `CURRENT` names the generation."""
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (self.generation,))
        self.connection.commit()
        if self._first:
            bulk.settle(self.connection, self._first)
            self._first = None

    def go_on(self) -> None:
        """Opens for writing the generation after the one that was just committed."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.generation += 1
        self._written.clear()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is written inside is undone when an error leaves the block; what was kept there stays."""
        self.connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO part")
            self._terms.clear()  # ids that were given out inside are free again
            self._remember_terms()
            raise
        finally:
            self.connection.execute("RELEASE part")

    def _remember_terms(self) -> None:
        if self._first:
            self._terms.update(self.connection.execute("SELECT term, id FROM terms"))

    # -- a first generation's files of given facts ----------------------------------------------------------------

    @property
    def is_first(self) -> bool:
        """Whether the first generation is being written."""
        return self._first is not None

    def progress(self, doc_id: str, content: str) -> Progress:
        """How far a run that did not commit has read this content as this document."""
        return bulk.progress(self.connection, self.intern_doc(doc_id), content) if self._first else Progress()

    def keep(self, doc_id: str, content: str, reached: Progress) -> None:
        """Makes what was read so far last, whether the generation is committed or not."""
        if self._first:
            bulk.keep(self.connection, self.intern_doc(doc_id), content, reached)

    def kept(self) -> list[str]:
        """The documents of which something is kept."""
        return list(map(self.doc_id, bulk.kept(self.connection))) if self._first else []

    def forget(self, doc_id: str) -> None:
        """Takes out what is kept of a document, and anything else of it that no generation has yet."""
        if self._first:
            bulk.forget(self.connection, self.intern_doc(doc_id))

    # -- rows ----------------------------------------------------------------------------------------------------

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
        if not self._first:
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
        is_new = self._first is not None and (table, doc) not in self._written  # nothing to look for, and no index yet
        self._written.add((table, doc))
        old = {} if is_new else {row[:-1]: row[-1] for row in self.connection.execute(sql, (doc, FOREVER))}
        num_old, num_new = len(old), self._insert(table, doc, (row for row in rows if old.pop(row, None) is None))
        gone = [(self.generation, rowid) for rowid in old.values()]
        self.connection.executemany(f"UPDATE {table} SET died = ? WHERE rowid = ?", gone)
        return num_new + num_old - len(gone)

    def add_names(self, doc_id: str, rows: Iterable[NameRow]) -> None:
        """Adds to the names that a new document states; of those that a first generation has twice one is kept."""
        self._insert("names", self.intern_doc(doc_id), dict.fromkeys(rows))

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

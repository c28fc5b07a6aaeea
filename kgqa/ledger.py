"""SQLite bookkeeping: which document states what, under which dense id, from which generation to which.

Every row carries the generation that brought it (`born`) and the one that ended it (`died`), so that a reader of an
older generation sees its own state and a run that did not commit can be undone. A row lives in generation g when
born <= g < died. Terms are interned as integers; compaction forgets those that no row names.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kgqa.errors import StoreError
from kgqa.schema import at, connect, has_table
from kgqa.types import Provenance, Triple


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


_DOCUMENT = "doc_id, source, hash, title, date, path, reader, batch"
# The plus signs keep SQLite from using an index on births or deaths where a row is found by what it says.
_LIVE = "+born <= :generation AND +died > :generation"


class Ledger:
    """An open ledger at one generation; a context manager that closes it."""

    def __init__(self, connection: sqlite3.Connection, generation: int) -> None:
        self.connection = connection
        self.generation = generation
        """What is read, and for a writer what it writes."""
        self._terms: dict[str, int] = {}

    @classmethod
    def read(cls, path: Path, generation: int) -> Self:
        """Opens the state of `generation`; StoreError when the file is missing or damaged."""
        return cls(cls._opened(path, "ro"), generation)

    @staticmethod
    def _opened(path: Path, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        if not has_table(connection, "meta"):
            connection.close()
            raise StoreError(f"{path} is no ledger; restore it from a copy or build the knowledge base again")
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; what was written and not committed is gone."""
        with suppress(sqlite3.ProgrammingError):
            self.connection.rollback()
        self.connection.close()

    def rows(self, sql: str, **values: object) -> Iterator[tuple[object, ...]]:
        """Runs a query that may say `:generation`."""
        return self.connection.execute(sql, {"generation": self.generation, **values})

    def has(self, table: str) -> bool:
        """Whether there is such a table; one of an older format lacks some until it is next written to."""
        return has_table(self.connection, table)

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

    def provenance(self, triples: Sequence[Triple]) -> list[list[Provenance]]:
        """The supports of each triple of the graph, the surest first; empty where the graph does not hold it. Many at
        once cost little each."""
        sql = f"""SELECT wanted.key, doc_id, sentence, start, stop, head_start, head_stop, tail_start, tail_stop,
                extractor, confidence
            FROM json_each(:triples) AS wanted
            CROSS JOIN terms AS h ON h.term = json_extract(wanted.value, '$[0]')
            CROSS JOIN terms AS r ON r.term = json_extract(wanted.value, '$[1]')
            CROSS JOIN terms AS t ON t.term = json_extract(wanted.value, '$[2]')
            CROSS JOIN supports ON node_head = h.id AND supports.relation = r.id AND node_tail = t.id
            CROSS JOIN docs ON docs.id = doc
            WHERE {_LIVE} ORDER BY wanted.key, confidence DESC, doc_id, start, head_start, tail_start"""
        found: list[list[Provenance]] = [[] for _ in triples]
        values = {"triples": json.dumps(triples), "generation": self.generation}
        for key, doc_id, sentence, a, b, c, d, e, f, extractor, confidence in self.connection.execute(sql, values):
            found[key].append(Provenance(doc_id, sentence, (a, b), (c, d), (e, f), extractor, confidence))
        return found

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

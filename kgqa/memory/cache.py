"""Vectors of texts that were embedded before, on disk: a text goes through the encoder once, whoever asks again.

One SQLite file an encoder, under its identity; several knowledge bases and the processes of one machine share the
folder. Rows are only ever added. What a killed process did not commit is embedded again; to delete the folder costs
time and nothing else.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from kgqa.errors import StoreError
from kgqa.ids import digest

if TYPE_CHECKING:  # which imports this module
    from kgqa.memory.embedder import Embedder

Vectors = NDArray[np.float32]

_BLOCK = 2048
"""Texts that are looked up, embedded and committed together: 3 MB at width 384."""
_WAIT = 600.0
"""Seconds to wait for another process's commit, which takes milliseconds on a disk that works."""


class CachedEmbedder:
    """An embedder that asks its file first. No connection outlives a block, so threads and forks may share it."""

    def __init__(self, embedder: "Embedder", folder: Path, *, precision: str) -> None:
        """precision: of the embedder's products, since vectors made in another one differ in their third decimal."""
        self.name, self.width, self.same_from = embedder.name, embedder.width, embedder.same_from
        self.path = folder / f"{quote(f'{self.name}-{precision}', safe='')}.sqlite"
        self._embedder = embedder

    def ask(self, questions: Sequence[str]) -> Vectors:
        """As the embedder gives them, not kept: a question seldom comes again."""
        return self._embedder.ask(questions)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], as the embedder gives them. Raises StoreError when the file cannot be used."""
        vectors = np.empty((len(texts), self.width), np.float32)
        for start in range(0, len(texts), _BLOCK):
            vectors[start : start + _BLOCK] = self._embed_block(texts[start : start + _BLOCK])
        return vectors

    def _embed_block(self, texts: Sequence[str]) -> Vectors:
        keys = [bytes.fromhex(digest(text)[:32]) for text in texts]
        with self._connected() as database:
            known = self._known(database, sorted(set(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = dict(zip(missing, self._embedder.embed(list(missing.values())), strict=True))
            with self._connected() as database:
                _keep(database, made)
            known |= made
        return np.stack([known[key] for key in keys])

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The file, made when it is not there. Raises StoreError for a damaged one, and where one cannot write."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_WAIT)) as database:
                # A writer keeps no reader waiting; a power failure may cost the last commits, never the file.
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
                database.execute("CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB NOT NULL)")
                yield database
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the cache of vectors {self.path} cannot be used ({error}); delete the file, it is made again, or set "
                "embedder.cache to another folder or to null"
            ) from error

    def _known(self, database: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """The vectors that the file has, of these texts."""
        marks = ",".join("?" * len(keys))
        rows = database.execute(f"SELECT text, vector FROM vectors WHERE text IN ({marks})", keys)
        known = {key: np.frombuffer(vector, "<f4").astype(np.float32) for key, vector in rows}
        if any(len(vector) != self.width for vector in known.values()):
            raise sqlite3.DatabaseError(f"it holds vectors that are not {self.width} wide")
        return known


def _keep(database: sqlite3.Connection, made: Mapping[bytes, Vectors]) -> None:
    """One transaction; what another process added meanwhile stays."""
    rows = ((key, vector.astype("<f4").tobytes()) for key, vector in made.items())
    with database:
        database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

"""The embedded graph store: Oxigraph on disk, spoken to natively in our terms.

The writer has `live/`; readers open snapshots, which are hard links to the same immutable files, so that one costs
milliseconds and nobody waits for anybody.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from queue import Full, Queue
from typing import IO, TYPE_CHECKING, Any, Self, cast

import pyoxigraph as ox

from kgqa.artifacts import write_atomic
from kgqa.errors import InputError, StoreError
from kgqa.graph.store import Quad
from kgqa.graph.terms import fast_token, from_node, to_node

if TYPE_CHECKING:
    from rdflib import Dataset

__all__ = ["BULK", "Dataset", "GraphStore", "Quad", "mark_live", "nquad", "open_live"]

BULK = 20_000
"""Quads from which the bulk loader is the faster way; it writes sorted files past the log, each call all or nothing."""
_BLOCK = 2_000
"""Lines that are handed over at once."""
_LOADERS = 2
"""Each holds up to a million quads while it sorts them."""


class GraphStore:
    """An open store; a context manager that lets go of it."""

    def __init__(self, store: ox.Store, path: Path) -> None:
        self._store: ox.Store | None = store
        self._path = path

    @classmethod
    def open(cls, path: Path, *, read_only: bool) -> Self:
        """Opens a store folder; StoreError when it is missing, damaged, or (for writing) open elsewhere."""
        if read_only and not (path / "CURRENT").is_file():
            raise StoreError(f"{path} is missing or no graph store; restore it from a copy or build again")
        try:
            return cls(ox.Store.read_only(str(path)) if read_only else ox.Store(str(path)), path)
        except (OSError, RuntimeError) as error:  # RuntimeError: RocksDB finds a file damaged or missing
            remedy = "make it anew from the ledger (kgqa verify repair=true), or restore it from a copy"
            raise StoreError(f"cannot open the store {path}: {error}; {remedy}") from error

    @classmethod
    def in_memory(cls) -> Self:
        """An empty store that is on no disk."""
        return cls(ox.Store(), Path("memory"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the folder: Oxigraph closes a store when the last reference to it goes."""
        self._store = None

    @property
    def native(self) -> ox.Store:
        """The pyoxigraph store, for bulk reads."""
        if self._store is None:
            raise StoreError(f"the graph store {self._path} is closed; open the knowledge base again")
        return self._store

    def add(self, quads: Iterable[Quad]) -> int:
        """Adds quads of canonical terms; returns how many were given. Many at once go through the bulk loader."""
        stream = iter(quads)
        first = list(islice(stream, BULK))
        if len(first) == BULK:
            return self.load(map(nquad, chain(first, stream)))
        self.native.extend(map(_native_quad, first))
        return len(first)

    def load(self, lines: Iterable[str]) -> int:
        """Adds lines of N-Quads that `nquad` wrote, or the like of them, through bulk loaders; returns how many.

        Two load at once, each for a core: they share the lines out among themselves.
        """
        source = _Source(lines)
        load = partial(self.native.bulk_load, format=ox.RdfFormat.N_QUADS, lenient=True)
        # Lenient: canonical terms were validated when they came in, and need not be once more.
        with ThreadPoolExecutor(_LOADERS) as pool:
            loads = [pool.submit(load, cast(IO[bytes], _Share(source))) for _ in range(_LOADERS)]
            source.hand_out(loads)
        for one in loads:
            one.result()
        return source.num_lines

    def remove(self, quads: Iterable[Quad]) -> int:
        """Removes quads; those that are not there are passed over. Returns how many were given."""
        total = 0
        for quad in quads:
            self.native.remove(_native_quad(quad))
            total += 1
        return total

    def scan(
        self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str
    ) -> Iterator[Quad]:
        """The quads of one graph that match; None matches all."""
        if head is not None and head.startswith('"'):
            return
        pattern: list[Any] = [None if term is None else to_node(term) for term in (head, relation, tail, graph)]
        found: Iterable[Any] = self.native.quads_for_pattern(*pattern)
        for quad in found:
            yield from_node(quad.subject), quad.predicate.value, from_node(quad.object), graph

    def quads(self) -> Iterator[Quad]:
        """Every quad of every graph."""
        found: Iterable[Any] = self.native
        return map(_our_quad, found)

    def has(self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str) -> bool:
        """Whether any quad of the graph matches."""
        return next(self.scan(head, relation, tail, graph=graph), None) is not None

    def missing_in(self, other: "GraphStore") -> Iterator[Quad]:
        """The quads that `other` does not hold: a pass over all of this store, with one look-up each."""
        found: Iterable[Any] = self.native
        held = other.native
        return (_our_quad(quad) for quad in found if quad not in held)

    def graphs(self) -> list[str]:
        """The names of all graphs."""
        return [from_node(name) for name in self.native.named_graphs()]

    def query(self, sparql: str) -> list[tuple[str, ...]]:
        """Rows of terms of a SELECT, in its variables' order ("" where unbound); of an ASK one row, "true" or "false".

        Name every graph: a query over the default graph finds nothing here. Raises InputError for what does not parse.
        """
        try:
            result = self.native.query(sparql)
            if isinstance(result, ox.QuerySolutions):
                return [tuple("" if node is None else from_node(node) for node in row) for row in result]
            if isinstance(result, ox.QueryBoolean):
                return [(str(bool(result)).lower(),)]
            return [tuple(map(from_node, (triple.subject, triple.predicate, triple.object))) for triple in result]
        except (SyntaxError, ValueError) as error:
            raise InputError(f"this SPARQL cannot be run: {error}; the query was {sparql!r}") from error

    def dataset(self) -> "Dataset":
        """The same store as an rdflib Dataset, for users and tools that speak rdflib. Give queries as strings."""
        from oxrdflib import OxigraphStore as RdflibStore  # takes a third of a second to load, and few ask for it
        from rdflib import Dataset

        return Dataset(store=RdflibStore(store=self.native))

    def snapshot(self, folder: Path) -> None:
        """Makes `folder` a hard-link copy that readers can open; what an unfinished run left there is replaced."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.native.backup(str(folder))


def open_live(graph: Path, committed: str | None) -> GraphStore:
    """The writer's store as generation `committed` left it (None: empty), restored from its snapshot when it is not.

    `live.generation` says which state live/ has. It is taken away before the first change and written after the commit,
    so that a run which died in between is seen, and undone, here.
    """
    live, marker = graph / "live", graph / "live.generation"
    intact = (
        committed and marker.is_file() and marker.read_text(encoding="utf-8").strip() == committed and live.is_dir()
    )
    if not intact:
        shutil.rmtree(live, ignore_errors=True)
        graph.mkdir(parents=True, exist_ok=True)
        if committed is not None:
            with GraphStore.open(graph / "snapshots" / committed, read_only=True) as snapshot:
                snapshot.native.backup(str(live))
    marker.unlink(missing_ok=True)
    return GraphStore.open(live, read_only=False)


def mark_live(graph: Path, committed: str) -> None:
    """Records that live/ has the state of the snapshot `committed`."""
    write_atomic(graph / "live.generation", f"{committed}\n".encode())


class _Source:
    """Lines that this thread makes, in blocks that others take."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.num_lines = 0
        self.blocks: Queue[bytes] = Queue(maxsize=2 * _LOADERS)
        self._lines = iter(lines)

    def hand_out(self, takers: Sequence[Future[None]]) -> None:
        """Until there are no more lines, or one that took them failed; then says to each that it is over."""
        try:
            while not any(taker.done() for taker in takers) and (block := list(islice(self._lines, _BLOCK))):
                self.num_lines += len(block)
                self._put("".join(block).encode(), takers)
        finally:
            for _ in takers:
                self._put(b"", takers)

    def _put(self, block: bytes, takers: Sequence[Future[None]]) -> None:
        while not all(taker.done() for taker in takers):
            with suppress(Full):
                return self.blocks.put(block, timeout=1)


class _Share:
    """The blocks that one loader gets, as a binary file."""

    def __init__(self, source: _Source) -> None:
        self._blocks = source.blocks
        self._block = BytesIO()
        self._is_over = False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none at the end."""
        if not (data := self._block.read(size)) and not self._is_over:
            self._block = BytesIO(self._blocks.get())
            data = self._block.read(size)
            self._is_over = not data
        return data


def nquad(quad: Quad) -> str:
    """A quad of canonical terms as a line of N-Quads."""
    head, relation, tail, graph = quad
    return f"{fast_token(head)} <{relation}> {fast_token(tail)} <{graph}> .\n"


def _native_quad(quad: Quad) -> ox.Quad:
    return ox.Quad(*map(to_node, quad))  # type: ignore[arg-type]


def _our_quad(quad: Any) -> Quad:
    return from_node(quad.subject), quad.predicate.value, from_node(quad.object), quad.graph_name.value

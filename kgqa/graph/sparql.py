"""A graph on a SPARQL 1.1 server, in the terms of the embedded store: the same scans, the same rows.

What is read comes as a stream and is counted, since servers cap their results without a word (Virtuoso by default) and
a stream of lines that was cut off looks whole. What is written goes in batches, each of which may be repeated.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Self, TypeVar

import pyoxigraph as ox
import requests

from kgqa.errors import InputError, StoreError
from kgqa.graph import queries
from kgqa.graph.endpoint import Endpoint
from kgqa.graph.store import Quad
from kgqa.graph.terms import canonical_term, fast_token, from_node, is_literal, text_of

TRIPLES = "application/n-triples, text/turtle;q=0.5"
"""How triples are asked for: lines are read fastest, and every server knows one of the two."""
_RESULTS = "application/sparql-results+json, application/n-triples;q=0.9, text/turtle;q=0.5"
_PIECE = 100_000
"""Quads that are uploaded in one request: some 15 MB. In pieces of 20,000 Oxigraph works twice as long."""

Item = TypeVar("Item")


class SparqlStore:
    """A server's named graphs; a context manager that closes its connections."""

    def __init__(self, endpoint: Endpoint, *, read_only: bool, batch_size: int) -> None:
        """`batch_size`: quads that one update holds."""
        self._endpoint = endpoint
        self._read_only = read_only
        self._batch_size = batch_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return self._endpoint.url

    def close(self) -> None:
        """Closes the connections; a later request opens new ones."""
        self._endpoint.close()

    def scan(
        self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str
    ) -> Iterator[Quad]:
        """The quads of one graph that match, each once; None matches all.

        Raises StoreError at the end when fewer came than the server itself counts.
        """
        if head is not None and is_literal(head):
            return
        seen = 0
        for triple in self.construct(queries.scan_query(head, relation, tail, graph)):
            seen += 1
            yield (*map(_term, (triple.subject, triple.predicate, triple.object)), graph)  # type: ignore[misc]
        self.check_count(seen, queries.count_query(head, relation, tail, graph))

    def has(self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str) -> bool:
        """Whether any quad of the graph matches."""
        if head is not None and is_literal(head):
            return False
        return self.query(queries.ask_query(head, relation, tail, graph)) == [("true",)]

    def quads(self) -> Iterator[Quad]:
        """Every quad of every graph of kgqa's, each graph checked as by `scan`."""
        for (graph,) in self.query(queries.GRAPHS):
            yield from self.scan(graph=graph)

    def query(self, sparql: str) -> list[tuple[str, ...]]:
        """Rows of terms of a SELECT, in its variables' order ("" where unbound); of an ASK one row, "true" or "false".

        Raises InputError for what the server cannot run. A cap that the server puts on its results is not seen here.
        """
        with self._endpoint.query(sparql, accept=_RESULTS) as response, self._reading():
            form = ox.QueryResultsFormat.from_media_type(_media_type(response))
            if form is None:
                return [tuple(map(_term, (t.subject, t.predicate, t.object))) for t in self._triples(response)]
            found: Any = ox.parse_query_results(response.raw, form)
            if isinstance(found, ox.QueryBoolean):
                return [(str(bool(found)).lower(),)]
            return [tuple("" if node is None else _term(node) for node in row) for row in found]

    def construct(self, sparql: str) -> Iterator[ox.Quad]:
        """The triples of a CONSTRUCT as they come, in the server's own spelling."""
        with self._endpoint.query(sparql, accept=TRIPLES) as response, self._reading():
            yield from self._triples(response)

    def check_count(self, seen: int, query: str) -> None:
        """Raises StoreError where `query`, which counts what was read, says that more (or less) is there."""
        counted = int(text_of(self.query(query)[0][0]))
        if counted != seen:
            raise StoreError(
                f"{self} gave {seen} triples and counts {counted}: it caps its results (Virtuoso: "
                "ResultSetMaxRows), or was changed meanwhile; lift the cap, or run again"
            )

    def add(self, quads: Iterable[Quad]) -> int:
        """Adds quads of canonical terms, a batch an update; returns how many were given."""
        return sum(self._send("INSERT", batch) for batch in _batches(quads, self._batch_size))

    def remove(self, quads: Iterable[Quad]) -> int:
        """Removes quads, a batch an update; those that are not there are passed over. Returns how many were given."""
        return sum(self._send("DELETE", batch) for batch in _batches(quads, self._batch_size))

    def upload(self, quads: Iterable[Quad]) -> int:
        """`add` for a whole graph: in pieces of many megabytes, where the server's Graph Store endpoint is known."""
        if self._endpoint.store_url is None:
            return self.add(quads)
        self._check_writable()
        total = 0
        for piece in _batches(quads, _PIECE):
            lines = (f"{fast_token(h)} <{r}> {fast_token(t)} <{g}> .\n" for h, r, t, g in piece)
            self._endpoint.add("".join(lines).encode())
            total += len(piece)
        return total

    def drop(self, graphs: Iterable[str]) -> None:
        """Empties these graphs."""
        for batch in _batches(graphs, self._batch_size):
            self._update(queries.drop_update(batch))

    def _send(self, verb: str, batch: list[Quad]) -> int:
        self._update(queries.data_update(verb, batch))
        return len(batch)

    def _update(self, sparql: str) -> None:
        self._check_writable()
        try:
            self._endpoint.update(sparql)
        except InputError as error:  # what we wrote ourselves is no fault of the user's
            raise StoreError(f"{error}, an update of kgqa's; a smaller graph.batch_size may help") from error

    def _check_writable(self) -> None:
        if self._read_only:
            raise StoreError(f"{self} is read-only for this run; set graph.read_only=false to let it be written")

    def _triples(self, response: requests.Response) -> Iterator[ox.Quad]:
        form = ox.RdfFormat.from_media_type(_media_type(response))
        if form is None:
            raise StoreError(
                f"{self} answers with {_media_type(response) or 'no media type'}, which is no result of SPARQL; "
                "give the URL of its query endpoint"
            )
        return iter(ox.parse(response.raw, form))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (SyntaxError, ValueError) as error:
            raise StoreError(f"{self} broke off its answer or cannot be understood: {error}; run again") from error


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


def _term(node: object) -> str:
    """Our string for a server's node. Servers differ in how they spell a number; we have one spelling."""
    term = from_node(node)
    return canonical_term(term) if is_literal(term) else term


def _media_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "").split(";")[0].strip()

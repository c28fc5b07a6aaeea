"""What is asked of a graph, whoever keeps it: the embedded store (oxigraph.py) or a SPARQL server (sparql.py)."""

from collections.abc import Iterable, Iterator
from typing import Protocol

Quad = tuple[str, str, str, str]
"""(head, relation, tail, graph), all terms."""


class Graph(Protocol):
    """A graph that is read."""

    def scan(
        self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str
    ) -> Iterator[Quad]:
        """The quads of one graph that match, each once; None matches all."""
        ...

    def has(self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str) -> bool:
        """Whether any quad of the graph matches."""
        ...

    def quads(self) -> Iterator[Quad]:
        """Every quad of every graph of kgqa's."""
        ...

    def query(self, sparql: str) -> list[tuple[str, ...]]:
        """Rows of terms of a SELECT, in its variables' order ("" where unbound); of an ASK one row, "true" or "false".

        Raises InputError for what is no SPARQL.
        """
        ...

    def close(self) -> None:
        """Lets go of files and connections."""
        ...


class Store(Graph, Protocol):
    """A graph that is written as well; adding what is there and removing what is not changes nothing."""

    def add(self, quads: Iterable[Quad]) -> int:
        """Adds quads of canonical terms; returns how many were given."""
        ...

    def remove(self, quads: Iterable[Quad]) -> int:
        """Removes quads; returns how many were given."""
        ...

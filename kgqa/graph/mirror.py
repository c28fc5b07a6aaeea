"""What a server says of itself as the mirror of a knowledge base, and how a reader holds it to that.

A server has no snapshots. It has a mark, in the graph `urn:kgqa:meta`: the state it is at, and while it is being
changed the state it moves to. That a change has begun is marked before its first quad goes, that it has ended after the
last; so a read saw one state when the mark is the same after it as it was before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kgqa.errors import StoreError
from kgqa.generations import Generation
from kgqa.graph.queries import META
from kgqa.graph.store import Quad, Store
from kgqa.graph.terms import literal, text_of

if TYPE_CHECKING:  # brings an HTTP library, for which a graph on disk has no use
    from kgqa.graph.sparql import SparqlStore

_MIRROR = "urn:kgqa:mirror"
_AT = "urn:kgqa:vocabulary:at"
_TO = "urn:kgqa:vocabulary:movingTo"
NOTHING = (_MIRROR, _AT, '"nothing"', META)
"""A quad that no server has: taking it away shows whether one may be written."""


@dataclass(frozen=True)
class Mark:
    """The states (`mirrored`) that a server says it is at and moves to.

    At rest there is one that it is at. More are left where a change of the mark was cut off: it adds before it removes.
    """

    at: frozenset[str] = frozenset()
    to: frozenset[str] = frozenset()

    @property
    def rest(self) -> str | None:
        """The state of a server that is at rest."""
        return next(iter(self.at)) if len(self.at) == 1 and not self.to else None

    def __str__(self) -> str:
        if self.to:
            return f"in the middle of a change from {_names(self.at) or 'nothing'} to {_names(self.to)}"
        return f"at {_names(self.at)}" if self.at else "no mirror of a knowledge base"


def _names(states: frozenset[str]) -> str:
    return ", ".join(sorted(state.partition(" ")[0] for state in states))


def mirrored(generation: Generation, identity: int) -> str:
    """The state of a server that has the graph of this generation, of the knowledge base with this identity."""
    return f"{generation.graph_state} {identity:x}"


def read_mark(store: Store) -> Mark:
    """The mark that a server has now."""
    rows = store.query(f"SELECT ?key ?state WHERE {{ GRAPH <{META}> {{ <{_MIRROR}> ?key ?state }} }}")
    at, to = (frozenset(text_of(state) for key, state in rows if key == wanted) for wanted in (_AT, _TO))
    return Mark(at, to)


def write_mark(store: Store, mark: Mark) -> None:
    """Turns the server's mark into this one."""
    old, new = _quads(read_mark(store)), _quads(mark)
    store.add(sorted(new - old))
    store.remove(sorted(old - new))


def _quads(mark: Mark) -> set[Quad]:
    return {
        (_MIRROR, key, literal(state), META) for key, states in ((_AT, mark.at), (_TO, mark.to)) for state in states
    }


class PinnedGraph:
    """A mirror read at one state: whatever was read while the server was at another one ends in StoreError."""

    def __init__(self, server: "SparqlStore", state: str) -> None:
        self._server = server
        self._state = state
        self._check()

    def close(self) -> None:
        """Closes the connections to the server."""
        self._server.close()

    def scan(
        self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str
    ) -> Iterator[Quad]:
        """The quads of one graph that match; None matches all. They are of one state once the last one was read."""
        yield from self._server.scan(head, relation, tail, graph=graph)
        self._check()

    def has(self, head: str | None = None, relation: str | None = None, tail: str | None = None, *, graph: str) -> bool:
        """Whether any quad of the graph matches."""
        found = self._server.has(head, relation, tail, graph=graph)
        self._check()
        return found

    def quads(self) -> Iterator[Quad]:
        """Every quad of the knowledge base's graphs, of one state once the last one was read."""
        yield from self._server.quads()
        self._check()

    def query(self, sparql: str) -> list[tuple[str, ...]]:
        """Rows of terms, as `SparqlStore.query` gives them."""
        rows = self._server.query(sparql)
        self._check()
        return rows

    def _check(self) -> None:
        mark = read_mark(self._server)
        if mark.rest == self._state:
            return
        mine = _names(frozenset({self._state}))
        other = " of another history" if mark.rest and _names(mark.at) == mine else ""
        raise StoreError(
            f"{self._server} is {mark}{other}, and this run reads {mine}; bring it in step with `kgqa mirror`, wait "
            "for the run that does, or leave out graph=sparql"
        )

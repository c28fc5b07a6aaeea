"""A SPARQL server that follows a knowledge base (docs/decisions/0004-a-server-is-a-mirror.md).

The embedded store stays the truth: a generation is committed first, and the server is then moved to its graph, by the
quads that changed and no others. The server's mark says from where to where it is being moved, so that a move that was
cut off is seen; moving again from the start comes to the same, since every update may be run twice.
"""

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from kgqa.errors import KgqaError, StoreError
from kgqa.expand.changes import Changes
from kgqa.generations import Generation, current_generation, generation_names, read_generation
from kgqa.graph.mirror import NOTHING, Mark, mirrored, read_mark, write_mark
from kgqa.graph.oxigraph import GraphStore
from kgqa.graph.queries import GRAPHS, NAMES
from kgqa.graph.store import Quad
from kgqa.ids import ASSERTED
from kgqa.ledger import Ledger

if TYPE_CHECKING:
    from kgqa.graph.sparql import SparqlStore

log = logging.getLogger(__name__)

Move = tuple[Generation | None, Generation]
"""From where (None: from nothing) to where."""


@dataclass(frozen=True)
class Mirror:
    """The server that follows the knowledge base `kb`, open for writing."""

    kb: Path
    server: "SparqlStore"
    replace: bool = False
    """Whether all that it holds of kgqa's is dropped and sent anew, whosever it is."""

    def check(self) -> None:
        """Raises StoreError for a server that is out of reach, cannot be written, or holds another knowledge base."""
        name = current_generation(self.kb)
        self._moves(read_generation(self.kb, name) if name else None, None)
        self.server.remove([NOTHING])

    def follow(self, *, base: Generation | None = None, changes: Changes | None = None) -> dict[str, int]:
        """Moves the server to the committed generation; the writer's lock is held meanwhile.

        `changes`: what leads there from generation `base`, where that is at hand; otherwise snapshots are compared.
        Returns num_mirror_added and num_mirror_removed, in quads. Raises StoreError where the server fails, after which
        the next call goes on.
        """
        name = current_generation(self.kb)
        if name is None:
            raise StoreError(
                f"no knowledge base at {self.kb}; build one with kgqa extract corpus.path=DIR kb={self.kb}"
            )
        goal, added, removed = read_generation(self.kb, name), 0, 0
        try:
            for start, end in self._moves(goal, base if changes else None):
                come, gone = self._move(start, end, changes if base and start is base else None)
                added, removed = added + come, removed + gone
        except KgqaError as error:
            raise StoreError(
                f"{self.kb} is committed at {name}, its mirror is not: {error}. Nothing is lost: the next run with "
                "this server, or `kgqa mirror`, goes on from there"
            ) from error
        if added or removed:
            log.info("mirror %s: at %s, %d quads added, %d removed", self.server, name, added, removed)
        return {"num_mirror_added": added, "num_mirror_removed": removed}

    def _moves(self, goal: Generation | None, base: Generation | None) -> list[Move]:
        """The moves that lead to `goal`, from `base` itself where the server is there.

        One that was cut off is finished first. Where the way is not known any more, all is sent anew.
        """
        mark = read_mark(self.server)
        if goal and mark.rest == self._state(goal):
            return []
        if self.replace or not (mark.at or mark.to or self._has_graph()):
            return [(None, goal)] if goal else []
        if goal is None or not any(map(self._is_ours, mark.to or mark.at)):
            raise StoreError(
                f"{self.server} is {mark}, and its graph is none of {self.kb}'s; give another server, or have all that "
                "it holds under urn:kgqa: replaced by graph.replace=true"
            )
        if base and mark.rest == self._state(base):
            return [(base, goal)]
        places = [*(mark.at - mark.to or mark.at), *mark.to]
        way = [found for state in places if (found := self._find(state))]
        if len(way) < len(places) or len(places) != 1 + len(mark.to) or len(mark.to) > 1:
            log.info("mirror %s: %s, from where no way is known any more; all is sent anew", self.server, mark)
            return [(None, goal)]
        return list(pairwise(way if self._state(goal) in mark.to else [*way, goal]))

    def _has_graph(self) -> bool:
        return any(self.server.has(graph=graph) for graph in (ASSERTED, NAMES))

    def _move(self, start: Generation | None, end: Generation, changes: Changes | None) -> tuple[int, int]:
        """(quads added, quads removed)."""
        log.info("mirror %s: from %s to %s", self.server, start.snapshot if start else "nothing", end.snapshot)
        here, there = (frozenset({self._state(one)} if one else ()) for one in (start, end))
        write_mark(self.server, Mark(here, there))
        if start is None:
            self.server.drop(graph for (graph,) in self.server.query(GRAPHS))
        with ExitStack() as stack:
            gone, come = _net(changes) if changes else self._difference(start, end, stack)
            removed = self.server.remove(gone)
            added = self.server.add(come) if start else self.server.upload(come)
        write_mark(self.server, Mark(there))
        return added, removed

    def _difference(
        self, start: Generation | None, end: Generation, stack: ExitStack
    ) -> tuple[Iterable[Quad], Iterable[Quad]]:
        """(quads that go, quads that come), read from the snapshots as they are sent."""
        new = stack.enter_context(GraphStore.open(self._snapshot(end), read_only=True))
        if start is None:
            return (), new.quads()
        old = stack.enter_context(GraphStore.open(self._snapshot(start), read_only=True))
        return old.missing_in(new), new.missing_in(old)

    @cached_property
    def _identity(self) -> int:
        with Ledger.read(self.kb / "ledger.sqlite", 0) as ledger:
            return ledger.identity

    def _state(self, generation: Generation) -> str:
        return mirrored(generation, self._identity)

    def _snapshot(self, generation: Generation) -> Path:
        return self.kb / "graph" / "snapshots" / generation.snapshot

    def _find(self, state: str) -> Generation | None:
        """The generation of this knowledge base that is this state, where it is kept."""
        name = state.partition(" ")[0]
        found = read_generation(self.kb, name) if name in generation_names(self.kb) else None
        return found if found and self._state(found) == state and self._snapshot(found).is_dir() else None

    def _is_ours(self, state: str) -> bool:
        """Whether a state is of this knowledge base, kept or not."""
        same = bool(self._identity) and state.endswith(f" {self._identity:x}")
        return same or self._find(state) is not None


def _net(changes: Changes) -> tuple[Iterable[Quad], Iterable[Quad]]:
    """(quads that go, quads that come). What goes and comes back is left alone: were it taken away and the rest cut
    off, the snapshots, which both have it, would not tell that it is missing.
    """
    old, new = set(changes.old.quads), set(changes.new.quads)
    by_graph = itemgetter(3)  # so that a batch names few
    return sorted(old - new, key=by_graph), sorted(new - old, key=by_graph)

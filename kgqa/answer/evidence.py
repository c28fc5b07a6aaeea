"""The sentences that paths stand on: looked up in the knowledge base once, for a whole batch at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.paths import Edge
from kgqa.types import Provenance, Step, Triple

_MOST = 1 << 17
"""Facts whose best support is remembered: about 100 MB."""

Lookup = Callable[[Sequence[Triple]], list[list[Provenance]]]
"""Supports of each fact, the best first."""


class Evidence:
    """Paths over a graph's table with the best support of each of their facts."""

    def __init__(self, table: TripleTable, provenance: Lookup, text_of: Callable[[str], str]) -> None:
        self._table, self._provenance, self._text_of = table, provenance, text_of
        self._best: dict[Triple, Provenance | None] = {}

    def look_up(self, edges: Iterable[Edge]) -> None:
        """Remember the best support of each fact; all that are new are asked for at once."""
        triples = dict.fromkeys(map(self._triple, edges))
        if len(self._best) + len(triples) > _MOST:
            self._best.clear()
        new = [triple for triple in triples if triple not in self._best]
        for triple, supports in zip(new, self._provenance(new) if new else [], strict=True):
            best = supports[0] if supports else None
            if best and not best.sentence:
                # A given fact stands in no sentence; `extractor` says that these are our words.
                best = replace(best, sentence=" ".join(map(self._text_of, triple)))
            self._best[triple] = best

    def of(self, paths: Iterable[Sequence[Edge]]) -> tuple[tuple[Step, ...], ...]:
        """The paths, each step with the sentence that it stands on."""
        edges = [tuple(path) for path in paths]
        self.look_up(edge for path in edges for edge in path)
        return tuple(tuple(map(self._step, path)) for path in edges)

    def _step(self, edge: Edge) -> Step:
        triple = self._triple(edge)
        return Step(*triple, self._best[triple], edge[3])

    def _triple(self, edge: Edge) -> Triple:
        table = self._table
        return table.entities[edge[0]], table.relation_terms[edge[1]], table.entities[edge[2]]

"""The reading side of a knowledge base of a few facts, held in memory."""

from collections.abc import Sequence
from typing import Any

from kgqa.graph.oxigraph import GraphStore
from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.ids import ASSERTED, entity_iri
from kgqa.types import Provenance, Triple


class Base:
    """`names`: what its entities are called."""

    def __init__(self, facts: Sequence[Triple], names: Sequence[str]) -> None:
        self.names = names
        self.table = triple_table(facts, {})
        self.store = GraphStore.in_memory()
        self.store.add((*fact, ASSERTED) for fact in facts)

    def triples(self) -> TripleTable:
        return self.table

    def provenance(self, triples: Sequence[Triple]) -> list[list[Provenance]]:
        return [[Provenance("doc", " ".join(triple))] for triple in triples]

    def aliases(self) -> list[tuple[str, str]]:
        return [(name, entity_iri(name)) for name in self.names]

    def query(self, sparql: str) -> list[tuple[Any, ...]]:
        return self.store.query(sparql)

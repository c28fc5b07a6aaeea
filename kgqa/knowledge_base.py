"""A knowledge base as a reader has it: one committed generation, which nothing changes under its feet."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import numpy as np

from kgqa.conflicts import Conflict, Policy, learned_relations, read_conflicts
from kgqa.derived import Columns, derived
from kgqa.errors import InputError, StoreError
from kgqa.generations import Generation, hold_generation
from kgqa.graph.mirror import PinnedGraph, mirrored
from kgqa.graph.oxigraph import GraphStore, Quad
from kgqa.graph.provenance import document_quads, lifetime_quads, support_iri, support_quads
from kgqa.graph.queries import LABEL, NAMES
from kgqa.graph.store import Graph
from kgqa.graph.subgraph import TripleTable, columns_of, table_from, table_of
from kgqa.graph.terms import canonical_term, is_literal, relation_text, text_of
from kgqa.history import KnownFact, document_then, overruled_periods, supports_of_fact
from kgqa.ids import ASSERTED, document_iri
from kgqa.ledger import Ledger
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import LongTermMemory, MemoryRefs
from kgqa.types import Provenance, Triple

if TYPE_CHECKING:
    from kgqa.graph.oxigraph import Dataset
    from kgqa.graph.sparql import SparqlStore

KINDS = ("entity", "relation", "fact", "passage")
"""The kinds of vectors in the long-term memory."""


class KnowledgeBase:
    """One generation, open for reading; a context manager. A writer may commit others meanwhile, and prune others."""

    def __init__(self, path: Path, state: Generation, held: IO[str], server: "SparqlStore | None" = None) -> None:
        self.path = path
        self.state = state
        self._held = held
        self.ledger = Ledger.read(path / "ledger.sqlite", state.number)
        self.graph: Graph = (
            PinnedGraph(server, mirrored(state, self.ledger.identity))
            if server
            else GraphStore.open(path / "graph" / "snapshots" / state.snapshot, read_only=True)
        )

    @classmethod
    def open(cls, path: str | Path, *, generation: str | None = None, server: "SparqlStore | None" = None) -> Self:
        """Opens the current generation, or an older one by name (`gen-000003`).

        `server`: the mirror that the graph is read from, instead of the snapshot on disk; it is closed with the
        knowledge base. Raises StoreError when there is no knowledge base, it is damaged, a newer kgqa wrote it, or the
        server has another generation.
        """
        path = Path(path)
        found = hold_generation(path, generation)
        if found is None:
            raise StoreError(f"no knowledge base at {path}; build one: pipelines/extract.py corpus.path=DIR kb={path}")
        return cls(path, *found, server)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the files; values that were handed out stay good."""
        self.ledger.close()
        self.graph.close()
        self._held.close()

    @property
    def generation(self) -> str:
        return self.state.name

    @property
    def embedder_name(self) -> str | None:
        """Identity of what made the vectors; None when nothing was indexed."""
        return self.state.embedder

    @property
    def indexed(self) -> bool:
        """Whether the vectors are in step with the graph."""
        return self.state.indexed

    def counts(self) -> dict[str, int]:
        """num_documents, num_facts, num_supports, num_entities, num_relations, num_passages of this generation."""
        return dict(self.state.counts)

    def triples(self) -> TripleTable:
        """The asserted graph as arrays; read once."""
        return self._table

    @cached_property
    def _table(self) -> TripleTable:
        return table_from(self.derived("triples", lambda: columns_of(table_of(self.graph))))

    def aliases(self) -> Iterator[tuple[str, str]]:
        """(name, term) for every name that an entity goes by, its text included."""
        entities = self.triples().entities
        named, found = self._names.arrays["entity"].tolist(), self._names.texts["name"]
        return zip(found, map(entities.__getitem__, named), strict=True)

    @cached_property
    def _names(self) -> Columns:
        """Every name and the index of its entity; read once, since a server may be further on when asked again."""
        return self.derived("names", self._read_names)

    def _read_names(self) -> Columns:
        table = self.triples()
        named = [
            (text, index)
            for index, (text, term) in enumerate(zip(table.entity_texts, table.entities, strict=True))
            if is_literal(term)
        ]
        index_of = {term: index for index, term in enumerate(table.entities)}
        scanned = self.graph.scan(graph=NAMES)
        named += [(text_of(name), index_of[term]) for term, _, name, _ in scanned if term in index_of]
        return Columns(
            {"entity": np.array([index for _, index in named], dtype=np.int64)}, {"name": [name for name, _ in named]}
        )

    def derived(self, name: str, make: Callable[[], Columns]) -> Columns:
        """What `make` gives, which has to follow from this generation's graph alone: made once for all its readers."""
        if not isinstance(self.graph, GraphStore):
            return make()
        return derived(self.path / "graph" / "derived" / self.state.snapshot / name, self.state.graph_state, make)

    def provenance(self, triples: Sequence[tuple[str, str, str]]) -> list[list[Provenance]]:
        """For each triple its supports, the surest first; an empty list for one that no document states.

        A fact that a policy for conflicts overrules has its supports too, although it is not asserted.
        """
        return self.ledger.provenance(triples)

    def fact(self, head: str, relation: str, tail: str) -> KnownFact | None:
        """All that is known of one fact: documents, sentences, offsets, extractors, confidence, generations.

        A fact that has gone is told of too, up to the generation that is open and as far back as generations are kept;
        None for one that was never stated.
        """
        triple = head, relation, canonical_term(tail) if is_literal(tail) else tail
        supports = tuple(supports_of_fact(self.ledger, triple))
        if not supports:
            return None
        return KnownFact(
            triple,
            (self.text(head), self.text(relation, relation=True), self.text(triple[2])),
            supports,
            tuple(document_then(self.ledger, support) for support in supports),
            tuple(overruled_periods(self.ledger, triple)) if self.state.conflict else (),
        )

    def history(self, triples: Iterable[Triple]) -> GraphStore:
        """What `fact` says of each triple, as PROV-O in named graphs to be asked in SPARQL; a store in memory.

        Beside what the graphs of the knowledge base have, it has a node for each support of a given fact, the supports
        that have ended, and for all of them `urn:kgqa:vocabulary:firstGeneration` and `lastGeneration`.
        """
        facts = [fact for triple in triples if (fact := self.fact(*triple))]
        store = GraphStore.in_memory()
        store.add(quad for fact in facts for quad in _history_quads(fact))
        return store

    @property
    def policy(self) -> Policy:
        """What this generation holds to be functional, and what it does about conflicts.

        Raises StoreError for a generation that an older kgqa wrote, which did not look for them.
        """
        if self.state.conflict is None:
            raise StoreError(
                f"{self.path} {self.generation} was written before conflicts were looked for; "
                "the next kgqa expand or extract that changes something counts what is needed"
            )
        return Policy.from_json(self.state.conflict)

    def conflicts(self, relations: Iterable[str] | None = None, *, touched: bool = False) -> Iterator[Conflict]:
        """Heads with several values of a functional relation, each value with its supports, the newest first.

        `relations` (terms): taken to be functional; by default those that the policy names, and those that are learned
        from the graph as it is. `touched`: only where this generation changed a support or a document's date, at the
        cost of what changed.
        """
        policy = self.policy
        named = {self.ledger.term_id(term) for term in (policy.functional if relations is None else relations)}
        learned = learned_relations(self.ledger, policy) if relations is None else ()
        return read_conflicts(self.ledger, {key for key in named if key is not None}, learned, touched=touched)

    def text(self, term: str, *, relation: bool = False) -> str:
        """What a node is called, or a `relation`; also one that is only in what is not asserted."""
        labels = [text_of(label) for _, _, label, _ in self.graph.scan(term, LABEL, graph=NAMES)]
        return labels[0] if labels else relation_text(term) if relation else text_of(term)

    def memory(
        self,
        kind: str,
        *,
        device: str = "auto",
        options: IndexOptions = IndexOptions(),  # noqa: B008 a frozen value
    ) -> LongTermMemory:
        """The vectors of a kind (`KINDS`), read-only; an empty memory for what was never indexed."""
        if kind not in KINDS:
            raise InputError(f"no vectors of kind {kind!r}; there are {', '.join(KINDS)}")
        stored = self.state.memory.get(kind)
        refs = MemoryRefs.from_json(stored) if stored else MemoryRefs(0, self.embedder_name or "")
        return LongTermMemory.open(self.path / "memory" / kind, refs, device=device, options=options)

    def query(self, sparql: str) -> list[tuple[str, ...]]:
        """Rows of terms for a SPARQL query over the named graphs (facts: `GRAPH <urn:kgqa:asserted>`)."""
        return self.graph.query(sparql)

    def dataset(self) -> "Dataset":
        """The graphs as an rdflib Dataset, read-only; one graph of it by `get_context`. Not from a server."""
        if not isinstance(self.graph, GraphStore):
            raise StoreError(f"{self.path} is open on a server; rdflib reads the graph on disk: open it without one")
        return self.graph.dataset()


def _history_quads(fact: KnownFact) -> Iterator[Quad]:
    """A support that has ended may have come back, so that its node is named after its first generation too."""
    if fact.held:
        yield *fact.triple, ASSERTED
    told: set[str] = set()
    for support, document in zip(fact.supports, fact.documents, strict=True):
        said = support.triple, support.stated, support.provenance
        node = support_iri(*said)
        if support.last is None:
            yield *fact.triple, document_iri(document.doc_id)
        else:
            node += f"#{support.first}"
        yield from support_quads(node, *said)
        yield from lifetime_quads(node, document.doc_id, support.first, support.last)
        if document.doc_id not in told:
            told.add(document.doc_id)
            yield from document_quads(document.doc_id, document.title, document.date, document.hash, document.reader)

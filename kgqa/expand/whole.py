"""The graph of a first generation, straight from the ledger to the store: nothing went, so that all can stream.

The same quads as kgqa.expand.changes would find one delta at a time, for a fraction of the time and memory: what is
held is a string for each term.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import cast

from kgqa.expand.changes import name_quads, provenance
from kgqa.graph.oxigraph import GraphStore, nquad
from kgqa.graph.terms import fast_token
from kgqa.ids import ASSERTED, document_iri
from kgqa.ledger import Ledger

_NODE, _RELATION = 1, 2
"""What a term is in an asserted fact; it can be both."""

_FACTS = """
    SELECT node_head, relation, node_tail, doc FROM supports WHERE +died > :generation
    ORDER BY node_head, relation, node_tail
"""
_NAMES = """
    SELECT term, name, preferred FROM names WHERE +died > :generation
    UNION SELECT canonical, name, preferred FROM redirects JOIN names ON names.term = raw
    WHERE +redirects.died > :generation AND +names.died > :generation
    ORDER BY 1
"""


def build_graph(ledger: Ledger, store: GraphStore) -> dict[str, int]:
    """Fills an empty store; returns num_facts, num_entities, num_relations and num_passages."""
    (passages,) = next(ledger.rows("SELECT count(*) FROM passages"))
    counts = Counter(num_facts=0, num_entities=0, num_relations=0, num_passages=cast(int, passages))
    store.load(_lines(ledger, counts))
    return dict(counts)


def _lines(ledger: Ledger, counts: Counter[str]) -> Iterator[str]:
    terms = ["", *(cast(str, term) for (term,) in ledger.rows("SELECT term FROM terms ORDER BY id"))]
    uses = bytearray(len(terms))
    yield from _facts(ledger, terms, uses, counts)
    yield from map(nquad, provenance(ledger, "born"))
    yield from _names(ledger, terms, uses, counts)


def _facts(ledger: Ledger, terms: list[str], uses: bytearray, counts: Counter[str]) -> Iterator[str]:
    """Each fact in the graphs of its documents, and in the asserted one unless a policy overrules it."""
    tokens = list(map(fast_token, terms))
    asserted = f"<{ASSERTED}> .\n"
    docs = cast(Iterator[tuple[int, str]], ledger.rows("SELECT id, doc_id FROM docs"))
    graphs = {key: f"<{document_iri(doc_id)}> .\n" for key, doc_id in docs}
    overruled = set(ledger.rows("SELECT head, relation, tail FROM overruled"))
    before: tuple[int, int, int] | None = None
    stated: set[int] = set()
    for head, relation, tail, doc in cast(Iterator[tuple[int, int, int, int]], ledger.rows(_FACTS)):
        triple = head, relation, tail
        if triple != before:
            before, stated = triple, set()
            line = f"{tokens[head]} {tokens[relation]} {tokens[tail]} "
            if triple not in overruled:
                uses[head] |= _NODE
                uses[relation] |= _RELATION
                uses[tail] |= _NODE
                counts["num_facts"] += 1
                yield line + asserted
        if doc not in stated:
            stated.add(doc)
            yield line + graphs[doc]


def _names(ledger: Ledger, terms: list[str], uses: bytearray, counts: Counter[str]) -> Iterator[str]:
    """The names graph: what every term of an asserted fact is called."""
    rows = cast(Iterator[tuple[int, str, int]], ledger.rows(_NAMES))
    groups = groupby(rows, key=lambda row: row[0])
    named, stated = next(groups, (0, iter(())))
    for key, term in enumerate(terms):
        names: list[tuple[bool, str]] = []
        if key == named and key:
            names = [(bool(preferred), name) for _, name, preferred in stated]
            named, stated = next(groups, (0, iter(())))
        if use := uses[key]:
            counts["num_entities"] += bool(use & _NODE)
            counts["num_relations"] += bool(use & _RELATION)
            yield from map(nquad, name_quads(term, names, is_node=bool(use & _NODE)))

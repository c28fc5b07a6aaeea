"""The graph of a first generation, straight from the ledger to the store: nothing went, so that all can stream.

The same quads as kgqa.expand.changes would find one delta at a time, for a fraction of the time and memory: what is
held is a string for each term. Rows come in the order in which they lie, and what two of them say is said twice: to the
store it is one.
"""

import sys
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from kgqa.expand.changes import name_quads, provenance
from kgqa.graph.oxigraph import GraphStore, nquad
from kgqa.graph.queries import NUM_FACTS
from kgqa.graph.terms import fast_token, from_token, lexical_form
from kgqa.ids import ASSERTED, document_iri
from kgqa.ledger import Ledger

_BLOCK = 10_000
"""Rows that are looked at together."""

_FACTS = "SELECT node_head, relation, node_tail, doc FROM supports WHERE +died > :generation"
_NAMES = """
    SELECT term, name, preferred FROM names WHERE +died > :generation
    UNION SELECT canonical, name, preferred FROM redirects JOIN names ON names.term = raw
    WHERE +redirects.died > :generation AND +names.died > :generation
    ORDER BY 1
"""

_LAST: tuple[int, Iterator[tuple[int, str, int]]] = (sys.maxsize, iter(()))
"""After all names."""

Flags = NDArray[np.bool_]


def build_graph(ledger: Ledger, store: GraphStore) -> dict[str, int]:
    """Fills an empty store; returns num_facts, num_entities, num_relations and num_passages."""
    terms = (fast_token(cast(str, term)) for (term,) in ledger.rows("SELECT term FROM terms ORDER BY id"))
    tokens = ["", *terms]
    nodes, relations = np.zeros((2, len(tokens)), dtype=bool)
    store.load(_lines(ledger, tokens, nodes, relations))
    (passages,) = next(ledger.rows("SELECT count(*) FROM passages"))
    return {
        "num_facts": int(lexical_form(store.query(NUM_FACTS)[0][0])),
        "num_entities": int(nodes.sum()),
        "num_relations": int(relations.sum()),
        "num_passages": cast(int, passages),
    }


def _lines(ledger: Ledger, tokens: list[str], nodes: Flags, relations: Flags) -> Iterator[str]:
    yield from _facts(ledger, tokens, nodes, relations)
    yield from map(nquad, provenance(ledger, "born"))
    yield from _names(ledger, tokens, nodes, relations)


def _facts(ledger: Ledger, tokens: list[str], nodes: Flags, relations: Flags) -> Iterator[str]:
    """Each fact in the graphs of its documents, and in the asserted one unless a policy overrules it.

    Marks which terms are `nodes` and which are `relations` of asserted facts; one can be both.
    """
    asserted = f"<{ASSERTED}> .\n"
    docs = cast(Iterator[tuple[int, str]], ledger.rows("SELECT id, doc_id FROM docs"))
    graphs = {key: f"<{document_iri(doc_id)}> .\n" for key, doc_id in docs}
    overruled = set(ledger.rows("SELECT head, relation, tail FROM overruled"))
    rows = cast(Iterator[tuple[int, int, int, int]], ledger.rows(_FACTS))
    while block := list(islice(rows, _BLOCK)):
        stands = [row for row in block if row[:3] not in overruled] if overruled else block
        for head, relation, tail, _ in stands:
            yield f"{tokens[head]} {tokens[relation]} {tokens[tail]} {asserted}"
        for head, relation, tail, doc in block:
            yield f"{tokens[head]} {tokens[relation]} {tokens[tail]} {graphs[doc]}"
        columns = np.array(stands, dtype=np.int64).reshape(-1, 4)
        nodes[columns[:, [0, 2]]] = relations[columns[:, 1]] = True


def _names(ledger: Ledger, tokens: list[str], nodes: Flags, relations: Flags) -> Iterator[str]:
    """The names graph: what every term of an asserted fact is called."""
    rows = cast(Iterator[tuple[int, str, int]], ledger.rows(_NAMES))
    groups = groupby(rows, key=itemgetter(0))
    named, stated = next(groups, _LAST)
    for key in np.flatnonzero(nodes | relations).tolist():
        while named < key:
            named, stated = next(groups, _LAST)
        names = [(bool(preferred), name) for _, name, preferred in stated] if named == key else ()
        yield from map(nquad, name_quads(from_token(tokens[key]), names, is_node=bool(nodes[key])))

"""The embedded store and a real SPARQL server are asked the same, and answer the same."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies

from kgqa.errors import InputError
from kgqa.graph.queries import LABEL, NAMES, path_query
from kgqa.graph.store import Quad, Store
from kgqa.graph.subgraph import table_of, triple_table
from kgqa.graph.terms import XSD, literal
from kgqa.ids import ASSERTED, entity_iri, relation_iri
from tests.graph.test_queries import NODES, RELATIONS, branches, graphs, memory_store, walk
from tests.servers import Oxigraph, open_store

QUICK = settings(
    max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
LITERALS = [
    *map(literal, ("", 'a "quote"', "back\\slash", "\\u0041 \\U0001F600", "\\\x01u0041", "line\nbreak\r\t")),
    literal("\x00 \x7f \u2028"),
    literal("é 😀 שלום"), '"colour"@en-gb', '"Farbe"@de', literal("x", "urn:my-type"), literal("1903", XSD + "gYear"),
    literal("01", XSD + "integer"), literal("-0.50", XSD + "decimal"), literal("1e3", XSD + "double"),
    literal("true", XSD + "boolean"), literal("2026-11-25", XSD + "date"), literal("not a number", XSD + "integer"),
]  # fmt: skip
NODE = strategies.sampled_from(NODES[:4])
QUADS = strategies.sets(
    strategies.tuples(
        NODE, strategies.sampled_from([*RELATIONS, LABEL]), strategies.one_of(NODE, strategies.sampled_from(LITERALS)),
        strategies.sampled_from([ASSERTED, NAMES]),
    ),
    max_size=12,
)  # fmt: skip


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "embedded":
        yield memory_store()
    else:
        with request.getfixturevalue("oxigraph").store(batch_size=5) as opened:
            yield opened


def fill(store: Store, quads: set[Quad]) -> None:
    """Makes the store hold exactly these, by what it holds."""
    held = {quad for graph in (ASSERTED, NAMES) for quad in store.scan(graph=graph)}
    assert store.remove(sorted(held - quads)) == len(held - quads)
    assert store.add(sorted(quads)) == len(quads)


@QUICK
@given(QUADS)
def test_a_scan_is_a_filter(store: Store, quads: set[Quad]) -> None:
    fill(store, quads)
    heads, tails = [None, NODES[0], NODES[4]], [None, NODES[1], LITERALS[3]]
    for head, relation, tail in product(heads, [None, RELATIONS[0]], tails):
        wanted = {
            quad for quad in quads
            if quad[3] == ASSERTED and all(a in (None, b) for a, b in zip((head, relation, tail), quad, strict=False))
        }  # fmt: skip
        found = list(store.scan(head, relation, tail, graph=ASSERTED))
        assert len(found) == len(set(found))
        assert set(found) == wanted
        assert store.has(head, relation, tail, graph=ASSERTED) == bool(wanted)


@pytest.mark.parametrize("tail", LITERALS, ids=ascii)
def test_a_literal_comes_back_as_it_went(store: Store, tail: str) -> None:
    quad = entity_iri("A"), relation_iri("r"), tail, ASSERTED
    store.add([quad])
    assert list(store.scan(graph=ASSERTED)) == list(store.scan(tail=tail, graph=ASSERTED)) == [quad]
    assert store.query(f"SELECT ?x ?t ?none {{ GRAPH <{ASSERTED}> {{ ?x ?r ?t }} }}") == [(quad[0], tail, "")]
    store.remove([quad])
    assert not store.has(graph=ASSERTED)


@QUICK
@given(QUADS)
def test_the_table_is_what_the_triples_say(store: Store, quads: set[Quad]) -> None:
    fill(store, quads)
    table = table_of(store)
    rows = set(zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True))
    facts = sorted(quad[:3] for quad in quads if quad[3] == ASSERTED)
    wanted = triple_table(facts, {})
    assert (table.entities, table.relation_terms) == (wanted.entities, wanted.relation_terms)
    assert rows == set(zip(wanted.heads.tolist(), wanted.relations.tolist(), wanted.tails.tolist(), strict=True))
    assert table.heads.dtype == np.int64


def test_the_table_calls_things_by_their_labels(store: Store) -> None:
    store.add([(NODES[0], RELATIONS[0], NODES[1], ASSERTED), (NODES[0], LABEL, literal('Anna "A"'), NAMES)])
    table = table_of(store)
    assert table.entity_texts[table.entities.index(NODES[0])] == 'Anna "A"'
    assert table.relation_texts == ["directed by"]


@QUICK
@given(triples=graphs, asked=strategies.lists(branches(), min_size=1, max_size=2))
def test_a_proof_gives_the_answers(store: Store, triples, asked) -> None:  # type: ignore[no-untyped-def]
    fill(store, {(*triple, ASSERTED) for triple in triples})
    rows = store.query(path_query(asked))
    assert len(rows) == len(set(rows))
    assert {row[0] for row in rows} == set.intersection(*(walk(triples, branch) for branch in asked))


def test_other_forms_of_queries(store: Store) -> None:
    quads = {(entity_iri(str(n)), relation_iri("r"), literal(str(n)), ASSERTED) for n in range(12)}
    store.add(quads)
    assert store.query(f"ASK {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }}") == [("true",)]
    assert store.query("ASK { GRAPH <urn:none> { ?h ?r ?t } }") == [("false",)]
    construct = f"CONSTRUCT {{ ?h ?r ?t }} WHERE {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }}"
    assert set(store.query(construct)) == {quad[:3] for quad in quads}
    assert store.query("SELECT ?x WHERE { GRAPH <urn:none> { ?x ?r ?t } }") == []
    rows = store.query(f"SELECT ?t ?h WHERE {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }} ORDER BY ?t LIMIT 2")
    assert rows == [(literal("0"), entity_iri("0")), (literal("1"), entity_iri("1"))]


def test_what_is_no_sparql_is_the_users_mistake(store: Store) -> None:
    with pytest.raises(InputError, match="SPARQL"):
        store.query("SELEC ?x")


def test_writing_twice_is_writing_once(store: Store) -> None:
    quads = [(entity_iri(str(n)), relation_iri("r"), entity_iri("Z"), ASSERTED) for n in range(12)]
    assert store.add(quads) == store.add(quads) == 12
    assert sorted(store.scan(graph=ASSERTED)) == sorted(quads)
    assert store.remove(quads[:7]) == store.remove(iter(quads[:7])) == 7
    assert sorted(store.scan(graph=ASSERTED)) == sorted(store.quads()) == sorted(quads[7:])


BAD = [
    "urn:x> } } ; DROP ALL ; INSERT DATA { GRAPH <urn:a> { <urn:a",
    '"a" } } ; DROP ALL #',
    '"a\\"@en> . <urn:b',
    "plain",
]


@pytest.mark.parametrize("bad", BAD)
def test_a_term_never_becomes_syntax(store: Store, bad: str) -> None:
    kept = (NODES[0], RELATIONS[0], NODES[1], ASSERTED)
    store.add([kept])
    for place in (0, 2, 3):
        quad = tuple(bad if number == place else term for number, term in enumerate(kept))
        for write in (store.add, store.remove):
            with pytest.raises(InputError, match="is not a term"):
                write([quad])
    for pattern in ((bad, None, None), (None, None, bad)):
        if not (bad.startswith('"') and pattern[0]):  # no literal is a head
            with pytest.raises(InputError, match="is not a term"):
                list(store.scan(*pattern, graph=ASSERTED))
    with pytest.raises(InputError, match="is not a term"):
        store.has(graph=bad)
    assert list(store.scan(graph=ASSERTED)) == [kept]


def test_both_hold_the_same_after_the_same(oxigraph: Oxigraph) -> None:
    """Every literal at once, so that batches hold several graphs, and their spelling is compared to the letter."""
    embedded = memory_store()
    quads = [
        (NODES[0], RELATIONS[0], tail, graph) for tail in LITERALS for graph in (ASSERTED, NAMES, "urn:kgqa:doc:a")
    ]
    with open_store(f"{oxigraph.url}/query", f"{oxigraph.url}/update", batch_size=7) as server:
        for store in (embedded, server):
            store.add(quads)
            store.remove(quads[::4])
    assert oxigraph.dump() == {f"{quad} ." for quad in map(str, embedded.native)}

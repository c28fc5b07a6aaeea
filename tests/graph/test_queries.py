"""The SPARQL of an answer returns exactly what a naive walk over sets returns."""

import re

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from kgqa.errors import InputError
from kgqa.graph.oxigraph import GraphStore
from kgqa.graph.queries import PathBranch, path_query, scan_query
from kgqa.graph.terms import literal
from kgqa.ids import ASSERTED, entity_iri, relation_iri

NODES = [*(entity_iri(name) for name in ('A "b"', "B'}", "C\\", "É [x]")), literal("1903"), literal('say "no" \\ {')]
RELATIONS = [relation_iri(name) for name in ("directed by", "likes")]

nodes = strategies.sampled_from(NODES)
graphs = strategies.sets(
    strategies.tuples(strategies.sampled_from(NODES[:4]), strategies.sampled_from(RELATIONS), nodes), max_size=12
)
choices = strategies.lists(
    strategies.tuples(strategies.sampled_from(RELATIONS), strategies.booleans()), min_size=1, max_size=2
)


@strategies.composite
def branches(draw: strategies.DrawFn) -> PathBranch:
    hops = draw(strategies.lists(choices, max_size=3))
    excluded = [draw(strategies.sets(strategies.integers(0, step), max_size=2)) for step in range(len(hops))]
    topics = draw(strategies.lists(nodes, min_size=1, max_size=2, unique=True))
    return PathBranch(topics, hops, [sorted(steps) for steps in excluded])


def walk(triples: set[tuple[str, str, str]], branch: PathBranch) -> set[str]:
    """Sets of entities after each step, exclusions taken out as sets: the definition, as a naive loop."""
    steps = [set(branch.topics)]
    for hop, out in zip(branch.hops, branch.excluded, strict=True):
        reached = {t for h, r, t in triples for choice in hop if choice == (r, False) and h in steps[-1]}
        reached |= {h for h, r, t in triples for choice in hop if choice == (r, True) and t in steps[-1]}
        steps.append(reached - {node for step in out for node in steps[step]})
    return steps[-1]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(triples=graphs, asked=strategies.lists(branches(), min_size=1, max_size=2))
def test_path_query_is_a_walk_over_sets(triples: set[tuple[str, str, str]], asked: list[PathBranch]) -> None:
    store = memory_store()
    store.add((*triple, ASSERTED) for triple in triples)
    store.add((*triple, "urn:kgqa:doc:a") for triple in [(NODES[0], RELATIONS[0], NODES[3])])
    rows = store.query(path_query(asked))
    assert len(rows) == len(set(rows))
    assert {row[0] for row in rows} == set.intersection(*(walk(triples, branch) for branch in asked))


def memory_store() -> GraphStore:
    import pyoxigraph

    return GraphStore(pyoxigraph.Store(), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("topic", ["urn:x> } ; DROP ALL #", '"a" } { ?s ?p ?o', "plain", ""])
def test_a_term_never_becomes_syntax(topic: str) -> None:
    with pytest.raises(InputError, match="is not a term"):
        path_query([PathBranch([topic], [[(RELATIONS[0], False)]])])


PIECES = strategies.sampled_from(["\\", "u0041", "U00000041", '"', "\n", "\x01", "é"])


@given(strategies.lists(PIECES, max_size=8).map("".join))
def test_a_text_survives_servers_that_undo_escapes_before_they_look_for_strings(text: str) -> None:
    """SPARQL 1.1, 19.2: \\uXXXX and \\UXXXXXXXX stand for their character wherever they are, strings or not."""
    written = scan_query(None, None, literal(text), None)
    undone = re.sub(r"\\u([0-9A-F]{4})|\\U([0-9A-F]{8})", lambda m: chr(int(m[1] or m[2], 16)), written)
    for query in (written, undone):
        store = memory_store()
        store.add([("urn:a", "urn:b", literal(text), "urn:g")])
        query = query.replace("WHERE {", "WHERE { GRAPH <urn:g> {") + "}"
        assert store.query(query) == [("urn:a", "urn:b", literal(text))]

"""A server's graph becomes a file: all of it or none, the same file for the same graph, and facts for extract."""

from itertools import count
from pathlib import Path

import pytest
import requests

from kgqa.errors import InputError, StoreError
from kgqa.graph import fetch as module
from kgqa.graph.fetch import fetch
from kgqa.graph.formats import read_facts
from tests.servers import Front, Oxigraph, down_from

TURTLE = """
@prefix : <http://example.org/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:marie rdfs:label "Marie Curie"@en ; :bornIn :warsaw ; :year 1867 ; :said "a \\"b\\"\\n\\\\u0041 é" .
:pierre :spouse :marie ; :address [ :city :paris ] .
"""
LINES = 7


@pytest.fixture
def foreign(oxigraph: Oxigraph) -> Oxigraph:
    """A graph that kgqa did not write: in the default graph, with labels and a blank node."""
    requests.post(
        f"{oxigraph.url}/store?default", TURTLE.encode(), headers={"Content-Type": "text/turtle"}, timeout=30
    ).raise_for_status()
    return oxigraph


def test_a_foreign_graph_becomes_facts(foreign: Oxigraph, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "foreign.nt"
    with foreign.store(read_only=True) as store:
        assert fetch(store, path) == LINES
    reader = read_facts(path, "foreign.nt", strict=True)
    facts = {given[:3] for given in reader}
    assert ("http://example.org/marie", "http://example.org/bornIn", "http://example.org/warsaw") in facts
    assert len(facts) == LINES - 1
    assert [(name.name, name.preferred) for name in reader.names] == [("Marie Curie", True)]
    assert '"a \\"b\\"\\n\\\\u0041 é"' in {tail for _, _, tail in facts}
    assert sorted(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("run", [2, 500_000])
def test_order_and_repetition_do_not_matter(
    foreign: Oxigraph, front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: int
) -> None:
    monkeypatch.setattr(module, "_RUN", run)
    construct = "CONSTRUCT { ?h ?r ?t } WHERE { ?h ?r ?t }"
    with front.store() as store:
        fetch(store, tmp_path / "a.nt", query=construct)
        front.tamper = lambda body: b"".join(2 * body.splitlines(keepends=True)[::-1])
        assert fetch(store, tmp_path / "b.nt", query=construct) == LINES
    assert (tmp_path / "a.nt").read_bytes() == (tmp_path / "b.nt").read_bytes()


def test_a_named_graph_and_a_query(foreign: Oxigraph, tmp_path: Path) -> None:
    with foreign.store() as store:
        store.add([("urn:a", "urn:b", "urn:c", "http://example.org/g")])
        assert fetch(store, tmp_path / "g.nt", graph="http://example.org/g") == 1
        only = "CONSTRUCT { ?h <urn:born> ?t } WHERE { ?h <http://example.org/bornIn> ?t }"
        assert fetch(store, tmp_path / "q.nt", query=only) == 1
        assert "<urn:born>" in (tmp_path / "q.nt").read_text()
        with pytest.raises(InputError, match="cannot run this SPARQL"):
            fetch(store, tmp_path / "q.nt", query="CONSTRUCT nonsense")


def test_what_fails_leaves_the_file_as_it_was(foreign: Oxigraph, front: Front, tmp_path: Path) -> None:
    path = tmp_path / "kept.nt"
    path.write_text("before")
    with front.store() as store:
        for number in count():
            front.trick = down_from(number)
            try:
                fetch(store, path)
                break
            except StoreError:
                assert path.read_text() == "before"
        assert number == 2
        path.write_text("before")
        front.trick = lambda request: None
        front.tamper = lambda body: b"".join(body.splitlines(keepends=True)[:3])
        with pytest.raises(StoreError, match="gave 3 triples and counts 7"):
            fetch(store, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_another_kind_is_refused(foreign: Oxigraph, tmp_path: Path) -> None:
    with foreign.store() as store, pytest.raises(InputError, match=r"ends in \.nt"):
        fetch(store, tmp_path / "foreign.ttl")

"""What is exported comes back: all of it by N-Quads and JSON-LD, facts and names by Turtle and GraphML."""

import gzip
import random
import shutil
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import networkx as nx
import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings, strategies

from kgqa.conflicts import Policy
from kgqa.errors import InputError, StoreError
from kgqa.expand.apply import expand
from kgqa.expand.plan import Corpus
from kgqa.expand.verify import verify
from kgqa.export import export
from kgqa.graph.queries import ALT_LABEL, LABEL, NAMES
from kgqa.ids import ASSERTED, entity_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from tests.expand.test_apply import files
from tests.expand.toy import ToyExtractor, build, dump, fast_folder
from tests.expand.toy import settings as toy_settings

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking takes minutes here; add it to study a failure
AWKWARD = ['quo"te \\ and\nline\r\tend', "é ß 漢字 😀 \u2028", "\x01\x7f\x85\ufffe", " ", "", "%41#/<>{}", "]]>&amp;"]
texts = strategies.one_of(
    strategies.sampled_from(AWKWARD), strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=8)
)
literals = strategies.one_of(
    texts.map(ox.Literal),
    strategies.builds(lambda text: ox.Literal(text, language="en-GB"), texts),
    strategies.builds(lambda text: ox.Literal(text, datatype=ox.NamedNode("urn:my-type")), texts),
    strategies.sampled_from([ox.Literal(7), ox.Literal(True), ox.Literal(1e-7), ox.Literal("x", language="de")]),
)
iris = strategies.sampled_from(
    [
        *map(ox.NamedNode, ["urn:a", "http://example.org/É?x=1#y", "urn:kgqa:support:1", "urn:kgqa:doc:one", ASSERTED]),
        *(ox.NamedNode(entity_iri(name)) for name in AWKWARD[:-2]),
    ]
)
relations = strategies.sampled_from(
    [
        ox.NamedNode(name)
        for name in (
            "urn:p", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", LABEL, ALT_LABEL,
            "http://www.w3.org/ns/prov#wasDerivedFrom", relation_iri('rel "ation"'),
        )
    ]
)  # fmt: skip
triples = strategies.builds(ox.Triple, iris, relations, strategies.one_of(iris, literals))
graphs = strategies.lists(triples, max_size=6).map(lambda found: "".join(f"{triple} .\n" for triple in found))


def write(kb: Path, out: Path, generation: str | None = None) -> Path:
    with KnowledgeBase.open(kb, generation=generation) as base:
        export(base, out)
    return out


def restore(out: Path, kb: Path, kind: str = "facts") -> dict[str, Any]:
    expand(kb, Corpus(out, kind), toy_settings(), allow_empty=True)
    return dump(kb)


def without_graph(state: dict[str, Any], *graphs: str) -> list[tuple[str, ...]]:
    return [quad[:3] for quad in state["graph"] if quad[3] in {f"<{graph}>" for graph in graphs}]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@example({"k.nt": "".join(f"<urn:a> <urn:p> {ox.Literal(text)} .\n" for text in AWKWARD)}, "")
@example({"k.nt": f'<urn:a> <{LABEL}> "x" .\n<urn:a> <{ALT_LABEL}> "x" .\n<urn:a> <urn:p> <urn:b> .\n'}, "")
@given(files, graphs)
def test_everything_comes_back(corpus: dict[str, str], graph: str) -> None:
    with fast_folder() as name:
        folder = Path(name)
        build(folder / "kb", folder / "corpus", {"one.nt": "<urn:a> <urn:p> <urn:b> ."})
        build(folder / "kb", folder / "corpus", corpus | {"graph.nt": graph})
        before = dump(folder / "kb")
        if not before["counts"]["num_documents"]:
            return
        for suffix in (".nq", ".jsonld", ".nq.gz"):
            out = write(folder / "kb", folder / f"out{suffix}")
            assert restore(out, folder / f"kb{suffix}") == before
        for suffix in (".ttl", ".ttl.gz"):
            out = write(folder / "kb", folder / f"out{suffix}")
            if not before["counts"]["num_facts"]:
                continue
            after = restore(out, folder / f"kb{suffix}")
            for graph_name in (ASSERTED, NAMES):
                assert without_graph(after, graph_name) == without_graph(before, graph_name)


plain = strategies.text(
    strategies.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(files, strategies.lists(strategies.tuples(plain, plain, plain), min_size=1, max_size=4))
def test_graphml_brings_facts_and_names_back(corpus: dict[str, str], named: list[tuple[str, str, str]]) -> None:
    """Names of relations beside the one they are called by are not in GraphML; names are of what XML can hold."""
    lines = [
        f"<urn:{i}> <{relation}> {ox.Literal(text)} .\n"
        for i, told in enumerate(named)
        for relation, text in zip(("urn:p", LABEL, ALT_LABEL), told, strict=True)
    ]
    with fast_folder() as name:
        folder = Path(name)
        corpus = {key: text for key, text in corpus.items() if key != "labels.nt"}
        build(folder / "kb", folder / "corpus", corpus | {"named.nt": "".join(lines)})
        before = dump(folder / "kb")
        after = restore(write(folder / "kb", folder / "out.graphml.gz"), folder / "kb2")
    for graph in (ASSERTED, NAMES):
        assert without_graph(after, graph) == without_graph(before, graph)


PROSE = {
    "a.md": "First\n\nA,C knows B\nZ = A\n",
    "b.md": "Second\n\nC = A\nC fancies B\n",
    "k.tsv": "A\tknows\tB\nC\tknows\tD\n",
}


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kb")
    build(folder / "kb", folder / "corpus", {"a.md": "First\n\nA,C knows B\n"})
    build(folder / "kb", folder / "corpus", PROSE)
    return folder / "kb"


def test_graphml_says_how_well_a_fact_is_supported(kb: Path, tmp_path: Path) -> None:
    graph = nx.read_graphml(write(kb, tmp_path / "out.graphml"), force_multigraph=True)
    edges = {(head, edge["relation"], tail): edge for head, tail, edge in graph.edges(data=True)}
    edge = edges[entity_iri("A"), relation_iri("knows"), entity_iri("B")]
    assert (edge["num_supports"], edge["num_documents"], edge["confidence"], edge["text"]) == (3, 2, 1.0, "knows")
    assert graph.nodes[entity_iri("A")] == {"text": "A", "aliases": '["C", "Z"]'}


def test_what_xml_cannot_hold_is_replaced_in_names_and_exact_in_terms(tmp_path: Path) -> None:
    lines = [f"<urn:a> <urn:p> {ox.Literal(text)} .\n<urn:b> <{ALT_LABEL}> {ox.Literal(text)} .\n" for text in AWKWARD]
    build(tmp_path / "kb", tmp_path / "corpus", {"k.nt": "".join(lines) + '<urn:b> <urn:p> "" .\n'})
    before, out = dump(tmp_path / "kb"), write(tmp_path / "kb", tmp_path / "out.graphml")
    after = restore(out, tmp_path / "kb2")
    assert without_graph(after, ASSERTED) == without_graph(before, ASSERTED)
    names = {quad[2] for quad in without_graph(after, NAMES) if quad[1] == f"<{ALT_LABEL}>"}
    assert names == {str(ox.Literal(text.replace("\ufffe", "\ufffd"))) for text in AWKWARD}


def test_the_order_of_statements_does_not_matter(kb: Path, tmp_path: Path) -> None:
    lines = write(kb, tmp_path / "out.nq").read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(lines)
    (tmp_path / "shuffled.nq").write_text("\n".join(lines), encoding="utf-8")
    assert restore(tmp_path / "shuffled.nq", tmp_path / "kb", "export") == dump(kb)
    with pytest.raises(InputError, match="read it with corpus=export"):
        restore(tmp_path / "shuffled.nq", tmp_path / "other", "facts")


def test_an_older_generation_is_exported_as_it_was(kb: Path, tmp_path: Path) -> None:
    out = write(kb, tmp_path / "out.nq", "gen-000001")
    assert restore(out, tmp_path / "kb") == dump(kb, "gen-000001")


def test_first_generations_are_in_the_file(kb: Path, tmp_path: Path) -> None:
    store = ox.Store()
    store.load(path=str(write(kb, tmp_path / "out.nq")), format=ox.RdfFormat.N_QUADS)
    rows: Any = store.query("SELECT ?first { GRAPH ?g { ?s <urn:kgqa:vocabulary:firstGeneration> ?first } }")
    told = Counter(row["first"].value for row in rows)
    assert told == {"gen-000001": 1, "gen-000002": dump(kb)["counts"]["num_supports"] - 1}


def test_the_policy_for_conflicts_comes_back_too(tmp_path: Path) -> None:
    policy = Policy("newest", frozenset({relation_iri("knows")}), min_heads=1, min_share=0.5)
    dated = {
        f"{year}.md": f"---\ndate: {year}-01-01\n---\n\nA knows {name}\n" for year, name in ((1990, "B"), (2000, "C"))
    }
    build(tmp_path / "kb", tmp_path / "corpus", dated, policy=policy)
    before = dump(tmp_path / "kb")
    assert before["ledger.overruled"]
    assert restore(write(tmp_path / "kb", tmp_path / "out.nq"), tmp_path / "copy") == before
    with KnowledgeBase.open(tmp_path / "copy") as base:
        assert base.policy == policy
    assert not verify(tmp_path / "copy")


def test_what_came_back_goes_on_growing_as_the_original_does(kb: Path, tmp_path: Path) -> None:
    """Documents are known again by their hashes, so that only what is new is read."""
    restore(write(kb, tmp_path / "out.nq"), tmp_path / "kb")
    extractor = ToyExtractor()
    corpus = tmp_path / "corpus"
    outcome = build(tmp_path / "kb", corpus, PROSE | {"c.md": "Third\n\nB = D\n"}, extractor=extractor)
    assert (outcome.delta.added, outcome.delta.changed, extractor.read) == (("c",), (), ["c"])
    build(tmp_path / "fresh", corpus, PROSE | {"c.md": "Third\n\nB = D\n"})
    assert _pathless(dump(tmp_path / "kb")) == _pathless(dump(tmp_path / "fresh"))


def _pathless(state: dict[str, Any]) -> dict[str, Any]:
    return {key: rows for key, rows in state.items() if key != "ledger.documents"}


def test_a_later_export_is_a_delta(kb: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "out.nq", tmp_path / "copy"
    restore(write(kb, out, "gen-000001"), copy)
    write(kb, out)
    outcome = expand(copy, Corpus(out), toy_settings())
    assert (outcome.delta.added, outcome.delta.changed) == (("b", "k.tsv"), ("a",))
    assert dump(copy) == dump(kb)
    assert expand(copy, Corpus(out), toy_settings()).generation is None
    write(kb, out, "gen-000001")
    assert expand(copy, Corpus(out), toy_settings()).delta.removed == ("b", "k.tsv")
    assert dump(copy) == dump(kb, "gen-000001")


def test_what_a_graph_lacks_that_older_code_wrote_comes_from_the_ledger(kb: Path, tmp_path: Path) -> None:
    """Once a graph said nothing of readers and of the places of head and tail."""
    shutil.copytree(kb, tmp_path / "old")
    (snapshot,) = (tmp_path / "old" / "graph" / "snapshots").glob("gen-000002")
    store = ox.Store(str(snapshot))
    store.update("DELETE { GRAPH ?g { ?s ?p ?o } } WHERE { GRAPH ?g { ?s ?p ?o } FILTER(REGEX(STR(?p), 'head|wasA')) }")
    del store
    assert restore(write(tmp_path / "old", tmp_path / "out.nq"), tmp_path / "copy") == dump(kb)


def test_equal_states_are_equal_files(kb: Path, tmp_path: Path) -> None:
    for suffix in (".nq", ".nq.gz", ".jsonld", ".graphml"):
        first, second = (write(kb, tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
        assert first == second
    assert gzip.decompress((tmp_path / "a.nq.gz").read_bytes()) == (tmp_path / "a.nq").read_bytes()


def test_memory_does_not_grow_with_what_is_exported(tmp_path: Path) -> None:
    def peak(num_facts: int) -> int:
        lines = "".join(f"head {number // 3}\tknows\ttail {number}\n" for number in range(num_facts))
        kb, peaks = tmp_path / f"kb-{num_facts}", []
        build(kb, tmp_path / "corpus", {"k.tsv": lines}, index=False)
        for suffix in (".nq", ".jsonld", ".ttl"):
            tracemalloc.start()
            out = write(kb, tmp_path / f"out{suffix}")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert out.stat().st_size > 200 * num_facts
        return max(peaks)

    assert peak(6000) < 1.5 * peak(2000)


def test_turtle_is_readable_and_has_the_provenance(kb: Path, tmp_path: Path) -> None:
    out = write(kb, tmp_path / "out.ttl")
    assert "entity:A relation:fancies entity:B ;\n\trelation:knows entity:B , entity:D ." in out.read_text()
    store = ox.Store()
    store.load(path=str(out), format=ox.RdfFormat.TURTLE)
    rows: Any = store.query(
        "PREFIX prov: <http://www.w3.org/ns/prov#> SELECT ?sentence { ?s prov:value ?sentence ; "
        "<http://www.w3.org/1999/02/22-rdf-syntax-ns#predicate> <urn:kgqa:relation:fancies> }"
    )
    assert [row["sentence"].value for row in rows] == ["C fancies B"]


@pytest.mark.parametrize("name", ["out.csv", "out", "folder.nq", "out.nq.zip"])
def test_a_file_that_cannot_be_one_is_refused(kb: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.nq").mkdir()
    with pytest.raises(InputError, match=r"\.nq, \.jsonld, \.ttl, \.graphml"):
        write(kb, tmp_path / name)


def test_a_failed_export_leaves_the_old_file_and_nothing_else(
    kb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonld"
    out.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kgqa.artifacts.os.fsync", full)
    with pytest.raises(StoreError, match=r"cannot write .*out\.jsonld: No space left"):
        write(kb, out)
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonld"]
    assert out.read_text() == "old"

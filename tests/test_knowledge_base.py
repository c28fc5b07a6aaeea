"""What a reader is given, and what it is told when it cannot be."""

import json
from pathlib import Path

import pytest
from rdflib import URIRef

from kgqa.errors import InputError, StoreError
from kgqa.graph.provenance import RESERVED
from kgqa.ids import ASSERTED, document_iri, entity_iri, relation_iri
from kgqa.knowledge_base import KINDS, KnowledgeBase
from tests.expand.toy import build

FILES = {
    "a.md": "First\n\nA knows B\nZ = A\n",
    "labels.ttl": '<urn:m> <urn:p> "1903"^^<http://www.w3.org/2001/XMLSchema#gYear> ; '
    '<http://www.w3.org/2000/01/rdf-schema#label> "Marie" ; '
    '<http://www.w3.org/2004/02/skos/core#altLabel> "Maria" .',
}


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kb")
    build(folder / "kb", folder / "corpus", FILES)
    return folder / "kb"


def test_texts_and_aliases(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        table = base.triples()
        assert dict(zip(table.entities, table.entity_texts, strict=True)) == {
            entity_iri("A"): "A",
            entity_iri("B"): "B",
            "urn:m": "Marie",
            '"1903"^^<http://www.w3.org/2001/XMLSchema#gYear>': "1903",
        }
        assert {("Z", entity_iri("A")), ("Maria", "urn:m"), ("Marie", "urn:m")} < set(base.aliases())


def test_counts_are_those_of_the_tables(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        table, counts = base.triples(), base.counts()
        sizes = {kind: len(base.memory(kind)) for kind in KINDS}
    assert (counts["num_facts"], counts["num_entities"]) == (len(table.heads), len(table.entities))
    assert sizes == {
        "entity": counts["num_entities"], "relation": counts["num_relations"], "fact": counts["num_facts"],
        "passage": counts["num_passages"],
    }  # fmt: skip


def test_provenance_in_python_and_in_sparql(kb: Path) -> None:
    triple = entity_iri("A"), relation_iri("knows"), entity_iri("B")
    with KnowledgeBase.open(kb) as base:
        (supports, none) = base.provenance([triple, ("urn:no", "urn:no", "urn:no")])
        rows = base.query(f"""
            PREFIX prov: <http://www.w3.org/ns/prov#> PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
            SELECT ?document ?sentence {{ GRAPH ?document {{
                ?support rdf:subject <{triple[0]}> ; rdf:predicate <{triple[1]}> ; rdf:object <{triple[2]}> ;
                    prov:wasDerivedFrom ?document ; prov:value ?sentence }} }}""")
    assert not none
    assert (supports[0].doc_id, supports[0].sentence, supports[0].span) == ("a", "A knows B", (7, 16))
    assert rows == [(document_iri("a"), '"A knows B"')]


def test_asserted_is_the_union_of_the_documents(kb: Path) -> None:
    pattern = "GRAPH ?g { ?h ?r ?t } FILTER(STRSTARTS(STR(?g), 'urn:kgqa:doc:'))"
    ours = " ".join(f"FILTER(!STRSTARTS(STR(?h), '{prefix}'))" for prefix in RESERVED)
    with KnowledgeBase.open(kb) as base:
        stated = base.query(f"SELECT DISTINCT ?h ?r ?t {{ {pattern} {ours} }}")
        assert sorted(stated) == sorted(base.query(f"SELECT ?h ?r ?t {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }}"))


def test_rdflib_sees_the_same(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        graph = base.dataset().get_context(URIRef(ASSERTED))
        assert set(graph.objects(URIRef(entity_iri("A")))) == {URIRef(entity_iri("B"))}


def test_readers_cannot_write(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base, pytest.raises(RuntimeError, match="read-write"):
        base.graph.add([("urn:a", "urn:b", "urn:c", ASSERTED)])


def test_nothing_indexed_is_an_empty_memory(tmp_path: Path) -> None:
    build(tmp_path / "kb", tmp_path / "corpus", FILES, index=False)
    with KnowledgeBase.open(tmp_path / "kb") as base:
        assert base.embedder_name is None
        assert [len(base.memory(kind)) for kind in KINDS] == [0, 0, 0, 0]
        with pytest.raises(InputError, match="no vectors of kind"):
            base.memory("sentence")


def test_what_is_missing_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no knowledge base at .*extract"):
        KnowledgeBase.open(tmp_path / "kb")
    build(tmp_path / "kb", tmp_path / "corpus", FILES)
    with pytest.raises(StoreError, match=r"no generation gen-000009; open it with generation=gen-000001"):
        KnowledgeBase.open(tmp_path / "kb", generation="gen-000009")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    build(tmp_path / "kb", tmp_path / "corpus", FILES)
    path = tmp_path / "kb" / "generations" / "gen-000001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99, "new_field": 1}))
    with pytest.raises(StoreError, match="format 99"):
        KnowledgeBase.open(tmp_path / "kb")


@pytest.mark.parametrize("name", ["ledger.sqlite", "graph/snapshots/gen-000001/CURRENT"])
def test_a_lost_file_is_named(tmp_path: Path, name: str) -> None:
    build(tmp_path / "kb", tmp_path / "corpus", FILES)
    (tmp_path / "kb" / name).unlink()
    with pytest.raises(StoreError, match=r"ledger\.sqlite|snapshots/gen-000001"):
        KnowledgeBase.open(tmp_path / "kb")


def test_the_supports_of_many_facts_at_once_are_those_of_each(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        table = base.triples()
        columns = zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True)
        facts = [(table.entities[h], table.relation_terms[r], table.entities[t]) for h, r, t in columns]
        asked = [*facts, ("urn:no", facts[0][1], facts[0][2]), *facts[::-1]]
        together = base.provenance(asked)
        assert together == [base.provenance([triple])[0] for triple in asked]
        assert [bool(found) for found in together] == [triple[0] != "urn:no" for triple in asked]
        assert base.provenance([]) == []

"""What was read, under the properties of an ontology: by their labels, and only where their ends allow it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kgqa.errors import ConfigError, InputError
from kgqa.expand.batches import Extracted, Reread
from kgqa.expand.mapping import Ontology, OntologyExtractor, open_ontology
from kgqa.graph.ontology import read_properties
from kgqa.ids import entity_iri, open_relation_iri
from kgqa.memory.hashing import HashingEmbedder
from kgqa.types import Document, Fact, Mention, Provenance

ONTOLOGY = """@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
:Town rdfs:subClassOf :City . :City rdfs:subClassOf :Place .
:birthPlace a owl:ObjectProperty ; rdfs:label "birth place" ; skos:altLabel "born in" ; rdfs:domain :Person ;
    rdfs:range :Town .
:birthYear rdfs:label "birth year" ; skos:altLabel "born in" ; rdfs:domain :Person ; rdfs:range xsd:gYear .
:mayor rdfs:label "mayor" ; rdfs:domain :Town ; rdfs:range :Person .
:cityServed a rdf:Property .
"""
KINDS = {"Ann": "PERSON", "Oslo": "LOC", "Acme": "ORG", "Thing": "MISC"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "own.ttl"
    file.write_text(ONTOLOGY, encoding="utf-8")
    return file


class Read:
    """An extractor that found these facts, each in a sentence of its own."""

    identity = "read"

    def __init__(self, *stated: tuple[str, str, str]) -> None:
        self._stated = stated

    def extract(self, documents: Iterable[Document]) -> Iterator[Extracted]:
        facts, mentions = [], []
        for place, (head, relation, tail) in enumerate(self._stated):
            spans = (10 * place, 10 * place + 4), (10 * place + 5, 10 * place + 9)
            source = Provenance("d", "s", (10 * place, 10 * place + 9), *spans, "open", 0.6)
            terms = [one if one.startswith('"') else entity_iri(one) for one in (head, tail)]
            facts.append(Fact(terms[0], open_relation_iri(relation), terms[1], head, relation, tail, source))
            mentions += [
                Mention(span, name, KINDS.get(name, "DATE"), "") for span, name in zip(spans, (head, tail), strict=True)
            ]
        yield Reread(Document("d", ""), (), tuple(mentions), tuple(facts), ())


def mapped(path: Path, *stated: tuple[str, str, str], restrict: bool = True, least: float = 0.8) -> list[Fact]:
    ontology = Ontology(read_properties(path), HashingEmbedder(), least=least)
    return list(next(OntologyExtractor(Read(*stated), ontology, restrict=restrict).extract([])).facts)


YEAR = '"1903"^^<http://www.w3.org/2001/XMLSchema#gYear>'


def test_ends_choose_among_properties_of_the_same_name(path: Path) -> None:
    found = mapped(path, ("Ann", "born in", "Oslo"), ("Ann", "born in", YEAR))
    assert [fact.relation for fact in found] == ["http://example.org/birthPlace", "http://example.org/birthYear"]
    assert [fact.relation_text for fact in found] == ["birth place", "birth year"]


def test_what_no_property_can_join_is_no_fact(path: Path) -> None:
    assert not mapped(path, ("Oslo", "born in", "Oslo"), ("Acme", "born in", YEAR), restrict=False)


def test_what_nothing_is_known_of_may_be_anything(path: Path) -> None:
    assert mapped(path, ("Thing", "born in", "Oslo"))[0].relation == "http://example.org/birthPlace"


def test_a_noun_is_said_from_either_end(path: Path) -> None:
    (found,) = mapped(path, ("Ann", "mayor of", "Oslo"))
    assert (found.head_text, found.relation, found.tail_text) == ("Oslo", "http://example.org/mayor", "Ann")
    assert found.provenance.head_span == (5, 9)
    assert found.provenance.tail_span == (0, 4)


def test_what_is_near_to_nothing_stays_as_it_is_or_goes(path: Path) -> None:
    stated = ("Ann", "collaborate with", "Acme")
    (found,) = mapped(path, stated, restrict=False)
    assert found.relation == open_relation_iri("collaborate with")
    assert not mapped(path, stated)


def test_a_fact_said_in_two_ways_is_one(path: Path) -> None:
    found = mapped(path, ("Ann", "born in", "Oslo"), ("Ann", "birth place", "Oslo"))
    assert len(found) == 2  # of two sentences
    ontology = Ontology(read_properties(path), HashingEmbedder(), least=0.8)
    (one,) = Read(("Ann", "born in", "Oslo")).extract([])
    again = replace(one.facts[0], relation_text="birth place")
    twice = Reread(one.document, (), one.mentions, (one.facts[0], again), ())

    class Twice(Read):
        def extract(self, documents: Iterable[Document]) -> Iterator[Extracted]:
            yield twice

    assert len(next(OntologyExtractor(Twice(), ontology, restrict=True).extract([])).facts) == 1


def test_facts_do_not_depend_on_their_company(path: Path) -> None:
    stated = [("Ann", "born in", "Oslo"), ("Ann", "mayor of", "Oslo"), ("Ann", "living in", "Oslo")]
    together = {fact.triple for fact in mapped(path, *stated)}
    assert together == {fact.triple for one in stated for fact in mapped(path, one)}


def test_the_identity_follows_ontology_threshold_and_extractor(path: Path) -> None:
    properties = read_properties(path)
    identities = {
        OntologyExtractor(Read(), Ontology(some, HashingEmbedder(), least=least), restrict=restrict).identity
        for some in (properties, properties[:2])
        for least in (0.5, 0.6)
        for restrict in (True, False)
    }
    assert len(identities) == 8


def test_thresholds_and_files_that_are_none(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"extract\.ontology_least is 2"):
        open_ontology(path, HashingEmbedder, least=2)
    with pytest.raises(InputError, match=r"extract\.ontology must name"):
        open_ontology(tmp_path / "none.ttl", HashingEmbedder, least=0.5)
    empty = tmp_path / "empty.ttl"
    empty.write_text("<http://a> <http://b> <http://c> .", encoding="utf-8")
    with pytest.raises(InputError, match="names no property"):
        read_properties(empty)

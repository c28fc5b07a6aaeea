"""Which relations an ontology says to have one value."""

from pathlib import Path

import pytest

from kgqa.errors import InputError
from kgqa.graph.ontology import Property, functional_relations, read_properties

PREFIXES = """@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix : <http://example.org/> . @prefix r: <urn:kgqa:relation:> .
"""
ONTOLOGY = """
r:born_in a owl:ObjectProperty, owl:FunctionalProperty ; rdfs:label "born in" .
:knows a owl:ObjectProperty .
:mother a owl:InverseFunctionalProperty .
:Person rdfs:subClassOf
    [ a owl:Restriction ; owl:onProperty :weight ; owl:maxCardinality "1"^^xsd:nonNegativeInteger ] ,
    [ a owl:Restriction ; owl:onProperty :father ; owl:cardinality 1 ] ,
    [ a owl:Restriction ; owl:onProperty :parent ; owl:maxCardinality 2 ] ,
    [ a owl:Restriction ; owl:onProperty :child ; owl:minCardinality 1 ] .
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_functional_properties_and_restrictions_to_one(tmp_path: Path) -> None:
    path = write(tmp_path / "own.ttl", PREFIXES + ONTOLOGY)
    expected = {"urn:kgqa:relation:born_in", "http://example.org/weight", "http://example.org/father"}
    assert functional_relations(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PREFIXES + ":knows a owl:ObjectProperty .", "names no owl:FunctionalProperty"),
        ("no turtle", "cannot be parsed"),
    ],
)
def test_what_names_nothing_or_is_no_turtle_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        functional_relations(write(tmp_path / "own.ttl", text))


def test_a_missing_file_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"own\.ttl is not a file; conflict\.ontology"):
        functional_relations(tmp_path / "own.ttl")


def test_properties_with_their_labels_and_what_they_join(tmp_path: Path) -> None:
    text = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> . @prefix schema: <http://schema.org/> .
:Town rdfs:subClassOf :City . :City rdfs:subClassOf :Place . :Place rdfs:subClassOf :Place .
:mayorOf a owl:ObjectProperty ; rdfs:domain :Person ; rdfs:range :Town .
:name a owl:DatatypeProperty ; skos:altLabel "is called" ; rdfs:label "name", "nom"@fr ; rdfs:range xsd:string .
:near schema:domainIncludes :Town, :Person .
:Person a owl:Class .
"""
    mayor, name, near = read_properties(write(tmp_path / "own.ttl", PREFIXES + text))
    base = "http://example.org/"
    places = frozenset({base + "Town", base + "City", base + "Place"})
    assert mayor == Property(base + "mayorOf", ("mayor of",), frozenset({base + "Person"}), places)
    assert name.labels[0] == "name"
    assert set(name.labels) == {"name", "is called", "nom"}
    assert near.domains == places | {base + "Person"}
    assert not near.ranges

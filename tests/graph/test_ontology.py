"""Which relations an ontology says to have one value."""

from pathlib import Path

import pytest

from kgqa.errors import InputError
from kgqa.graph.ontology import functional_relations

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

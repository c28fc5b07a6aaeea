"""Terms survive the way into the store and back; what is no term is refused."""

import pyoxigraph as ox
import pytest
from hypothesis import given, strategies

from kgqa.errors import InputError
from kgqa.graph.terms import XSD, canonical_term, from_node, literal, relation_text, text_of, to_node, token
from kgqa.ids import entity_iri, relation_iri

texts = strategies.text(strategies.characters(exclude_categories=["Cs"]))


@given(texts)
def test_any_name_is_a_term_and_is_read_back(name: str) -> None:
    iri = entity_iri(name)
    assert from_node(to_node(iri)) == canonical_term(iri) == iri
    assert text_of(iri) == name


@given(texts, strategies.sampled_from([None, XSD + "string", "urn:my-type"]))
def test_a_literal_keeps_its_text(text: str, datatype: str | None) -> None:
    term = literal(text, datatype)
    assert text_of(term) == text
    assert from_node(to_node(term)) == canonical_term(term) == term


values = strategies.one_of(
    strategies.integers(-(10**6), 10**6).map(lambda n: (f"{n:+05d}", "integer")),
    strategies.decimals(-100, 100, places=3).map(lambda d: (str(d), "decimal")),
    strategies.sampled_from([("1", "boolean"), ("1e3", "double"), ("2001-01-01T00:00:00.000Z", "dateTime")]),
    strategies.sampled_from([("1903", "gYear"), ("not a number", "integer"), ("0099-02-30", "date")]),
)


@given(values)
def test_a_canonical_literal_is_what_the_store_gives_back(value: tuple[str, str]) -> None:
    term = literal(value[0], XSD + value[1])
    store = ox.Store()
    store.add(ox.Quad(ox.NamedNode("urn:s"), ox.NamedNode("urn:p"), to_node(term)))
    assert [from_node(quad.object) for quad in store] == [term]


@pytest.mark.parametrize(
    "bad", ["", "no scheme", "urn:a b", "urn:a>", '"open', '"a"^^<x', '"a" .', '"a"@', '"\\q"', "_:b"]
)
def test_what_is_no_term_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match="is not a term"):
        token(bad)


def test_relations_read_like_words() -> None:
    assert relation_text(relation_iri("directed_by")) == "directed by"
    assert relation_text("http://dbpedia.org/ontology/birthPlace") == "birth place"

"""What the relation reader read, beside the patterns: the same relations, the same entities, no fact twice."""

from dataclasses import replace

import pytest

from kgqa.errors import ConfigError
from kgqa.text import nlp
from kgqa.text.classified import WIKIDATA, by_property, candidates, unseen_names
from kgqa.text.extract import SOURCES, Extractor
from kgqa.text.extraction import Extraction
from kgqa.text.lexicon import lexicon
from kgqa.text.mentions import find_spots
from kgqa.text.nlp import Parse, ReadRelation
from kgqa.text.patterns import TYPES, load_patterns
from kgqa.types import Document

RELATIONS = by_property(load_patterns())
Found = set[tuple[str, str, str]]


def read(text: str, property_id: str, head: str, tail: str) -> tuple[Parse, str]:
    """A parse in which the reader found one relation; ends as `words/LABEL`."""
    (parse,) = nlp.parse(nlp.load_pipeline(), [(0, text)])
    ends = []
    for end in (head, tail):
        words, label = end.split("/")
        start = text.index(words)
        tokens = [place for place, at in enumerate(parse.starts) if start <= at < start + len(words)]
        ends.append((tokens[0], tokens[-1] + 1, label))
    return replace(parse, relations=[ReadRelation(property_id, *ends, 0.9)]), text


def facts(parse: Parse, text: str) -> Found:
    spots = unseen_names(parse, text, find_spots(parse, text, lexicon()))
    return {(one.head.text, one.relation.iri, one.tail.text) for one in candidates(parse, text, spots, RELATIONS)}


@pytest.mark.parametrize(
    ("property_id", "expected"),
    [
        ("P19", ("Ann Lee", "urn:kgqa:relation:born_in", "Oslo")),
        ("P551", ("Ann Lee", WIKIDATA + "P551", "Oslo")),
        ("P40", ("Oslo", "urn:kgqa:relation:child_of", "Ann Lee")),
    ],
)
def test_a_property_is_the_relation_that_means_the_same(property_id: str, expected: tuple[str, str, str]) -> None:
    parse, text = read("Ann Lee was born in Oslo.", property_id, "Ann Lee/PERSON", "Oslo/LOC")
    assert facts(parse, text) == {expected}


@pytest.mark.parametrize(
    "text", ["Ann Lee was not born in Oslo.", "Was Ann Lee born in Oslo?", "People claimed that Ann Lee died in Oslo."]
)
def test_what_is_not_asserted_is_no_fact(text: str) -> None:
    assert facts(*read(text, "P19", "Ann Lee/PERSON", "Oslo/LOC")) == set()


def test_a_name_that_only_the_reader_saw_is_named() -> None:
    text = "the firm iconectiv was bought by Ann Lee."
    parse, _ = read(text, "P127", "iconectiv/ORG", "Ann Lee/PERSON")
    assert facts(parse, text) == {("iconectiv", WIKIDATA + "P127", "Ann Lee")}


def test_i_stands_for_nobody_but_is_stated() -> None:
    parse, text = read("I was born in Oslo.", "P19", "I/PRONOUN", "Oslo/LOC")
    (one,) = candidates(parse, text, find_spots(parse, text, lexicon()), RELATIONS)
    assert one.head.kind == "pronoun"
    assert [text[slice(*span)] for span in one.spans] == ["I", "Oslo"]


def test_every_property_has_one_node_and_a_text() -> None:
    for name, (relation, _) in RELATIONS.items():
        assert relation.text
        assert relation.iri.startswith("urn:kgqa:relation:") or relation.iri == WIKIDATA + name
        assert relation.head | relation.tail <= TYPES
    assert RELATIONS["P22"] == RELATIONS["P25"]
    assert RELATIONS["P161"][0].head == {"WORK"}


def test_doubles_are_merged_and_the_pattern_has_the_fact() -> None:
    text = "Niels Bohr was born in Copenhagen on 7 October 1885."
    extraction = next(Extractor(sources=SOURCES).extract([Document("d", text)]))
    keys = [(*fact.triple, fact.provenance.span) for fact in extraction.facts]
    assert len(keys) == len(set(keys))
    born = [fact for fact in extraction.facts if fact.relation == "urn:kgqa:relation:born_in"]
    assert [fact.provenance.extractor for fact in born] == ["pattern:born_in/born"]


def test_each_source_can_be_left_out() -> None:
    document = Document("d", "Niels Bohr was born in Copenhagen. He married Margrethe Nørlund in 1912.")
    for sources in (["patterns"], ["classifier"]):
        found: Extraction = next(Extractor(sources=sources).extract([document]))
        assert {one.extractor.split(":")[0] for one in found.statements} <= {sources[0].removesuffix("s")}
    identities = {Extractor(sources=one).identity for one in (["patterns"], ["classifier"], SOURCES, SOURCES[::-1])}
    assert len(identities) == 3


@pytest.mark.parametrize("sources", [[], ["llm"], ["patterns", "llm"]])
def test_unknown_sources_are_refused(sources: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"extract\.sources"):
        Extractor(sources=sources)


def test_statements_name_the_very_mentions() -> None:
    text = "Marie Curie was kind.\n\nShe was born in Warsaw."
    statements = next(Extractor(sources=SOURCES).extract([Document("d", text, "Marie Curie")])).statements
    assert len(statements) > 1
    for one in statements:
        assert text[slice(*one.head_span)].strip()
        assert text[slice(*one.tail_span)].strip()
        assert 0 < one.confidence <= 1

"""Open relations: the words of a sentence that join two mentions, normalised; only what is asserted."""

import pytest

from kgqa.ids import OPEN, name_of
from kgqa.text.extract import Extractor
from kgqa.text.extraction import Extraction
from kgqa.types import Document


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(sources=["open"])


def read(extractor: Extractor, text: str) -> Extraction:
    return next(extractor.extract([Document("d", text)]))


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("Marie Curie lived in Paris.", ("Marie Curie", "live in", "Paris")),
        ("Apple was founded by Steve Jobs.", ("Apple", "founded by", "Steve Jobs")),
        ("Jens Härtel manages FC Magdeburg.", ("Jens Härtel", "manage", "FC Magdeburg")),
        ("The capital of Germany is Berlin.", ("Berlin", "capital of", "Germany")),
        ("Berlin is the capital of Germany.", ("Berlin", "capital of", "Germany")),
        ("Paris, the capital of France, lies on the Seine.", ("Paris", "capital of", "France")),
        ("Anna Berg's alma mater was the University of Oslo.", ("University of Oslo", "alma mater of", "Anna Berg")),
        (
            "Alan Bean, who graduated from Harvard University, flew.",
            ("Alan Bean", "graduate from", "Harvard University"),
        ),
        ("Anna Berg was born in Oslo. She worked for Siemens.", ("Anna Berg", "work for", "Siemens")),
        ("Anna Berg was born on 5 May 1931.", ("Anna Berg", "born on", "1931-05-05")),
        ("Oslo Airport has a length of 2,702.5 metres.", ("Oslo Airport", "have length of", "2702.5")),
    ],
)
def test_what_a_sentence_says(extractor: Extractor, text: str, fact: tuple[str, str, str]) -> None:
    facts = read(extractor, text).facts
    assert fact in {(one.head_text, one.relation_text, one.tail_text) for one in facts}
    for one in facts:
        assert one.relation.startswith(OPEN)
        assert name_of(one.relation) == one.relation_text
        assert one.provenance.extractor == "open"
        assert not one.head.startswith('"')


@pytest.mark.parametrize(
    "text",
    ["Carl Berg did not visit Rome.", "Did Carl Berg visit Rome?", "Carl Berg reportedly visited Rome.", "It rained."],
)
def test_what_is_not_asserted_is_no_fact(extractor: Extractor, text: str) -> None:
    assert not read(extractor, text).facts


def test_offsets_point_at_what_they_name(extractor: Extractor) -> None:
    text = "Oslo Airport has a length of 2,702.5 metres. Marie Curie lived in Paris."
    for fact in read(extractor, text).facts:
        (start, end), source = fact.provenance.tail_span, fact.provenance
        assert text[start:end] in {"2,702.5 metres", "Paris"}
        assert text[source.span[0] : source.span[1]] == source.sentence


def test_the_source_changes_nothing_of_the_others(extractor: Extractor) -> None:
    text = "Marie Curie was born in Warsaw. She lived in Paris and discovered radium."
    alone = read(Extractor(sources=["patterns"]), text).facts
    both = read(Extractor(sources=["patterns", "open"]), text).facts
    assert set(alone) == {fact for fact in both if fact.provenance.extractor != "open"}
    assert {"live in", "discover"} <= {fact.relation_text for fact in both}

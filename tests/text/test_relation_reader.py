"""The component of the shipped weights: what it reads is within its document, and does not hang on its neighbours."""

from pathlib import Path

import pytest

from kgqa.errors import ModelError
from kgqa.text import nlp, relation_reader
from kgqa.text.relation_reader import RelationReader, load_reader, shape_of

TEXT = (
    "Niels Bohr was born in Copenhagen in 1885. He married Margrethe Nørlund in 1912. The Danish physicist worked at "
    "the University of Copenhagen, which was founded in 1479."
)


def read(text: str) -> list[tuple[str, str, str]]:
    doc = nlp.load_pipeline(relations=True)(text)
    return [(one.head.text, one.property_id, one.tail.text) for one in doc._.relations]


def test_the_shipped_reader_reads() -> None:
    assert {("Niels Bohr", "P19", "Copenhagen"), ("He", "P26", "Margrethe Nørlund")} <= set(read(TEXT))


@pytest.mark.parametrize("text", ["", " ", "Rain.", "\n\n", "😀", "He", "1885"])
def test_little_text_gives_nothing(text: str) -> None:
    assert read(text) == []


def test_every_probability_reaches_its_threshold() -> None:
    doc = nlp.load_pipeline(relations=True)(TEXT)
    assert doc._.relations
    assert all(0 < one.probability <= 1 for one in doc._.relations)
    assert [span.text for span in doc.spans["mentions"]][:2] == ["Niels Bohr", "Copenhagen"]


def test_long_text_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relation_reader, "MOST_TOKENS", 25)
    doc = nlp.load_pipeline(relations=True)(" ".join([TEXT] * 4))
    assert len(relation_reader._parts(doc)) > 3
    for one in doc._.relations:
        assert one.head.doc is doc
        assert one.head.text in TEXT
        assert one.tail.text in TEXT
    assert len([one for one in doc._.relations if one.property_id == "P19"]) >= 2


def test_parts_cover_a_document_once() -> None:
    doc = nlp.load_pipeline()(TEXT)
    parts = relation_reader._parts(doc)
    assert [token for start, end in parts for token in range(start, end)] == list(range(len(doc)))


def test_words_have_nine_shapes() -> None:
    words = ["is", "Bohr", "USA", "McGee", "1885", "12", "1.5", "日本", "."]
    assert [shape_of(word) for word in words] == list(range(9))


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"extract\.sources"):
        RelationReader(tmp_path)


def test_another_pipeline_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_reader().net, "width", 7)
    with pytest.raises(ModelError, match="en_kgqa"):
        nlp._add_reader(nlp.load_pipeline(), "mine")

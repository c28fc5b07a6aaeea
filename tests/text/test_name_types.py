"""The second look at names: what it sees is what stands there, and it learns what the first look got wrong."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from kgqa.errors import InputError, ModelError
from kgqa.text.name_types import BESIDE, LONGEST, NAME, NameTypes, features, padded
from kgqa.text.nlp import load_pipeline
from kgqa.text.train_name_types import LABELS, Recipe, fit, lessons_of, train_names
from kgqa.text.train_teacher import DOCS
from pipelines import train_extractor

WIDTH = 6
RECIPE = Recipe(epochs=40, hidden=16, dropout=0.0, learning_rate=1e-2, weight_decay=0.0, wrong_extents=2, seed=0)
VOCAB = spacy.blank("en").vocab


def document(length: int, seed: int) -> Doc:
    doc = Doc(VOCAB, words=["w"] * length)
    doc.tensor = np.random.default_rng(seed).normal(size=(length, WIDTH)).astype(np.float32)
    return doc


@given(st.lists(st.tuples(st.integers(1, 14), st.integers(0, 99)), min_size=1, max_size=3), st.data())
@settings(max_examples=40, deadline=None)
def test_a_name_is_seen_with_what_stands_beside_it_in_its_own_document(
    sizes: list[tuple[int, int]], data: st.DataObject
) -> None:
    docs = [document(*size) for size in sizes]
    rows, places = padded(docs)
    for doc, place in zip(docs, places.tolist(), strict=True):
        start = data.draw(st.integers(0, len(doc) - 1))
        end = data.draw(st.integers(start + 1, len(doc)))
        (seen,) = features(rows, np.array([place + start]), np.array([place + end]))
        words = dict(enumerate(doc.tensor))
        beside = [words.get(at, np.zeros(WIDTH)) for step in range(BESIDE) for at in (start - 1 - step, end + step)]
        size = np.eye(LONGEST)[min(end - start, LONGEST) - 1]
        wanted = [words[start], words[end - 1], doc.tensor[start:end].mean(axis=0), *beside, size]
        np.testing.assert_allclose(seen, np.concatenate(wanted), atol=1e-5)


def always(label: str) -> NameTypes:
    width = (3 + 2 * BESIDE) * WIDTH + LONGEST
    bias = np.array([label == one for one in LABELS], np.float32)
    weights = {
        "hidden.weight": np.zeros((1, width), np.float32), "hidden.bias": np.zeros(1, np.float32),
        "output.weight": np.zeros((len(LABELS), 1), np.float32), "output.bias": bias,
    }  # fmt: skip
    return NameTypes(LABELS, weights)


def named(start: int, end: int, label: str) -> Doc:
    doc = document(5, seed=1)
    doc.ents = [Span(doc, start, end, label=label)]
    return doc


def test_a_name_keeps_its_extent_and_takes_the_type_that_is_found() -> None:
    assert [(one.start, one.end, one.label_) for one in always("ORG")(named(1, 3, "LOC")).ents] == [(1, 3, "ORG")]


def test_what_is_found_to_be_none_is_taken_out() -> None:
    assert always("")(named(1, 3, "LOC")).ents == ()


def test_weights_come_back_from_disk_and_without_them_a_name_cannot_be_judged(tmp_path: Path) -> None:
    always("WORK").to_disk(tmp_path / "component")
    read = NameTypes(LABELS, {})
    with pytest.raises(ModelError, match=r"train_extractor parts=\[names"):
        read(named(0, 1, "LOC"))
    assert read.from_disk(tmp_path / "component")(named(0, 1, "LOC")).ents[0].label_ == "WORK"


@pytest.fixture(scope="module")
def blind() -> Language:
    """A pipeline that takes every capitalised word for a place, with random rows for words."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    ruler = nlp.add_pipe("entity_ruler", name="ner")
    nlp.initialize()
    ruler.add_patterns([{"label": "LOC", "pattern": [{"IS_TITLE": True}]}])
    return nlp


def taught(nlp: Language) -> list[Doc]:
    """Who comes "said" is a person, what comes after "in" a place, and "Monday" none."""
    lines = ["{} said so in {} on Monday".format(*names) for names in zip(NAMES, reversed(NAMES), strict=True)]
    docs = [nlp.make_doc(line) for line in lines]
    for doc in docs:
        doc.ents = [Span(doc, 0, 1, label="PERSON"), Span(doc, 4, 5, label="LOC")]
    return docs


NAMES = ["Ada", "Oslo", "Max", "Rome", "Eve", "Lima", "Ida", "Bonn", "Tom", "Kiev"]


def test_it_learns_what_the_first_look_gets_wrong(blind: Language) -> None:
    lessons = lessons_of(blind, taught(blind), wrong_extents=RECIPE.wrong_extents, seed=0)
    component = NameTypes(LABELS, fit(lessons, RECIPE))
    doc = blind("Rome said so in Ada on Monday")
    assert [one.label_ for one in doc.ents] == ["LOC", "LOC", "LOC"]
    assert [(one.text, one.label_) for one in component(doc).ents] == [("Rome", "PERSON"), ("Ada", "LOC")]


def test_words_of_which_nothing_is_known_teach_nothing(blind: Language) -> None:
    docs = taught(blind)
    for doc in docs:
        doc.set_ents(list(doc.ents), missing=[doc[6:7]])
    types = lessons_of(blind, docs, wrong_extents=0, seed=0).types
    assert sorted(set(types.tolist())) == [LABELS.index("PERSON"), LABELS.index("LOC")]
    assert len(lessons_of(blind, taught(blind), wrong_extents=0, seed=0).types) == len(types) + len(docs)


def test_the_same_lessons_give_the_same_weights(blind: Language) -> None:
    lessons = lessons_of(blind, taught(blind), wrong_extents=2, seed=0)
    one, other = fit(lessons, RECIPE), fit(lessons, RECIPE)
    assert all((one[name] == other[name]).all() for name in one)


def test_training_says_what_must_come_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run train_extractor with parts=\[teacher,pipeline"):
        train_names(tmp_path / "none", train_docs=tmp_path / "docs.spacy", recipe=RECIPE)


def test_the_command_trains_the_component_of_a_pipeline_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_pipeline()
    shutil.copytree(str(shipped.path), tmp_path / "en_kgqa")
    doc = shipped("Marie Curie studied in Paris.")
    DocBin(docs=[doc]).to_disk(tmp_path / DOCS)
    before = (tmp_path / "en_kgqa" / NAME / "weights.safetensors").read_bytes()
    monkeypatch.setattr("sys.argv", ["", "parts=[names]", f"work_dir={tmp_path}", "names.epochs=40", "names.hidden=16"])
    train_extractor.main()
    again = spacy.load(tmp_path / "en_kgqa")
    assert (tmp_path / "en_kgqa" / NAME / "weights.safetensors").read_bytes() != before
    assert again.pipe_names == shipped.pipe_names
    assert [(one.text, one.label_) for one in again(doc.text).ents] == [(one.text, one.label_) for one in doc.ents]

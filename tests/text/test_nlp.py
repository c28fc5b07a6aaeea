"""The border to spaCy: loading with errors that help, and parses whose offsets are the document's."""

from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.vocab import Vocab

from kgqa.errors import ModelError
from kgqa.text.nlp import Parse, from_spacy, load_pipeline, parse, pipeline_identity, readable


def test_a_missing_pipeline_says_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"extract.pipeline=no_such_pipeline.*en_kgqa \(the shipped one\)"):
        load_pipeline("no_such_pipeline")
    with pytest.raises(ModelError, match=r"folder with a config\.cfg"):
        load_pipeline(str(tmp_path))


def test_a_pipeline_without_parser_is_refused(tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ModelError, match="has no parser"):
        load_pipeline(str(tmp_path / "blank"))


def test_a_pipeline_can_be_a_folder_and_its_identity_is_its_content(tmp_path: Path) -> None:
    load_pipeline().to_disk(tmp_path / "one")
    load_pipeline().to_disk(tmp_path / "two")
    assert pipeline_identity(str(tmp_path / "one")) == pipeline_identity(str(tmp_path / "two"))
    (tmp_path / "three").mkdir()
    load_pipeline().to_disk(tmp_path / "three")
    (tmp_path / "three" / "meta.json").write_text((tmp_path / "three" / "meta.json").read_text() + "\n")
    assert pipeline_identity(str(tmp_path / "three")) != pipeline_identity(str(tmp_path / "one"))


def test_a_participle_in_a_name_is_part_of_the_name() -> None:
    """Universal Dependencies call "United" a verb; in a name it must not end it."""
    words, pos, tags = ["United", "States", "won"], ["VERB", "PROPN", "VERB"], ["NNP", "NNPS", "VBD"]
    doc = Doc(Vocab(), words=words, pos=pos, tags=tags, heads=[1, 2, 2], deps=["amod", "nsubj", "ROOT"])
    assert from_spacy(doc).pos == ["PROPN", "PROPN", "VERB"]


TEXTS = st.text(alphabet=st.sampled_from("aB. ,\n\t\x00\x07é’😀👩‍🔬אב\u200f\u202e\ud800"), max_size=80)


@given(TEXTS)
@settings(max_examples=200)
def test_readable_text_has_the_same_length(text: str) -> None:
    assert len(readable(text)) == len(text)
    readable(text).encode("utf-8")


@given(TEXTS, st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_a_parse_is_a_forest_over_the_characters_of_the_document(text: str, offset: int) -> None:
    (result,) = parse(load_pipeline(), [(offset, text)])
    shown = readable(text)
    for token, word in enumerate(result.words):
        assert shown[result.starts[token] - offset : result.ends[token] - offset] == word
    assert [place for start, end in result.sentences for place in range(start, end)] == list(range(len(result.words)))
    for token in range(len(result.words)):
        seen = set()
        while result.heads[token] != token:
            assert token not in seen
            seen.add(token)
            token = result.heads[token]


def test_a_paragraph_parses_alike_alone_and_among_others() -> None:
    texts = [(0, "Marie Curie was born in Warsaw."), (40, "She discovered radium."), (70, "It is a metal.")]
    together = parse(load_pipeline(), texts)
    alone = [parse(load_pipeline(), [text])[0] for text in texts]
    assert together == alone


def test_a_sentence_does_not_end_at_a_comma() -> None:
    words = ["Marie", ",", "born", "here", ".", "She", "left", "."]
    doc = Doc(Vocab(), words=words, sent_starts=[True, False, True, False, False, True, False, False])
    assert from_spacy(doc).sentences == [(0, 5), (5, 8)]


def tree(words: str, arcs: list[tuple[int, str]], pos: str) -> Parse:
    tokens = words.split()
    return from_spacy(
        Doc(Vocab(), words=tokens, heads=[head for head, _ in arcs], deps=[dep for _, dep in arcs], pos=pos.split())
    )


def test_older_english_labels_become_universal_ones() -> None:
    found = tree(
        "Radium was discovered by Curie in Paris",
        [(2, "nsubjpass"), (2, "auxpass"), (2, "ROOT"), (2, "agent"), (3, "pobj"), (2, "prep"), (5, "pobj")],
        "NOUN AUX VERB ADP PROPN ADP PROPN",
    )
    assert found.deps == ["nsubj:pass", "aux:pass", "ROOT", "case", "obl", "case", "obl"]
    assert found.heads == [2, 2, 2, 4, 2, 6, 2]


def test_an_older_copula_hangs_on_its_predicate() -> None:
    found = tree(
        "Curie was director of it",
        [(1, "nsubj"), (1, "ROOT"), (1, "attr"), (2, "prep"), (3, "pobj")],
        "PROPN AUX NOUN ADP PRON",
    )
    assert found.heads == [2, 2, 2, 4, 2]
    assert found.deps == ["nsubj", "cop", "ROOT", "case", "nmod"]


def test_a_token_without_part_of_speech_gets_it_from_its_tag() -> None:
    doc = Doc(Vocab(), words=["argon", "was", "found"], tags=["NN", "VBD", "VBN"], pos=["", "AUX", ""])
    assert from_spacy(doc).pos == ["NOUN", "AUX", "VERB"]

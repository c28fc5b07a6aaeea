"""Names that are given are found where nothing else tells that they are names, and nowhere else."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgqa.errors import ConfigError
from kgqa.ids import entity_iri
from kgqa.text import nlp
from kgqa.text.extract import Extractor
from kgqa.text.extraction import Extraction
from kgqa.text.given_names import GivenName, GivenNames, read_names
from kgqa.text.lexicon import lexicon
from kgqa.text.mentions import find_spots
from kgqa.types import Document

NAMES = """# what the films are called, and who made them
It\tWORK
Fall\tWORK
The Day the Earth Stood Still\tWORK
norah voss\tPERSON
N. Voss\tPERSON\tnorah voss

Kurt Weidt|directed|zork blurb
fall|has tag|1951
"""


def read(path: Path, text: str) -> Extraction:
    extraction = next(Extractor(names=path).extract([Document("d", text)]))
    assert all(text[slice(*mention.span)] == mention.text for mention in extraction.mentions)
    return extraction


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text(NAMES, encoding="utf-8")
    return path


def test_a_given_name_is_found_under_the_kind_and_the_entity_that_were_given(names: Path) -> None:
    text = "It rained. norah voss was born in Warsaw. Critics loved Fall and zork blurb in 1951. N. Voss had a fall."
    found = read(names, text)
    mentions = {mention.text: (mention.label, mention.term) for mention in found.mentions if mention.span[0] > 2}
    assert mentions["norah voss"] == mentions["N. Voss"] == ("PERSON", entity_iri("norah voss"))
    assert mentions["Fall"][0] == "WORK"
    assert mentions["zork blurb"][1] == entity_iri("zork blurb")
    assert mentions["1951"][0] == "DATE"
    assert "fall" not in mentions
    assert not [mention for mention in found.mentions if mention.span == (0, 2) and mention.label == "WORK"]
    assert [fact.triple[0::2] for fact in found.facts] == [(entity_iri("norah voss"), entity_iri("Warsaw"))]
    assert ("N. Voss", entity_iri("norah voss")) in found.aliases
    without = next(Extractor().extract([Document("d", text)]))
    assert not without.facts
    assert not {"norah voss", "zork blurb"} & {mention.text for mention in without.mentions}


def test_the_names_are_a_part_of_the_extractor_s_identity(names: Path) -> None:
    with_names = Extractor(names=names).identity
    assert with_names != Extractor().identity
    assert with_names == Extractor(names=names).identity
    names.write_text(NAMES + "another\n", encoding="utf-8")
    assert with_names != Extractor(names=names).identity


@pytest.mark.parametrize("line", ["\tPERSON", "Voss\tHUMAN", "Voss\tPERSON\tNorah Voss\tmore"])
def test_a_line_that_is_no_name_is_refused_with_its_place(names: Path, line: str) -> None:
    names.write_text(f"Kurt Weidt\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"names\.txt:2: .* write a name"):
        read_names(names)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"extract\.names=.*nowhere\.txt cannot be read"):
        Extractor(names=tmp_path / "nowhere.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"bytes\.txt cannot be read"):
        Extractor(names=tmp_path / "bytes.txt")


WORDS = st.sampled_from(["Blue", "blue", "river", "Dog", "of", "night", "The"])
PHRASES = st.lists(WORDS, min_size=2, max_size=4).map(" ".join)


@given(st.lists(PHRASES, min_size=1, max_size=6), st.lists(WORDS, max_size=15))
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_occurrence_is_inside_a_name_as_long(phrases: list[str], words: list[str]) -> None:
    """Against brute force over all stretches of the text."""
    pipeline, lex, text = nlp.load_pipeline(), lexicon(), " ".join(words)
    (parse,) = nlp.parse(pipeline, [(0, text)])
    given_ones = GivenNames([GivenName(phrase) for phrase in phrases], pipeline)
    spots = given_ones.mark(parse, text, find_spots(parse, text, lex), lex)
    for start in range(len(words)):
        for end in range(start + 2, len(words) + 1):
            if " ".join(words[start:end]) in phrases:
                assert any(s.start < end and start < s.end and s.end - s.start >= end - start for s in spots)


def test_what_names_nothing_is_left_out() -> None:
    names = [GivenName(name) for name in ("drama", "1984", "Drama", "Drama", " ", "big drama")]
    assert len(GivenNames(names, nlp.load_pipeline())) == 2

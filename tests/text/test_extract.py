"""The extractor as a whole: pure for each document, exact in its offsets, quiet where nothing is stated."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgqa.errors import ConfigError
from kgqa.text import extract as module
from kgqa.text import reader
from kgqa.text.extract import Extractor
from kgqa.text.extraction import Extraction
from kgqa.types import Document

ROOT = Path(__file__).parents[2]
Facts = Callable[..., set[tuple[str, str, str]]]

SENTENCES = st.sampled_from(
    [
        "Marie Curie was born in Warsaw in 1867.",
        "She discovered polonium and radium.",
        "Her husband was Pierre Curie.",
        "He died in Paris.",
        "The physicist won the Nobel Prize in Physics in 1903.",
        "It was founded by Niels Bohr.",
        "The Radium Institute is located in Paris, the capital of France.",
        "Nobody came.",
        "\u201cAtoms\u201d is a book by Jean Perrin.",
    ]
)
JUNK = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "\n\n",
        "  \n \n",
        "\t",
        "😀",
        "👩‍🔬 ",
        "שלום עולם.",
        "\u202eabc\u202c",
        "\x00\x07",
        "é" * 3,
        "| a | b |\n|---|---|\n",
        "```\nx = born_in(1)\n```\n",
        "<b>bold</b>",
        "http://x.y/z?a=b ",
        "…",
        "\r\n\r\n",
        "\ufeff",
    ]
)
TEXTS = st.lists(st.tuples(JUNK, SENTENCES, JUNK), max_size=6).map(lambda parts: " ".join(map("".join, parts)))
SLOW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(TEXTS)
@SLOW
def test_every_offset_points_at_the_text_it_names(extractor: Extractor, text: str) -> None:
    (found,) = extractor.extract([Document("d", text, "Marie Curie")])
    for passage in found.passages:
        assert text[slice(*passage.span)] == passage.text
    for mention in found.mentions:
        assert text[slice(*mention.span)] == mention.text != ""
    for fact in found.facts:
        start, end = fact.provenance.span
        assert text[start:end] == fact.provenance.sentence
        for span in (fact.provenance.head_span, fact.provenance.tail_span):
            assert text[slice(*span)].strip()
            assert start <= span[0] < span[1] <= end
        assert 0 < fact.provenance.confidence <= 1
        (fact.head + fact.tail + fact.provenance.sentence).encode("utf-8")


@given(st.lists(TEXTS, min_size=2, max_size=3))
@SLOW
def test_a_document_yields_the_same_alone_and_among_others(extractor: Extractor, texts: list[str]) -> None:
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    together = list(extractor.extract(documents))
    assert [found.document for found in together] == documents
    for document, found in zip(documents, together, strict=True):
        assert list(extractor.extract([document])) == [found]


def test_no_more_documents_are_asked_for_than_are_read_together(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Niels Bohr was born in Copenhagen."
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 2 * len(text))

    def documents() -> Iterator[Document]:
        yield from (Document(str(number), text) for number in range(3))
        raise AssertionError("the fourth document was asked for before the first was given")

    assert next(extractor.extract(documents())).document.doc_id == "0"


def test_what_is_read_does_not_hang_on_what_is_read_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last digit of the confidence; also where a document is longer than a batch."""
    reading = Extractor(sources=module.SOURCES)
    documents = list(reader.read_documents(ROOT / "data" / "sample" / "documents"))[:3]
    together = list(reading.extract(documents))
    for size in (1, 1500):
        monkeypatch.setattr(module, "BATCH_CHARACTERS", size)
        assert list(reading.extract(documents)) == together
        assert list(reading.extract(documents[::-1])) == together[::-1]


def test_a_long_document_is_read_in_windows_and_loses_nothing(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = ["Niels Bohr", "Max Planck", "Otto Hahn", "Paul Dirac"]
    text = "\n\n".join(f"{name} was born in Copenhagen. {name} died in Leipzig." for name in people)
    whole = next(extractor.extract([Document("d", text)]))
    monkeypatch.setattr(module, "WINDOW_CHARACTERS", 70)
    assert next(extractor.extract([Document("d", text)])).facts == whole.facts
    assert len(whole.facts) == 8


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "Rain fell all day.",
        "Niels Bohr was not born in Copenhagen.",
        "Was Niels Bohr born in Copenhagen?",
        "Niels Bohr reportedly died in Oslo.",
        "If Niels Bohr had died in Oslo, we would know.",
        "Niels Bohr never won the Copley Medal.",
        "Niels Bohr hoped to win the Copley Medal.",
        "People claimed that Niels Bohr died in Oslo.",
        "Niels Bohr could have won the Copley Medal.",
    ],
)
def test_what_is_not_asserted_is_no_fact(facts: Facts, text: str) -> None:
    assert facts(text) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Radium was discovered by Marie Curie.", {("Marie Curie", "discovered", "Radium")}),
        ("Radium, discovered by Marie Curie, is a metal.", {("Marie Curie", "discovered", "Radium")}),
        ("Marie Curie, who discovered radium, was kind.", {("Marie Curie", "discovered", "Radium")}),
        (
            "Born in Oslo, Niels Bohr died in Leipzig.",
            {("Niels Bohr", "born_in", "Oslo"), ("Niels Bohr", "died_in", "Leipzig")},
        ),
        (
            "Niels Bohr received the Copley Medal in 1938 and the Max Planck Medal in 1930.",
            {("Niels Bohr", "received", "Copley Medal"), ("Niels Bohr", "received", "Max Planck Medal")},
        ),
        (
            "Otto Hahn and Fritz Strassmann discovered barium.",
            {("Otto Hahn", "discovered", "Barium"), ("Fritz Strassmann", "discovered", "Barium")},
        ),
        (
            "In 1921, Niels Bohr founded the Niels Bohr Institute.",
            {("Niels Bohr Institute", "founded_by", "Niels Bohr")},
        ),
        ("One of his students was Max von Laue.", set()),
    ],
)
def test_one_fact_in_many_shapes(facts: Facts, text: str, expected: set[tuple[str, str, str]]) -> None:
    assert facts(text) >= expected
    assert {fact for fact in facts(text) if fact[1] in {"discovered", "born_in"}} <= expected


def test_the_very_mention_is_kept_beside_what_it_stands_for(read: Callable[..., Extraction]) -> None:
    text = "Marie Curie was kind.\n\nShe was born in Warsaw."
    (fact,) = read(text, "Marie Curie").facts
    assert fact.head_text == "Marie Curie"
    assert text[slice(*fact.provenance.head_span)] == "She"
    assert fact.provenance.extractor == "pattern:born_in/born"


def test_aliases_are_those_the_document_states(read: Callable[..., Extraction]) -> None:
    found = read("Marie Curie, born Maria Skłodowska, was kind. Curie died in the UK.", "Marie Curie").aliases
    assert {name for name, term in found if term == "urn:kgqa:entity:Marie%20Curie"} == {
        "Marie Curie",
        "Maria Skłodowska",
        "Curie",
    }


def test_facts_below_the_threshold_are_left_out() -> None:
    document = Document("d", "Niels Bohr was born in Copenhagen.")
    assert next(Extractor(min_confidence=0.5).extract([document])).facts
    assert not next(Extractor(min_confidence=0.99).extract([document])).facts


def test_the_identity_follows_patterns_and_threshold(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(module.PATTERNS.read_text("utf-8") + "\n# changed\n", "utf-8")
    identities = {Extractor().identity, Extractor(patterns=own).identity, Extractor(min_confidence=0.5).identity}
    assert len(identities) == 3
    assert Extractor().identity in identities


def test_the_identity_leaves_out_what_only_trains() -> None:
    code = "import sys, kgqa.text.extract; print(*(m for m in sys.modules if m.startswith('kgqa.text.')))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    used = {name.removeprefix("kgqa.text.") + ".py" for name in run.stdout.split()}
    assert "extract.py" in used
    assert used.isdisjoint(module.TRAINING)
    assert all((Path(module.__file__).parent / name).exists() for name in module.TRAINING)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_confidence_that_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=r"extract\.min_confidence"):
        Extractor(min_confidence=value)


def test_an_unreadable_pattern_file_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        Extractor(patterns=tmp_path / "nowhere.toml")


def test_a_sentence_of_ten_thousand_characters_is_read(facts: Facts) -> None:
    text = "Niels Bohr was born in Copenhagen, " + "and it rained, " * 700 + "and Max Planck died in Leipzig."
    assert {("Niels Bohr", "born_in", "Copenhagen"), ("Max Planck", "died_in", "Leipzig")} <= facts(text)

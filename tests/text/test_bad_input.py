"""What nobody meant to be read as prose: every offset still points at the text it names, and nothing fails."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kgqa.text.extract import Extractor
from kgqa.text.extraction import Extraction
from kgqa.text.reader import Skipped, read_documents
from kgqa.types import Document

FACT = "Niels Bohr was born in Copenhagen."
TABLE = "| name | born in |\n|---|---|\n| Niels Bohr | Copenhagen |\n| Otto Hahn | Frankfurt |\n"
CODE = "```python\nborn = {'Niels Bohr': 'Oslo'}  # was born in Oslo\nprint(born)\n```\n"
LONG = ("Niels Bohr met Otto Hahn, Max Planck and Lise Meitner, " * 200)[:10_000] + "and was born in Copenhagen."
BAD = {
    "a table": TABLE,
    "code": CODE,
    "a sentence of ten thousand characters": LONG,
    "a word of ten thousand characters": "x" * 10_000,
    "brackets without end": "((((((((((" * 300,
    "control characters": "\x00\x01\x07\x1b[31m\x7f\u0085 \u2028\u2029",
    "from right to left": "\u202eשלום עולם\u202c \u200fمرحبا بالعالم\u200f",
    "emoji": "👩‍🔬🇩🇰😀\ufe0f Ⓜ️",
    "combining marks": "Z\u0351\u036b\u0343\u036a\u0302a\u0300\u0301\u0302lgo\u0320\u0321",
    "white space": " \t\u00a0\u3000\n\n\n \r\n",
    "halves of surrogates": "\ud83d lone \udc00",
    "markup": "<script>born_in('Oslo')</script><p onclick=x>&amp;&lt;",
}


def check(found: Extraction) -> None:
    """Every span of an extraction lies in its text, and names what it says."""
    text = found.document.text
    for part in (*found.passages, *found.mentions):
        assert text[slice(*part.span)] == part.text != ""
    for fact in found.facts:
        support = fact.provenance
        assert text[slice(*support.span)] == support.sentence
        for span in (support.head_span, support.tail_span):
            assert support.span[0] <= span[0] < span[1] <= support.span[1]
    for one in found.rejected:
        for span in (one.head_span, one.tail_span, one.sentence):
            assert 0 <= span[0] < span[1] <= len(text)
            assert text[slice(*span)].strip()


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_offsets_point_at_the_text_they_name(read: Callable[..., Extraction], text: str) -> None:
    check(read(text))


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_stands_beside_it_is_read_as_ever(read: Callable[..., Extraction], text: str) -> None:
    found = read(f"{text}\n\n{FACT}\n\n{text}")
    check(found)
    assert ("Niels Bohr", "Copenhagen") in {(fact.head_text, fact.tail_text) for fact in found.facts}


@pytest.mark.parametrize("text", [TABLE, CODE])
def test_tables_and_code_name_nothing(read: Callable[..., Extraction], text: str) -> None:
    found = read(f"{text}\n\n{FACT}")
    assert {mention.text for mention in found.mentions} == {"Niels Bohr", "Copenhagen"}
    assert text.strip() in {passage.text for passage in found.passages}  # they are searched all the same


@given(st.lists(st.one_of(st.sampled_from([*BAD.values(), FACT, "She left."]), st.text(max_size=40)), max_size=5))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_mixture_keeps_its_offsets(extractor: Extractor, parts: list[str]) -> None:
    for joint in (" ", "\n\n"):
        check(next(iter(extractor.extract([Document("d", joint.join(parts), "Niels Bohr")]))))


def test_scripts_are_neither_run_nor_read(tmp_path: Path, extractor: Extractor) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<p>{FACT}</p><script>document.write('Otto Hahn was born in Oslo.')</script>", "utf-8")
    (document,) = read_documents(page)
    (found,) = extractor.extract([document])
    check(found)
    assert {fact.tail_text for fact in found.facts} == {"Copenhagen"}
    assert "Oslo" not in document.text


def test_two_documents_of_one_text_say_the_same_twice(tmp_path: Path, extractor: Extractor) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(FACT, "utf-8")
    first, second = extractor.extract(read_documents(tmp_path))
    assert [fact.triple for fact in first.facts] == [fact.triple for fact in second.facts] != []
    assert {found.document.doc_id for found in (first, second)} == {"a", "b"}


def test_of_two_documents_with_one_id_the_first_is_read_and_the_other_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(FACT, "utf-8")
    (tmp_path / "a.md").write_text("Otto Hahn was born in Frankfurt.", "utf-8")
    skipped: list[Skipped] = []
    (kept,) = read_documents(tmp_path, skipped=skipped)
    assert kept.path.endswith("a.md")
    assert [(Path(one.path).name, "repeats" in one.reason) for one in skipped] == [("a.txt", True)]

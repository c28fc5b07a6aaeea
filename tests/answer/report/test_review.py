"""The page of what was read: complete, escaped, self-contained, within its size, and quiet in a browser."""

import re
from pathlib import Path

import pytest

from kgqa.answer.report.review import Counts, pieces, sentences, write_review
from kgqa.answer.report.text import csp_hash
from kgqa.text.canonical import merges
from kgqa.text.extraction import Extraction, Rejected
from kgqa.types import Document, Fact, Mention, Passage, Provenance
from tests.answer.report.chromium import PROGRAM, Chromium
from tests.answer.report.made import HOSTILE
from tests.answer.report.test_page import Page


def made(number: int, name: str = "Ada Byron", place: str = "Oslo", reason: str = "negation") -> Extraction:
    """A document of two sentences, one that states a fact and one that does not."""
    text = f"{name} was born in {place}. {name} did not die in {place}."
    border = text.index(". ") + 1
    first, second = (0, border), (border + 1, len(text))
    spots = [(span, span + len(word)) for word in (name, place) for span in (text.index(word), text.rindex(word))]
    mentions = [
        Mention(span, text[slice(*span)], label, f"urn:kgqa:entity:{text[slice(*span)]}")
        for span, label in zip(spots, ("PERSON", "PERSON", "LOC", "LOC"), strict=True)
    ]
    support = Provenance("d", text[slice(*first)], first, spots[0], spots[2], "pattern:born_in/born", 0.9)
    return Extraction(
        Document(f"doc-{number}", text, name),
        (Passage("d", (0, len(text)), text),),
        tuple(mentions),
        (Fact("urn:kgqa:entity:a", "urn:kgqa:relation:born_in", "urn:kgqa:entity:b", name, "born in", place, support),),
        ((name, "urn:kgqa:entity:Ada%20Byron"), ("Ada Byrón", "urn:kgqa:entity:Ada%20Byrón")),
        rejected=(Rejected("died in", second, spots[1], spots[3], "pattern:died_in/die", 0.8, reason),),
    )


def page_of(folder: Path, extractions: list[Extraction], **options: int) -> tuple[str, Counts]:
    counts = write_review(extractions, folder / "review.html", merges=merges, **options)
    return (folder / "review.html").read_text("utf-8"), counts


def test_it_says_what_was_read_and_what_was_rejected(tmp_path: Path) -> None:
    text, counts = page_of(tmp_path, [made(0), made(1)])
    words = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    assert "Ada Byron born in Oslo 0.90 pattern:born_in/born" in words
    assert "negation Ada Byron died in Oslo 0.80 pattern:died_in/die" in words
    assert "Ada Byrón Ada Byron one name spelled otherwise: Ada Byron" in words
    assert (counts.documents, counts.facts["born in"], counts.reasons["negation"]) == (2, 2, 2)
    assert text.count('<details class="document"') == 2


def test_no_word_of_a_document_is_lost_or_doubled() -> None:
    read = made(0)
    found = list(sentences(read))
    shown = " ".join("".join(piece.text for piece in sentence.pieces) for sentence in found)
    assert shown == read.document.text
    assert [(len(one.facts), len(one.rejected)) for one in found] == [(1, 0), (0, 1)]


def test_of_mentions_that_overlap_the_first_is_shown() -> None:
    marks = [Mention((2, 6), "cdef", "ORG"), Mention((4, 8), "efgh", "LOC"), Mention((8, 9), "i", "DATE", '"1"^^<x>')]
    found = pieces("abcdefghij", (0, 10), marks)
    assert [(piece.text, piece.label) for piece in found] == [
        ("ab", ""), ("cdef", "ORG"), ("gh", ""), ("i", "DATE"), ("j", ""),
    ]  # fmt: skip
    assert found[3].name == "1"


def test_it_is_self_contained_and_nothing_of_the_data_becomes_markup(tmp_path: Path) -> None:
    tame, _ = page_of(tmp_path, [made(number, f"name {number}") for number in range(len(HOSTILE))])
    text, _ = page_of(tmp_path, [made(number, name, reason=name) for number, name in enumerate(HOSTILE)])
    page, plain = Page(text), Page(tame)
    for tag in ("script", "style", "a", "details", "mark", "meta", "h2", "img", "link", "li"):
        assert len(page.all(tag)) == len(plain.all(tag)), tag
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert f"style-src '{csp_hash(style)}'" in text
    assert "default-src 'none'" in text
    assert not page.all("script")
    targets = [attributes["href"] for _, attributes in page.tags if "href" in attributes]
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert all(target.startswith("#") and target[1:] in ids for target in targets)
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)


@pytest.mark.parametrize("most_bytes", [100_000, 150_000])
def test_a_page_has_a_size_and_all_are_counted(tmp_path: Path, most_bytes: int) -> None:
    text, counts = page_of(tmp_path, [made(number, f"Ada {number}") for number in range(300)], most_bytes=most_bytes)
    shown = text.count('<details class="document"')
    assert 0 < shown < 300
    assert len(text.encode()) <= most_bytes
    assert counts.documents == counts.facts.total() == 300


def test_nothing_read_is_a_page_too(tmp_path: Path) -> None:
    text, counts = page_of(tmp_path, [])
    assert "Nothing was." in text
    assert counts.documents == 0


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_has_nothing_to_complain_about_and_nothing_to_fetch(tmp_path: Path, width: int, dark: bool) -> None:
    if PROGRAM is None:
        pytest.skip("no Chromium here; install the package chromium")
    page_of(tmp_path, [made(number, name) for number, name in enumerate([*HOSTILE, "Ada Byron"])])
    address = (tmp_path / "review.html").as_uri()
    with Chromium(tmp_path / "profile") as browser:
        browser.open(address, width=width, dark=dark)
        assert browser.run("document.title") == "What was read"
        assert browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert browser.requests() == [address]
        assert browser.complaints() == []

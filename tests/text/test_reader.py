"""Files become documents; what cannot be read is counted and named, and nothing else is lost."""

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.errors import InputError
from kgqa.text import reader
from kgqa.text.reader import Skipped, passages, read_documents
from kgqa.types import Document


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def test_a_folder_gives_its_documents_in_path_order_whatever_the_kind(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "Radium\n\nRadium is a metal.\n")
    write(tmp_path, "a/deep.md", "# Polonium\n\nPolonium is a metal.\n")
    write(tmp_path, "c.html", "<title>Argon</title><p>Argon is a gas.</p>")
    write(
        tmp_path, "d.jsonl", json.dumps({"id": "x7", "title": "Neon", "text": "Neon is a gas.", "date": "1898-06-01"})
    )
    write(tmp_path, "ignored.csv", "1,2")
    documents = list(read_documents(tmp_path))
    assert [(document.doc_id, document.title) for document in documents] == [
        ("a/deep", "Polonium"), ("b", "Radium"), ("c", "Argon"), ("x7", "Neon"),
    ]  # fmt: skip
    assert documents[3].date == "1898-06-01"
    assert documents[1].text == "Radium\n\nRadium is a metal.\n", "the text is the file's, title line included"


def test_one_file_is_one_document_named_by_its_stem(tmp_path: Path) -> None:
    path = write(tmp_path, "Marie Curie.txt", "A long first sentence is no title.\n\nMore.")
    assert [(document.doc_id, document.title) for document in read_documents(path)] == [("Marie Curie", "Marie Curie")]


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("Radium\n\nText.", "Radium"),
        ("\n\nRadium\nText.", "Radium"),
        ("Radium was found.\nText.", "file"),
        ("Radium", "file"),
        ("x" * 121 + "\nText.", "file"),
        ("---\ntitle: 'Radium'\ndate: 1898-12-21\n---\nText.", "Radium"),
    ],
)
def test_the_title_is_the_first_line_where_that_is_one(tmp_path: Path, content: str, title: str) -> None:
    (document,) = read_documents(write(tmp_path, "file.txt", content))
    assert document.title == title


def test_front_matter_is_not_prose(tmp_path: Path) -> None:
    (document,) = read_documents(write(tmp_path, "file.md", "---\ntitle: Radium\ndate: 1898-12-21\nx: y\n---\nText.\n"))
    assert (document.text, document.date) == ("Text.\n", "1898-12-21")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"  \n\t ", "empty"),
        (b"\x89PNG\x00\x01", "binary"),
        ("Café".encode("latin-1"), "not UTF-8 (byte 3 is 0xe9)"),
        (b"abc\xff", "not UTF-8 (byte 3 is 0xff)"),
    ],
)
def test_an_unusable_file_is_a_counted_skip_that_names_it(
    tmp_path: Path, content: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = write(tmp_path, "bad.txt", content)
    write(tmp_path, "good.txt", "Radium is a metal.")
    skipped: list[Skipped] = []
    with caplog.at_level(logging.WARNING):
        documents = list(read_documents(tmp_path, skipped=skipped))
    assert [document.doc_id for document in documents] == ["good"]
    assert [problem.path for problem in skipped] == [str(bad)]
    assert skipped[0].reason.startswith(reason)
    assert "read 1 documents, skipped 1" in caplog.text
    assert str(bad) in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_text(tmp_path: Path, encoding: str) -> None:
    (document,) = read_documents(write(tmp_path, "a.txt", "Skłodowska\n\nText.".encode(encoding)))
    assert document.text == "Skłodowska\n\nText."


def test_a_folder_without_documents_says_what_would_be_one(tmp_path: Path) -> None:
    write(tmp_path, "data.csv", "1,2")
    with pytest.raises(InputError, match=r"holds no documents.*\.txt"):
        list(read_documents(tmp_path))


def test_a_missing_path_and_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        list(read_documents(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"suffix '\.csv' is none of"):
        list(read_documents(write(tmp_path, "a.csv", "x")))


def test_bad_jsonl_lines_are_skipped_with_their_number(tmp_path: Path) -> None:
    lines = [
        '{"id": "1", "text": "One."}',
        "{broken",
        "[]",
        '{"id": "4"}',
        '{"text": ""}',
        "",
        '{"id": 7, "text": "Two."}',
    ]
    path = write(tmp_path, "docs.jsonl", "\n".join(lines) + "\n[" * 3 + '\n"\\ud800"\n')
    skipped: list[Skipped] = []
    documents = list(read_documents(path, skipped=skipped))
    assert [document.doc_id for document in documents] == ["1", "7"]
    assert [int(problem.path.rpartition(":")[2]) for problem in skipped] == [2, 3, 4, 5, 8, 9, 10, 11]


def test_a_line_without_id_is_known_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text": "One."}\n{"text": "Two."}\n')
    first, second = (document.doc_id for document in read_documents(path))
    again = write(tmp_path, "b.jsonl", '{"text": "Two."}\n{"text": "One."}\n')
    assert [document.doc_id for document in read_documents(again)] == [second, first]


def test_a_repeated_id_keeps_the_first_document(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "# A\n\nFirst.")
    write(tmp_path, "a.txt", "Second.")
    skipped: list[Skipped] = []
    (document,) = read_documents(tmp_path, skipped=skipped)
    assert document.title == "A"
    assert "repeats" in skipped[0].reason


def test_lone_surrogates_never_reach_the_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"id": "1", "title": "T\\udfff", "text": "x \\ud800 y"}')
    (document,) = read_documents(path)
    (document.text + document.title).encode("utf-8")


TEXTS = st.text(alphabet=st.sampled_from("ab .\n\r\t\u2028é😀\u200f"), max_size=400)


@given(TEXTS)
@settings(max_examples=150)
def test_passages_are_slices_that_cover_all_that_is_not_space(text: str) -> None:
    found = list(passages(Document("d", text)))
    for passage in found:
        assert text[slice(*passage.span)] == passage.text
        assert passage.text.strip() == passage.text != ""
    borders = [0, *(place for passage in found for place in passage.span), len(text)]
    assert borders == sorted(borders)
    assert all(not text[borders[i] : borders[i + 1]].strip() for i in range(0, len(borders), 2))


@given(st.text(alphabet="ab. \n", min_size=50, max_size=900))
@settings(max_examples=100)
def test_long_paragraphs_are_cut_without_losing_a_character(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "PARAGRAPH_CHARACTERS", 40)
        found = list(passages(Document("d", text)))
    assert all(len(passage.text) <= 40 for passage in found)
    assert "".join("".join(passage.text for passage in found).split()) == "".join(text.split())


def test_a_large_file_is_split_at_its_paragraphs(tmp_path: Path) -> None:
    paragraph = "Radium is a metal. " * 50
    path = write(tmp_path, "large.txt", "\n\n".join([paragraph] * 2000) + "\n\n" + "word " * 50_000)
    (document,) = read_documents(path)
    found = list(passages(document))
    assert len(found) > 2000
    assert max(len(passage.text) for passage in found) <= reader.PARAGRAPH_CHARACTERS
    assert all(document.text.startswith(passage.text, passage.span[0]) for passage in found)

"""Answers in other formats: all that the lines hold, nothing that a spreadsheet would run, the same bytes each time."""

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.exports import COLUMNS, check_out, export, guarded
from kgqa.answer.records import answer_record
from kgqa.errors import InputError
from tests.answer.toy import ToyAnswerer, largest_file, questions

RECORDS = [answer_record(answer, str) for answer in ToyAnswerer().answer(questions(9))]
HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a,b", 'a"b', "a\nb", "\0", "é\u202e"]


def written(folder: Path, name: str, records=RECORDS) -> Path:
    lines = folder / "lines.jsonl"
    lines.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    export(lines, folder / name)
    return folder / name


def rows(path: Path, delimiter: str = ","):
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


@pytest.mark.parametrize("name", ["a.jsonl", "a", "a.txt"])
def test_lines_stay_as_they_are(tmp_path, name):
    assert [json.loads(line) for line in written(tmp_path, name).read_text().splitlines()] == RECORDS


def test_zipped_lines_hold_the_same(tmp_path):
    data = gzip.decompress(written(tmp_path, "a.jsonl.gz").read_bytes())
    assert data == written(tmp_path, "a.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t"), ("a.csv.gz", ","), ("a.tsv.gz", "\t")]
)
def test_a_table_has_a_row_for_each_answer(tmp_path, name, delimiter):
    header, first, *rest = rows(written(tmp_path, name), delimiter)
    assert header == list(COLUMNS)
    found = dict(zip(header, first, strict=True))
    assert (found["id"], found["answers"], found["iris"], found["scores"]) == ("q0", "a", "urn:a", "0.75")
    assert (found["abstained"], found["documents"], found["explanation"]) == (
        "false",
        "doc",
        "Urn:b was born in urn:a.",
    )
    assert found["question"] == "'=who is 0?"
    assert dict(zip(header, rest[2], strict=True))["reason"] == "ambiguous: did you mean a or b"
    assert len(rest) == len(RECORDS) - 1


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_no_cell_is_a_formula_and_every_text_comes_back(tmp_path, name):
    hostile = [RECORDS[0] | {"question": text, "id": text, "reason": text} for text in HOSTILE]
    found = rows(written(tmp_path, name, hostile), "\t" if name.endswith("tsv") else ",")[1:]
    for text, row in zip(HOSTILE, found, strict=True):
        cell = dict(zip(COLUMNS, row, strict=True))["question"]
        assert cell.removeprefix("'") == text
        assert cell[0] not in "=+-@\t\r"


@settings(deadline=None)
@given(st.text(max_size=5))
def test_the_guard_is_put_before_what_needs_it_and_nothing_else(cell):
    assert guarded(cell) == (f"'{cell}" if cell[:1] in set("=+-@\t\r") else cell)


def test_parquet_holds_the_whole_records(tmp_path):
    found = pq.read_table(written(tmp_path, "a.parquet")).to_pylist()
    assert found == RECORDS
    assert list(found[0]) == list(RECORDS[0])


def test_parquet_of_many_answers_is_written_in_parts(tmp_path):
    many = RECORDS * 500
    file = pq.ParquetFile(written(tmp_path, "a.parquet", many))
    assert file.num_row_groups > 1
    assert file.read().to_pylist() == many


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz", "a.parquet"])
def test_the_same_answers_give_the_same_bytes(tmp_path, name):
    (tmp_path / "other").mkdir()
    assert written(tmp_path, name).read_bytes() == written(tmp_path / "other", name).read_bytes()


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv", "a.parquet"])
def test_a_full_disk_is_told_of_and_leaves_what_was_there(tmp_path, name):
    path = written(tmp_path, name)
    before = path.read_bytes()
    with largest_file(100), pytest.raises(InputError, match=r"cannot write .*[Ff]ile too large.*make room"):
        export(tmp_path / "lines.jsonl", path)
    assert path.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {name, "lines.jsonl"}


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    lines = tmp_path / "lines.jsonl"
    lines.write_text("{}\n")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(KeyError):
        export(lines, tmp_path / "b.csv")
    lines.write_text("")
    with pytest.raises(InputError, match=r"cannot write .*a\.csv"):
        export(lines, tmp_path / "a.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "lines.jsonl"}
    check_out(tmp_path / "new.parquet")

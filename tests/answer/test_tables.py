"""Tables of questions: every cell comes back, a bad row spoils itself alone, and memory does not grow with the file."""

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.lines import MAX_LINE, Skips
from kgqa.answer.questions import count_questions, read_questions
from kgqa.errors import InputError
from kgqa.types import Candidate, Topic

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=12).filter(str.strip)


def table(rows, *, delimiter=","):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def write(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path


HEADER = ["id", "question", "topics", "answers", "author"]
ROWS = [
    ["7", "Who taught\nAda?", "Ada", "Max|Eva ", "me"],
    ["", "Where?", "", "[]", ""],
    ["9", "What is [REC]?", '["[REC]", "a|b"]', "", ""],
]


@pytest.mark.parametrize(("name", "delimiter"), [("q.csv", ","), ("q.csv", ";"), ("q.csv", "\t"), ("q.tsv", "\t")])
@pytest.mark.parametrize("zipped", [False, True])
def test_columns_become_the_fields_of_a_question(tmp_path, name, delimiter, zipped):
    data = b"\xef\xbb\xbf" + table([HEADER, *ROWS], delimiter=delimiter)
    path = write(tmp_path, name + ".gz" * zipped, gzip.compress(data) if zipped else data)
    first, second, third = read_questions(path)
    assert (first.question_id, first.text, first.answers) == ("7", "Who taught\nAda?", ("Max", "Eva"))
    assert first.topics == (Topic("Ada", (11, 14)),)
    assert (second.question_id, second.topics, second.answers) == ("q-000004", (), ())
    assert ([topic.text for topic in third.topics], third.answers) == (["[REC]", "a|b"], None)


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.sampled_from([("q.csv", ","), ("q.tsv", "\t")]))
def test_any_text_survives_a_table(tmp_path_factory, cells, kind):
    name, delimiter = kind
    path = write(tmp_path_factory.mktemp("q"), name, table([["id", "question"], *cells], delimiter=delimiter))
    assert [(question.question_id, question.text) for question in read_questions(path)] == cells


BAD_ROWS = {
    "not UTF-8": (b"1,caf\xe9\n", "not UTF-8"),
    "zero bytes": (b"1,a\0b\n", "not UTF-8"),
    "3 cells where the header has 2": (b"1,a,b\n", "malformed"),
    "expected after": (b'1,"a"b\n', "malformed"),
    "field larger": (b"1," + b"a" * 200_000 + b"\n", "too long"),
    "bytes long": (b"1," + b"a" * MAX_LINE + b"\n", "too long"),
    "is empty": (b"1,\n", "no question"),
    "is missing": (b"1\n", "no question"),
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_a_bad_row_is_skipped_by_the_line_it_begins_on(tmp_path, reason):
    bad, kind = BAD_ROWS[reason]
    path = write(tmp_path, "q.csv", b'id,question\n0,"two\nlines"\n' + bad + b"2,fine\n")
    skips = Skips()
    assert [question.question_id for question in read_questions(path, skips=skips)] == ["0", "2"]
    assert skips.counts == {kind: 1}
    assert skips.first[0].startswith(f"{path}:4: ")
    assert reason in skips.first[0]
    with pytest.raises(InputError, match=r"q\.csv:4.*strict=false"):
        list(read_questions(path, strict=True))


def test_a_quote_that_is_never_closed_costs_its_rows_and_is_named(tmp_path):
    path = write(tmp_path, "q.csv", b'id,question\n1,fine\n2,"open\n3,lost\n')
    skips = Skips()
    assert [question.question_id for question in read_questions(path, skips=skips)] == ["1"]
    assert skips.first[0].startswith(f"{path}:3: unexpected end of data")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("q.csv", b"id,query\n1,a\n", "no column 'question' .its first line: id, query."),
        ("q.csv", b"caf\xe9,question\n1,a\n", "not UTF-8.*the header of a table has to be text"),
        ("q.csv", b"", "no column 'question'"),
        ("q.csv", b"question\n", "holds no question; it is empty"),
        ("q.parquet", b"PAR1 and so on", "cannot read .* as Parquet"),
        ("q.parquet", b"", "cannot read .* as Parquet"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, name, data, message):
    with pytest.raises(InputError, match=message):
        list(read_questions(write(tmp_path, name, data)))


def test_metaqa_by_the_name_of_a_table_is_still_metaqa(tmp_path):
    path = write(tmp_path, "qa.tsv", b"who made [It]\tAda|Eva\n")
    assert [question.answers for question in read_questions(path)] == [("Ada", "Eva")]


def parquet(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def test_parquet_takes_lists_and_texts(tmp_path):
    rows = [
        {
            "id": 1,
            "question": "a Ada",
            "topics": [{"text": "Ada", "iri": "urn:a"}],
            "answers": ["x", "y"],
            "kind": None,
        },
        {"id": None, "question": "b", "topics": None, "answers": [], "kind": "1-hop"},
        {"id": 3, "question": None, "topics": None, "answers": None, "kind": None},
    ]
    path = parquet(tmp_path / "q.parquet", rows)
    skips = Skips()
    first, second = read_questions(path, skips=skips)
    assert (first.question_id, first.answers, first.kind) == ("1", ("x", "y"), "")
    assert first.topics == (Topic("Ada", (2, 5), (Candidate("Ada", "urn:a", 1.0),)),)
    assert (second.question_id, second.answers, second.kind) == ("q-000002", (), "1-hop")
    assert skips.counts == {"no question": 1}
    assert skips.first[0].startswith(f"{path}:3: ")
    assert count_questions(path) == 3
    flat = parquet(tmp_path / "flat.parquet", [{"question": "a", "answers": "x|y"}])
    assert [question.answers for question in read_questions(flat)] == [("x", "y")]


def test_parquet_is_read_in_batches(tmp_path):
    rows = [{"question": f"Who is number {number}?"} for number in range(5000)]
    path = parquet(tmp_path / "q.parquet", rows, row_group_size=1000)
    assert [question.text for question in read_questions(path)] == [row["question"] for row in rows]


def test_text_that_is_no_text_in_parquet_is_one_bad_row(tmp_path):
    raw = pa.array([b"fine", b"caf\xe9", b"too"]).view(pa.string())
    path = tmp_path / "q.parquet"
    pq.write_table(pa.table({"question": raw}), path)
    skips = Skips()
    assert [question.text for question in read_questions(path, skips=skips)] == ["fine", "too"]
    assert skips.counts == {"not UTF-8": 1}


def test_json_lines_and_tables_give_the_same_questions(tmp_path):
    rows = [{"id": f"{n}", "question": f"q {n}", "topics": ["q"], "answers": ["a", f"{n}"]} for n in range(3)]
    lines = write(tmp_path, "q.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    cells = [[row["id"], row["question"], "q", "|".join(row["answers"])] for row in rows]
    flat = write(tmp_path, "q.csv", table([["id", "question", "topics", "answers"], *cells]))
    assert list(read_questions(lines)) == list(read_questions(flat))
    assert list(read_questions(lines)) == list(read_questions(parquet(tmp_path / "q.parquet", rows)))

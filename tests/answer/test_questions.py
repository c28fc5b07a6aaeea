"""Readers of question files: what is read, what is skipped by number, and what is refused."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgqa.answer.questions import MAX_LINE, MAX_QUESTION, detect_format, read_questions
from kgqa.errors import InputError
from kgqa.text.reader import Skipped
from kgqa.types import Candidate, Question, Topic

METAQA = "what films did [Tom Cullen] act in\tWeekend|The Heat\n"
PATHQUESTION = (
    "the nation of anne 's couple ?\tfrance(france/spain/)\tanne#spouse#louis#nationality#france#<end>#france\n"
)


def write(folder: Path, data: bytes | str, name: str = "questions.txt") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_json_lines_keep_every_field(tmp_path):
    record = {
        "id": "q7",
        "question": "Who taught Ada?",
        "topics": [{"text": "Ada", "iri": "urn:x:ada"}, "nobody"],
        "answers": [],
        "kind": "1-hop",
    }
    path = write(tmp_path, json.dumps(record) + "\n", "q.jsonl")
    known = Topic("Ada", (11, 14), (Candidate("Ada", "urn:x:ada", 1.0),))
    assert list(read_questions(path)) == [
        Question("q7", "Who taught Ada?", (known, Topic("nobody", (0, 0))), (), "1-hop")
    ]


def test_unknown_gold_and_no_gold_are_two_things(tmp_path):
    path = write(tmp_path, '{"question": "a?"}\n{"question": "b?", "answers": []}\n')
    assert [question.answers for question in read_questions(path)] == [None, ()]


def test_plain_lines_get_ids_from_file_and_line(tmp_path):
    path = write(tmp_path, "\ufeffWho is it?\r\n\r\n  Where?  \n", "mine.txt")
    assert [(q.question_id, q.text) for q in read_questions(path)] == [
        ("mine-000001", "Who is it?"),
        ("mine-000003", "Where?"),
    ]


def test_metaqa_topic_stands_where_its_span_says(tmp_path):
    (question,) = read_questions(write(tmp_path, METAQA, "qa_dev_1hop.txt"))
    (topic,) = question.topics
    assert question.text == "what films did Tom Cullen act in"
    assert question.text[slice(*topic.span)] == topic.text == "Tom Cullen"
    assert question.answers == ("Weekend", "The Heat")
    assert question.kind == "1-hop"


def test_metaqa_lines_end_at_line_feeds_only(tmp_path):
    """A name with NEL or a vertical tab in it is one name: str.splitlines would cut it."""
    path = write(tmp_path, "who made [A\x85B]\tC\x0bD\n")
    (question,) = read_questions(path, format="metaqa")
    assert question.topics[0].text == "A\x85B"
    assert question.answers == ("C\x0bD",)


def test_pathquestion_gold_is_the_whole_set(tmp_path):
    (question,) = read_questions(write(tmp_path, PATHQUESTION))
    assert question.answers == ("france", "spain")
    assert question.topics == (Topic("anne", (14, 18)),)
    assert question.kind == "2-hop"


@pytest.mark.parametrize(
    ("line", "expected"),
    [(METAQA, "metaqa"), (PATHQUESTION, "pathquestion"), ('{"question": "x"}', "jsonl"), ("Who [is] it?", "lines")],
)
def test_format_is_told_by_the_first_line(line, expected):
    assert detect_format(line.rstrip("\n")) == expected


def test_gzip_reads_the_same_whatever_the_name(tmp_path):
    plain = write(tmp_path, METAQA * 3, "a.txt")
    zipped = write(tmp_path, gzip.compress((METAQA * 3).encode()), "a.dat")
    assert [q.text for q in read_questions(plain)] == [q.text for q in read_questions(zipped)]


BAD_LINES = {
    "not JSON": b'{"question": ',
    "not an object": b"[1]",
    "is missing": b'{"id": "x"}',
    "not a text": b'{"question": 7}',
    "is empty": b'{"question": "  "}',
    "not a list of texts": b'{"question": "a", "answers": "b"}',
    "'topics' is not a list": b'{"question": "a", "topics": "b"}',
    "neither a text": b'{"question": "a", "topics": [3]}',
    "not UTF-8": b'{"question": "caf\xe9"}',
    "zero bytes": b'{"question": "a\0"}',
    "characters; a question has": b'{"question": "' + b"a" * (MAX_QUESTION + 1) + b'"}',
    "bytes long": b'{"question": "' + b"a" * MAX_LINE + b'"}',
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_a_bad_line_is_skipped_by_number_or_refused(tmp_path, reason):
    good = b'{"question": "fine"}\n'
    path = write(tmp_path, good + BAD_LINES[reason] + b"\n" + good, "q.jsonl")
    skipped: list[Skipped] = []
    assert len(list(read_questions(path, format="jsonl", skipped=skipped))) == 2
    assert [problem.path for problem in skipped] == [f"{path}:2"]
    assert reason in skipped[0].reason
    with pytest.raises(InputError, match=r"q\.jsonl:2.*strict=false"):
        list(read_questions(path, format="jsonl", strict=True))


@pytest.mark.parametrize(("line", "reason"), [("no topic\ta\n", "0 .topics."), ("[a] and [b]\tc\n", "2 .topics.")])
def test_metaqa_wants_exactly_one_topic(tmp_path, line, reason):
    with pytest.raises(InputError, match=reason):
        list(read_questions(write(tmp_path, line), format="metaqa"))


@pytest.mark.parametrize("data", [b"", b"\n \n", "Wer ist das?".encode("utf-16"), b"\xff\xfe\xfd\n\xfc\n"])
def test_a_file_without_any_question_is_refused(tmp_path, data):
    with pytest.raises(InputError, match="holds no question"):
        list(read_questions(write(tmp_path, data)))


def test_missing_folder_damaged_and_unknown_format_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match="does not exist; give a file"):
        list(read_questions(tmp_path / "none.txt"))
    with pytest.raises(InputError, match="is a folder"):
        list(read_questions(tmp_path))
    with pytest.raises(InputError, match="cannot read"):
        list(read_questions(write(tmp_path, gzip.compress(b"x\n" * 1000)[:-9], "cut.gz")))
    with pytest.raises(InputError, match="no question format 'csv'"):
        list(read_questions(tmp_path / "q", format="csv"))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0")), max_size=5))
def test_any_text_survives_the_round_trip_through_json(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("q") / "q.jsonl"
    wanted = [text for text in texts if text.strip()]
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in [*wanted, "end"]), encoding="utf-8")
    assert [question.text for question in read_questions(path)] == [*wanted, "end"]

"""Readers of question files: what is read, what is skipped by number, and what is refused."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgqa.answer.lines import MAX_LINE, Skips
from kgqa.answer.questions import MAX_QUESTION, count_questions, detect_format, read_questions
from kgqa.errors import InputError
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
    "not JSON": (b'{"question": ', "malformed"),
    "not an object": (b"[1]", "malformed"),
    "Exceeds the limit": (b'{"question": "a", "id": ' + b"9" * 5000 + b"}", "malformed"),
    "is missing": (b'{"id": "x"}', "no question"),
    "not a text": (b'{"question": 7}', "wrong type"),
    "is empty": (b'{"question": "  "}', "no question"),
    "not a list of texts": (b'{"question": "a", "answers": "b"}', "wrong type"),
    "'topics' is not a list": (b'{"question": "a", "topics": "b"}', "wrong type"),
    "neither a text": (b'{"question": "a", "topics": [3]}', "wrong type"),
    "not UTF-8": (b'{"question": "caf\xe9"}', "not UTF-8"),
    "zero bytes": (b'{"question": "a\0"}', "not UTF-8"),
    "characters; a question has": (b'{"question": "' + b"a" * (MAX_QUESTION + 1) + b'"}', "too long"),
    "bytes long": (b'{"question": "' + b"a" * MAX_LINE + b'"}', "too long"),
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_a_bad_line_is_skipped_by_number_or_refused(tmp_path, reason):
    bad, kind = BAD_LINES[reason]
    good = b'{"question": "fine"}\n'
    path = write(tmp_path, good + bad + b"\n" + good, "q.jsonl")
    skips = Skips()
    assert len(list(read_questions(path, format="jsonl", skips=skips))) == 2
    assert skips.counts == {kind: 1}
    (first,) = skips.first
    assert first.startswith(f"{path}:2: ")
    assert reason in first
    with pytest.raises(InputError, match=r"q\.jsonl:2.*strict=false"):
        list(read_questions(path, format="jsonl", strict=True))


def test_every_skip_is_written_down_and_the_log_names_the_first(tmp_path, caplog):
    path = write(tmp_path, "fine\n" + "\0\n" * 7)
    list(read_questions(path, skips=Skips(tmp_path / "skipped.jsonl")))
    rows = [json.loads(line) for line in (tmp_path / "skipped.jsonl").read_text().splitlines()]
    assert [row["place"] for row in rows] == [f"{path}:{number}" for number in range(2, 9)]
    assert {row["kind"] for row in rows} == {"not UTF-8"}
    assert "read 1 questions, skipped 7 lines" in caplog.text
    assert f"{path}:6" in caplog.text
    assert "and 2 more (all of them in" in caplog.text


def test_a_line_without_end_is_read_in_bounded_memory(tmp_path):
    path = write(tmp_path, gzip.compress(b"a" * (64 * MAX_LINE) + b"\nfine\n"))
    tracemalloc.start()
    assert [question.text for question in read_questions(path)] == ["fine"]
    assert tracemalloc.get_traced_memory()[1] < 8 * MAX_LINE
    tracemalloc.stop()


def test_halves_of_characters_are_replaced_wherever_they_stand(tmp_path):
    record = {
        "id": "\ud800",
        "question": "\udfff?",
        "topics": [{"text": "\ud800", "iri": "urn:\ud800"}],
        "kind": "\ud800",
    }
    (question,) = read_questions(write(tmp_path, json.dumps(record)))
    repr(question).encode()


def test_utf_16_is_named(tmp_path):
    with pytest.raises(InputError, match="UTF-16; save the file as UTF-8"):
        list(read_questions(write(tmp_path, "Wer ist das?\n".encode("utf-16"))))


@pytest.mark.parametrize("name", ["q.txt", "q.jsonl.gz"])
def test_counting_is_an_upper_bound(tmp_path, name):
    data = b"a\n\nb\n\xff\n"
    path = write(tmp_path, gzip.compress(data) if name.endswith("gz") else data, name)
    assert count_questions(path) == 4


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
    with pytest.raises(InputError, match="no question format 'xls'"):
        list(read_questions(tmp_path / "q", format="xls"))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0")), max_size=5))
def test_any_text_survives_the_round_trip_through_json(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("q") / "q.jsonl"
    wanted = [text for text in texts if text.strip()]
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in [*wanted, "end"]), encoding="utf-8")
    assert [question.text for question in read_questions(path)] == [*wanted, "end"]

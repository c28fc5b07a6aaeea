"""Answers on disk: stable fields, in order, complete or absent."""

import json

import pytest

from kgqa.answer.records import answer_record, write_answers
from kgqa.errors import InputError
from kgqa.types import Answer, Candidate, Provenance, Question, Step, Topic

ADA = Candidate("Ada", "urn:kgqa:entity:Ada", 1 / 3)
STEP = Step(
    "urn:kgqa:entity:Ada", "urn:kgqa:relation:born%20in", '"1815"', Provenance("doc", "Ada was born.", (3, 16)), True
)


def answer(number: int = 0) -> Answer:
    question = Question(f"q{number}", "When?\u2028<b>\x1b[31m")
    return Answer(
        question, (Topic("Ada", (0, 3), (ADA,)), Topic("Nobody", (4, 5))), (ADA,), False, "", ((STEP,),), "SELECT"
    )


def test_fields_and_their_order_are_stable():
    record = answer_record(answer())
    fields = ["id", "question", "topics", "answers", "abstained", "reason", "paths", "sparql", "explanations"]
    assert list(record) == fields
    assert record["topics"] == [
        {"text": "Ada", "iri": ADA.iri, "score": 0.333333},
        {"text": "Nobody", "iri": "", "score": 0.0},
    ]
    (step,) = record["paths"][0]
    assert {"head", "relation", "tail", "doc_id", "sentence", "start", "end", "confidence", "extractor"} <= set(step)
    assert record["explanations"] == ['Ada was born in "1815".']
    assert (step["relation_text"], step["start"], step["end"], step["inverse"]) == ("born in", 3, 16, True)


def test_one_line_an_answer_in_order_whatever_the_text_holds(tmp_path):
    out = tmp_path / "new" / "answers.jsonl"
    assert write_answers(out, (answer(n) for n in range(5))) == 5
    lines = out.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["id"] for line in lines] == [f"q{n}" for n in range(5)]


def test_an_interruption_leaves_the_old_file_and_no_other(tmp_path):
    out = tmp_path / "answers.jsonl"
    out.write_text("old")

    def interrupted():
        yield answer()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_answers(out, interrupted())
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_or_an_unwritable_place_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_answers(tmp_path, [answer()])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_answers(tmp_path / "file" / "answers.jsonl", [answer()])

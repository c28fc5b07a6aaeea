"""A batch is answered, written and scored in one pass, without being held in memory."""

import json

import pytest

from kgqa.answer.batch import answer_batch
from kgqa.types import Answer, Candidate, Question

FOUND = (Candidate("a", "urn:a", 0.75),)


class ToyAnswerer:
    """Answers `a` to everything but the questions that end in "nothing"."""

    text_of = staticmethod(str)
    names_of = staticmethod(lambda term: {"alias of a"})

    def answer(self, questions):
        for question in questions:
            if question.text.endswith("nothing"):
                yield Answer(question, (), (), True, "ambiguous: did you mean a or b", withheld=FOUND)
            else:
                yield Answer(question, (), FOUND, False, "")


QUESTIONS = [
    Question("1", "x", answers=("a",), kind="1-hop"),
    Question("2", "x", answers=("alias of a",), kind="2-hop"),
    Question("3", "x", answers=("b",), kind="2-hop"),
    Question("4", "nothing", answers=()),
    Question("5", "nothing"),
]


def test_scores_are_by_kind_and_leave_out_what_has_no_gold(tmp_path):
    summary = answer_batch(ToyAnswerer(), iter(QUESTIONS), tmp_path / "out.jsonl", tmp_path / "scores.jsonl")
    assert summary.kinds() == ["1-hop", "2-hop", "all"]
    assert [summary.scores[kind].report()["hits@1"] for kind in summary.kinds()] == [1.0, 0.5, 2 / 3]
    found = summary.metrics()
    assert (found["num_questions"], found["num_abstained"], found["abstained: ambiguous"]) == (5, 2, 2)
    assert found["questions"] == 4
    assert found["abstained"] == 1.0
    rows = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(row)["id"] for row in rows] == ["1", "2", "3", "4", "5"]


def test_without_gold_there_are_no_rates(tmp_path):
    summary = answer_batch(ToyAnswerer(), [Question("1", "x")], tmp_path / "out.jsonl", tmp_path / "scores.jsonl")
    assert summary.kinds() == []
    assert not {"hits@1", "ece"} & set(summary.metrics())


def test_what_each_answer_is_worth_is_kept_beside_it(tmp_path):
    summary = answer_batch(ToyAnswerer(), iter(QUESTIONS), tmp_path / "out.jsonl", tmp_path / "scores.jsonl")
    first, _, third, fourth, last = map(json.loads, (tmp_path / "scores.jsonl").read_text().splitlines())
    assert first == {
        "id": "1", "kind": "1-hop", "probability": 0.75, "withheld": [], "seconds": 0.0, "abstained": False,
        "gold": ["a"], "right": [True], "hits@1": 1.0, "f1": 1.0, "exact_match": 1.0,
    }  # fmt: skip
    assert (third["right"], fourth["right"], fourth["withheld"]) == ([False], [False], ["a"])
    assert set(last) == {"id", "kind", "probability", "withheld", "seconds", "abstained"}
    # Four questions with gold, each said to be right with 0.75; two are.
    assert summary.metrics()["error@100%"] == 0.5
    assert summary.metrics()["ece"] == pytest.approx(0.5)  # four bins of one: 0.25 twice, 0.75 twice

"""A batch is answered, written and scored in one pass, without being held in memory, and goes on after a kill."""

import json
import os
import random
import signal
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.batch import Summary, answer_batch, answer_lines
from kgqa.answer.metrics import Scores
from kgqa.engine.local import LocalEngine
from kgqa.errors import InputError, LockedError
from kgqa.lock import file_lock
from kgqa.types import Answer, Question
from tests import processes
from tests.answer import killed
from tests.answer.toy import FOUND, ToyAnswerer, largest_file, questions, toy_worker

QUESTIONS = [
    Question("1", "x", answers=("a",), kind="1-hop"),
    Question("2", "x", answers=("alias of a",), kind="2-hop"),
    Question("3", "x", answers=("b",), kind="2-hop"),
    Question("4", "nothing", answers=()),
    Question("5", "nothing"),
]


def run(asked, out, *, answerer=None, processes=1, batch_size=2, **options):
    """A batch by an answerer of this process, or by toys in others."""
    make = toy_worker if answerer is None else lambda: nullcontext(partial(answer_lines, answerer))
    return answer_batch(LocalEngine(processes), make, asked, out, batch_size=batch_size, **options)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_scores_are_by_kind_and_leave_out_what_has_no_gold(tmp_path):
    summary = run(iter(QUESTIONS), tmp_path / "out.jsonl")
    assert summary.kinds() == ["1-hop", "2-hop", "all"]
    assert [summary.scores[kind].report()["hits@1"] for kind in summary.kinds()] == [1.0, 0.5, 2 / 3]
    found = summary.metrics()
    assert (found["num_questions"], found["num_abstained"], found["abstained: ambiguous"]) == (5, 2, 2)
    assert found["questions"] == 4
    assert found["abstained"] == 1.0
    assert found["abstention_rate"] == 0.4
    rows = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(row)["id"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert left(tmp_path) == {"out.jsonl"}


def test_without_gold_there_are_no_rates(tmp_path):
    summary = run([Question("1", "x")], tmp_path / "out.jsonl")
    assert summary.kinds() == []
    assert not {"hits@1", "ece"} & set(summary.metrics())


def test_what_each_answer_is_worth_is_kept_beside_it(tmp_path):
    summary = run(iter(QUESTIONS), tmp_path / "out.jsonl", scores=tmp_path / "scores.jsonl")
    first, _, third, fourth, last = map(json.loads, (tmp_path / "scores.jsonl").read_text().splitlines())
    assert first == {
        "id": "1", "kind": "1-hop", "probability": 0.75, "withheld": [], "seconds": 0.0, "abstained": False,
        "gold": ["a"], "right": [True], "hits@1": 1.0, "f1": 1.0, "exact_match": 1.0,
    }  # fmt: skip
    assert (third["right"], fourth["right"], fourth["withheld"]) == ([False], [False], ["a"])
    assert set(last) == {"id", "kind", "probability", "withheld", "seconds", "abstained"}
    # Four questions with gold, each said to be right with 0.75; two are.
    assert summary.doubts == {"0.750 1 1": 2, "0.750 0 1": 1, "0.750 0 0": 1}
    assert summary.metrics()["error@100%"] == 0.5
    assert summary.metrics()["ece"] == pytest.approx(0.25)


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30))
def test_percentiles_are_those_of_the_times_to_a_hundredth(times):
    whole = Summary()
    for seconds in times:
        part = Summary()
        part.count(Answer(QUESTIONS[0], (), FOUND, False, "", seconds=seconds), Scores(), right=True)
        whole.add(Summary.from_json(json.loads(json.dumps(part.to_json()))))
    for share in (0.5, 0.95, 0.99):
        exact = sorted(times)[max(0, -(-len(times) * int(100 * share) // 100) - 1)]
        assert whole.latency(share) == pytest.approx(exact, rel=0.011)


def test_nothing_answered_has_no_latency_and_no_division_by_zero():
    assert Summary().metrics()["ms_per_question_p50"] == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_the_engine_changes_no_byte_and_no_count(tmp_path, processes):
    one = run(questions(25), tmp_path / "one.jsonl")
    other = run(questions(25), tmp_path / "other.jsonl", processes=processes)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "other.jsonl").read_bytes()
    assert (one.scores, one.reasons, one.doubts) == (other.scores, other.reasons, other.doubts)


def test_an_interruption_keeps_what_is_done_and_the_old_file(tmp_path):
    out = tmp_path / "answers.jsonl"
    out.write_text("old")
    first = ToyAnswerer(stop_at=7, error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run(questions(10), out, answerer=first)
    assert out.read_text() == "old"
    assert left(tmp_path) == {"answers.jsonl", ".answers.jsonl.partial"}
    second = ToyAnswerer()
    summary = run(questions(10), out, answerer=second, scores=tmp_path / "scores.jsonl")
    assert second.asked == ["q6", "q7", "q8", "q9"]  # the batch that was interrupted is asked again, no other
    assert (summary.num_questions, summary.num_taken_over) == (10, 6)
    run(questions(10), tmp_path / "whole.jsonl", scores=tmp_path / "whole-scores.jsonl")
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert (tmp_path / "scores.jsonl").read_bytes() == (tmp_path / "whole-scores.jsonl").read_bytes()
    assert left(tmp_path) == {"answers.jsonl", "scores.jsonl", "whole.jsonl", "whole-scores.jsonl"}


def test_an_error_before_the_first_batch_leaves_nothing(tmp_path):
    with pytest.raises(InputError):
        run(questions(10), tmp_path / "a.jsonl", answerer=ToyAnswerer(stop_at=0, error=InputError("no")))
    assert left(tmp_path) == set()


CHANGES = {
    "another generation": ({"generation": "2"}, questions(10), range(10)),
    "the same": ({"generation": "1"}, questions(10), range(6, 10)),
    "a question changed": (
        {"generation": "1"},
        [*questions(3), Question("q3", "new"), *questions(10)[4:]],
        range(2, 10),
    ),
    "a question less": ({"generation": "1"}, questions(10)[:5], range(4, 5)),
    "gold is known now": ({"generation": "1"}, [Question("q0", "x", answers=()), *questions(10)[1:]], range(10)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_would_be_the_same_is_taken_over(tmp_path, change):
    depends_on, asked, answered = CHANGES[change]
    with pytest.raises(KeyboardInterrupt):
        run(questions(10), tmp_path / "a.jsonl", answerer=ToyAnswerer(stop_at=7, error=KeyboardInterrupt),
            depends_on={"generation": "1"})  # fmt: skip
    answerer = ToyAnswerer()
    run(asked, tmp_path / "a.jsonl", answerer=answerer, depends_on=depends_on)
    assert answerer.asked == [f"q{number}" for number in answered]
    run(asked, tmp_path / "whole.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_whatever_is_cut_off_the_unfinished_files_the_end_is_the_same(tmp_path_factory, data):
    """After a power failure any tail of a file may be missing, or be zeros."""
    folder = tmp_path_factory.mktemp("cut")
    with pytest.raises(KeyboardInterrupt):
        run(questions(9), folder / "a.jsonl", answerer=ToyAnswerer(stop_at=8, error=KeyboardInterrupt))
    for name in ("answers.jsonl", "scores.jsonl", "batches.jsonl"):
        path = folder / ".a.jsonl.partial" / name
        kept = path.read_bytes()[: data.draw(st.integers(0, path.stat().st_size))]
        path.write_bytes(kept + data.draw(st.sampled_from([b"", b"\0" * 9, b"\0\0\n"])))
    run(questions(9), folder / "a.jsonl")
    run(questions(9), folder / "whole.jsonl")
    assert (folder / "a.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()


def test_two_runs_for_one_file_the_second_is_refused_and_names_the_first(tmp_path):
    out = tmp_path / "a.jsonl"
    lock = file_lock(tmp_path / ".a.jsonl.partial" / "lock", out, remedy="")
    with (
        lock,
        pytest.raises(LockedError, match=rf"a\.jsonl is being written to by process {os.getpid()} on .* since 20"),
    ):
        run(questions(3), out)
    run(questions(3), out)
    assert left(tmp_path) == {"a.jsonl"}


def check_kill(folder: Path, name: str, number: int, whole: bytes) -> None:
    out = folder / f"{number}" / name
    out.parent.mkdir()
    assert processes.run(killed.main, out, number).status == -signal.SIGKILL
    answerer = ToyAnswerer()
    run(questions(20), out, answerer=answerer)
    assert out.read_bytes() == whole
    assert left(out.parent) == {name}


def boundaries(folder: Path, name: str) -> tuple[int, bytes]:
    """How many steps a run takes that is not killed, and what it writes."""
    done = processes.run(killed.main, folder / name, -1)
    assert done.status == 0, done.errors
    return int(done.out), (folder / name).read_bytes()


def test_killed_at_a_step_the_resumed_file_is_the_same(tmp_path):
    number, whole = boundaries(tmp_path, "a.csv")
    assert number > 40
    for step in random.Random(0).sample(range(number), 3):
        check_kill(tmp_path, "a.csv", step, whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv.gz", "a.parquet"])
def test_killed_at_every_step_the_resumed_file_is_the_same(tmp_path, name):
    number, whole = boundaries(tmp_path, name)
    for step in range(number):
        check_kill(tmp_path, name, step, whole)


def test_a_full_disk_is_told_of_and_what_is_done_is_kept(tmp_path):
    """The system refuses to let a file grow beyond 4,000 bytes."""
    out, whole = tmp_path / "a.csv", tmp_path / "whole.csv"
    run(questions(20), whole)
    first, second = ToyAnswerer(), ToyAnswerer()
    with largest_file(4000), pytest.raises(InputError, match=r"cannot write .*a\.csv: File too large.*make room"):
        run(questions(20), out, answerer=first)
    assert left(tmp_path) == {"whole.csv", ".a.csv.partial"}
    run(questions(20), out, answerer=second)
    assert 2 < len(first.asked) < 20
    assert len(set(first.asked) & set(second.asked)) == 2  # the batch that could not be written
    assert out.read_bytes() == whole.read_bytes()


def test_a_folder_or_an_unwritable_place_is_refused_before_anything_is_answered(tmp_path):
    answerer = ToyAnswerer()
    with pytest.raises(InputError, match=r"cannot write .*: it is a folder; give out=FILE"):
        run(questions(3), tmp_path, answerer=answerer)
    with pytest.raises(InputError, match=r"Parquet packs its columns itself"):
        run(questions(3), tmp_path / "a.parquet.gz", answerer=answerer)
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="cannot write"):
        run(questions(3), tmp_path / "file" / "a.jsonl", answerer=answerer)
    assert answerer.asked == []


def test_questions_are_read_a_batch_at_a_time(tmp_path):
    read = []

    class Watching(ToyAnswerer):
        def answer(self, asked):
            assert len(read) - len(self.asked) <= 2
            yield from super().answer(asked)

    def stream():
        for question in questions(20):
            read.append(question)
            yield question

    run(stream(), tmp_path / "a.jsonl", answerer=Watching())
    assert len(read) == 20

"""Batch runs as a nightly job has them: any format in and out, several processes, kills, and files that mean harm."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kgqa.lock import file_lock
from pipelines.answer import main
from tests.pipelines import killed
from tests.pipelines.conftest import PEOPLE
from tests.processes import run, running

ROOT = Path(__file__).parents[2]
TEXTS = [f"Who taught {name}{mark}" for name in PEOPLE for mark in ("?", " at first?", "", " then?")]


@pytest.fixture
def asked(base, tmp_path, monkeypatch):
    """The arguments of a run over `q.jsonl`, which has more questions than a batch."""
    monkeypatch.chdir(tmp_path)
    rows = [{"id": str(n), "question": text, "answers": ["Bohr"]} for n, text in enumerate(TEXTS)]
    Path("q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [f"kb={base / 'kb'}", f"checkpoint={base / 'random'}", "questions=q.jsonl", "answer.batch_size=4"]


def metrics() -> dict:
    (path,) = Path("runs/default").glob("answer-*/manifest.json")
    return json.loads(path.read_text())["metrics"]


def metrics_of(out: str) -> dict:
    """Of the run that was done and wrote that file."""
    found = [json.loads(path.read_text()) for path in Path("runs/default").glob("answer-*/manifest.json")]
    (one,) = [row["metrics"] for row in found if row["status"] == "done" and row["metrics"]["out"] == out]
    return one


def test_the_metrics_tell_latencies_and_abstentions(asked):
    assert main([*asked, "out=a.jsonl"]) == 0
    found = metrics()
    assert 0 < found["ms_per_question_p50"] <= found["ms_per_question_p95"] <= found["ms_per_question_p99"]
    assert found["abstention_rate"] == found["num_abstained"] / len(TEXTS)
    assert found["num_skipped"] == 0


def test_questions_from_a_table_answers_into_tables(asked):
    with Path("q.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["id", "question", "answers"], *([n, text, "Bohr"] for n, text in enumerate(TEXTS))]
        )
    assert main([*asked, "out=a.jsonl"]) == 0
    assert main([*asked, "out=b.jsonl.gz", "questions=q.csv"]) == 0
    assert main([*asked, "out=a.tsv"]) == 0
    assert main([*asked, "out=a.parquet"]) == 0
    records = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    unzipped = subprocess.run(["gzip", "-dc", "b.jsonl.gz"], capture_output=True, check=True).stdout
    assert unzipped == Path("a.jsonl").read_bytes()
    rows = list(csv.DictReader(io.StringIO(Path("a.tsv").read_text(), newline=""), delimiter="\t"))
    assert [row["answers"] for row in rows] == ["|".join(a["text"] for a in r["answers"]) for r in records]
    assert pq.read_table("a.parquet").to_pylist() == records


@pytest.mark.slow
def test_ray_gives_the_same_bytes(asked):
    pytest.importorskip("ray")
    assert main([*asked, "out=one.jsonl"]) == 0
    assert main([*asked, "out=ray.jsonl", "engine=ray", "engine.processes=2"]) == 0
    assert Path("one.jsonl").read_bytes() == Path("ray.jsonl").read_bytes()


def test_an_engine_that_cannot_be_had_is_refused(asked, capsys):
    assert main([*asked, "engine.processes=0"]) == 2
    assert "engine.processes is 0" in capsys.readouterr().err
    assert main([*asked, "engine.kind=spark"]) == 2
    assert "engine.kind is 'spark'; choose engine=local or engine=ray" in capsys.readouterr().err


def test_an_error_in_a_worker_is_one_message(asked, capsys):
    assert main([*asked, "engine.processes=2", "encoder=minilm", "out=a.jsonl"]) == 2
    shown = capsys.readouterr().err
    assert "was trained with encoder 'transformer', not 'minilm'" in shown
    assert "Traceback" not in shown
    assert not Path("a.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on_where_it_stopped(asked, processes):
    """Really killed, at moments that come as they come; each time the same command is started again."""
    more = ["answer.batch_size=1", f"engine.processes={processes}"]
    assert main([*asked, "out=whole.jsonl", *more]) == 0
    command = [sys.executable, "-m", "pipelines.answer", *asked, "out=a.jsonl", *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    kept, num_kills = Path(".a.jsonl.partial/answers.jsonl"), 0
    while num_kills < 5:
        before = kept.stat().st_size if kept.exists() else 0
        run = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        while run.poll() is None and (not kept.exists() or kept.stat().st_size <= before):
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        num_kills += 1
        if run.returncode == 0:
            break
    assert num_kills > 1
    assert main([*asked, "out=a.jsonl", *more]) == 0
    assert Path("a.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    assert not kept.parent.exists()


TURNS = ("Who taught {}?", "And who taught {}?", "Which of them taught him?", "No, the other one.", "Who did he teach?")


@pytest.fixture
def talked(asked):
    """The arguments of a run over conversations, among them single questions and one whose turns are out of order."""
    rows = []
    for number, name in enumerate(PEOPLE):
        order = (2, 0, 1, 4, 3) if number == 1 else range(len(TURNS))
        rows += [
            {
                "session": f"s{number}",
                "turn": turn,
                "question": TURNS[turn].format(PEOPLE[(number + turn) % len(PEOPLE)]),
            }
            for turn in order
        ]
        rows.append({"question": f"Who taught {name}?"})
    Path("q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return asked


def test_questions_and_conversations_are_the_same_bytes_in_several_processes(talked):
    assert main([*talked, "out=one.jsonl"]) == 0
    assert main([*talked, "out=two.jsonl", "engine.processes=2"]) == 0
    assert main([*talked, "out=alone.jsonl", "answer.session=false"]) == 0
    assert Path("one.jsonl").read_bytes() == Path("two.jsonl").read_bytes()
    assert Path("one.jsonl").read_bytes() != Path("alone.jsonl").read_bytes()


@pytest.mark.parametrize(("processes", "kills"), [(1, (1, 2)), (2, (2,))])
def test_a_killed_run_of_conversations_goes_on_where_it_stopped(talked, processes, kills):
    """Killed by itself once so many batches are kept, so that nothing depends on how fast the machine is."""
    assert main([*talked, "out=whole.jsonl"]) == 0
    arguments = [*talked, "out=a.jsonl", f"engine.processes={processes}"]
    for number in kills:
        ran = run(killed.main, number, arguments)
        assert ran.status == -signal.SIGKILL, ran.errors
        assert not Path("a.jsonl").exists()
    assert main(arguments) == 0
    assert metrics_of("a.jsonl")["num_taken_over"] > 0
    assert Path("a.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def hold() -> None:
    with file_lock(Path(".a.jsonl.partial/lock"), Path("a.jsonl"), remedy=""):
        print("held", flush=True)
        time.sleep(3600)


def test_a_second_run_for_the_same_file_is_refused(asked, capsys):
    with running(hold) as (holder, said):
        assert said.readline() == "held\n"
        assert main([*asked, "out=a.jsonl"]) == 2
        assert f"a.jsonl is being written to by process {holder.pid} on " in capsys.readouterr().err
    assert main([*asked, "out=a.jsonl"]) == 0


HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J", "\u202eevil", '" } ; DROP ALL #', "<script>alert(1)</script>", "=HYPERLINK(0)",
    "[/bold] [red]", "%s %(x)s {} ${oc.env:HOME}", "../../etc/passwd", "\\u0000", "?" * 9000,
]  # fmt: skip


def test_questions_that_mean_harm_are_questions(asked, capsys):
    rows = [{"question": text, "kind": text[:20], "answers": ["Bohr"]} for text in HOSTILE]
    lines = [json.dumps(row).encode() for row in rows]
    bad = [
        b"\x1b[31m{",
        b'{"question": "\x1b[31m\xff"}',
        b"\0",
        b"[" * 100_000,
        b'{"question": "' + b"a" * (1 << 20) + b'"}',
    ]
    Path("q.jsonl").write_bytes(b"\n".join([*lines, *bad]))
    assert main([*asked, "out=a.csv"]) == 3
    shown = capsys.readouterr()
    assert not set(shown.out + shown.err) & set("\x1b\x07\u202e\0")
    assert metrics()["num_skipped"] == len(bad)
    found = list(csv.DictReader(io.StringIO(Path("a.csv").read_text(), newline="")))
    assert [row["question"].removeprefix("'") for row in found] == HOSTILE
    (log,) = Path("runs/default").glob("answer-*/log.txt")
    assert "\x1b" not in log.read_text()
    (skipped,) = Path("runs/default").glob("answer-*/skipped.jsonl")
    rows = [json.loads(line) for line in skipped.read_text().splitlines()]
    assert [row["place"] for row in rows] == [f"q.jsonl:{len(HOSTILE) + n}" for n in range(1, len(bad) + 1)]
    assert [row["kind"] for row in rows] == ["malformed", "not UTF-8", "not UTF-8", "malformed", "too long"]

"""`kgqa report` as a user runs it, over runs that an answerer left."""

import json
from pathlib import Path

import pytest

from pipelines.report import main
from tests.answer.report.made import make_run, mixed


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_run(Path("runs/x/answer-1"), mixed())


def test_the_page_lies_in_the_run_s_folder(run):
    assert main([f"run={run}"]) == 0
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "Answers of <bdi>x/answer-1</bdi>" in text
    (manifest,) = Path("runs/default").glob("report-*/manifest.json")
    metrics = json.loads(manifest.read_text())["metrics"]
    assert metrics == {"out": str(run / "report.html"), "num_questions": 12, "bytes": len(text.encode())}


def test_two_runs_are_compared_and_the_page_goes_where_it_is_wanted(run):
    make_run(Path("runs/y/answer-1"), mixed(wrong=6))
    assert main([f"run={run}", "compare=runs/y/answer-1", "out=new/page.html", "report.questions=4"]) == 0
    text = Path("new/page.html").read_text(encoding="utf-8")
    assert "Compared with <bdi>y/answer-1</bdi>" in text
    assert text.count('<details class="question') == 4
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "run: no value; it is the folder of an answer run"),
        (["run=nowhere"], "nowhere is no run's folder"),
        (["run=runs/x/answer-1", "compare=nowhere"], "nowhere is no run's folder"),
        (["run=runs/x/answer-1", "out=runs"], "cannot write runs"),
    ],
)
@pytest.mark.usefixtures("run")
def test_what_cannot_be_used_is_one_message(capsys, arguments, message):
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown

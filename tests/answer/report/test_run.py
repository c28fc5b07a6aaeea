"""Reading a run's folder: what is no finished answer run is refused with what to do."""

import gzip
import json

import pytest

from kgqa.answer.report.run import Run
from kgqa.answer.report.text import visible
from kgqa.errors import InputError
from tests.answer.report.made import make_run, mixed


def test_what_was_written_is_read(tmp_path):
    answers = mixed()
    run = Run.read(make_run(tmp_path / "x" / "answer-1", answers))
    assert run.name == "x/answer-1"
    assert [one.question_id for one in run.scored] == [answer.question.question_id for answer in answers]
    assert [one.right for one in run.scored[:6]] == [False, False, False, True, False, True]
    numbers = [(one.number, record["id"]) for one, record in run.records({7, 2})]
    assert numbers == [(2, "id-2"), (7, "id-7")]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.parquet"])
def test_answers_in_a_table_are_refused_with_what_to_do(tmp_path, name):
    folder = make_run(tmp_path / "run", mixed())
    (folder / "answers.jsonl").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["metrics"]["out"] = name
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=rf"no JSON lines but {name}; answer again with out=NAME\.jsonl"):
        Run.read(folder)


def test_a_folder_that_was_moved_brings_its_answers(tmp_path):
    make_run(tmp_path / "before", mixed()).rename(tmp_path / "after")
    assert len(list(Run.read(tmp_path / "after").records(range(20)))) == 12


def test_answers_may_be_gzipped_and_have_to_be_json_lines(tmp_path):
    folder = make_run(tmp_path / "run", mixed())
    manifest = json.loads((folder / "manifest.json").read_text())
    lines = (folder / "answers.jsonl").read_bytes()
    (folder / "answers.jsonl").unlink()
    for name, data in (("a.jsonl.gz", gzip.compress(lines)), ("a.csv", b"id,question\n")):
        (tmp_path / name).write_bytes(data)
        manifest["metrics"]["out"] = str(tmp_path / name)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        if name == "a.csv":
            with pytest.raises(InputError, match=r"out=NAME\.jsonl"):
                Run.read(folder)
        else:
            assert len(list(Run.read(folder).records(range(20)))) == 12


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "manifest.json").unlink(), "no run's folder"),
        (lambda run: (run / "scores.jsonl").unlink(), r"scores\.jsonl is not there"),
        (lambda run: (run / "scores.jsonl").write_text("{}\n"), r"scores\.jsonl:1 cannot be read"),
        (lambda run: (run / "scores.jsonl").write_text("{"), r"scores\.jsonl:1 cannot be read"),
        (lambda run: (run / "answers.jsonl").unlink(), r"answers\.jsonl is not there"),
        (lambda run: (run / "answers.jsonl").write_bytes(b"\xff"), r"answers\.jsonl:1 cannot be read"),
        (lambda run: (run / "answers.jsonl").write_text('{"id": "other"}\n'), "another run has written there since"),
    ],
)
def test_what_is_missing_damaged_or_another_s_is_named(tmp_path, spoil, message):
    folder = make_run(tmp_path / "run", mixed())
    spoil(folder)
    with pytest.raises(InputError, match=message):
        list(Run.read(folder).records({0}))


@pytest.mark.parametrize(
    ("options", "message"), [({"stage": "train"}, "a run of 'train'"), ({"status": "failed"}, "ended as 'failed'")]
)
def test_another_run_or_a_failed_one_is_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=f"{message}.*give the folder of an answer run"):
        Run.read(make_run(tmp_path / "run", mixed(), **options))


def test_texts_are_shown_without_what_cannot_be_seen():
    assert visible("a\x00b\x1b[0m\tc\u202ed\ud800") == "a␀b␛[0m c�d�"
    assert len(visible("x" * 10_000)) == 401
    assert visible(json.dumps({"a": 1})) == '{"a": 1}'

"""The frame of a pipeline, run as a user runs it: exit codes, messages, the run's folder, sweeps."""

import json
from pathlib import Path

import pytest

from kgqa.cli import EXIT_CODES
from kgqa.errors import InputError
from pipelines.stage import stage


@stage("toy", needs={"kb": "the folder of the knowledge base"}, example="kgqa toy kb=kb/x")
def toy(cfg, run_folder):
    """Fails in the way that the seed asks for."""
    if cfg.seed == 7:
        raise InputError("seed 7 is taken; use 8")
    if cfg.seed == 8:
        raise ZeroDivisionError("nobody foresaw this")
    if cfg.seed == 9:
        raise KeyboardInterrupt
    if cfg.seed == 6:
        return {"num_skipped": 2}
    return {"seed": cfg.seed, "rate": 0.5}


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def manifests() -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(Path().glob("runs/*/toy-*/manifest.json"))]


def test_a_run_leaves_config_log_metrics_and_manifest():
    assert toy(["kb=kb/x", "name=first"]) == 0
    (folder,) = Path("runs/first").iterdir()
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "log.txt", "metrics.jsonl", "manifest.json"}
    assert "kb: kb/x" in (folder / "config.yaml").read_text()
    assert "toy: seed 0, rate 0.5" in (folder / "log.txt").read_text()
    assert manifests()[0]["status"] == "done"


def test_wrong_keys_are_one_message_and_leave_nothing(capsys):
    assert toy(["sed=1", "strict=maybe"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: 3 errors in the configuration")
    assert "Traceback" not in shown
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("seed", "code", "status"), [(6, 3, "done"), (7, 2, "failed"), (8, 1, "failed"), (9, 130, "interrupted")]
)
def test_exit_codes(seed, code, status):
    assert toy(["kb=kb/x", f"seed={seed}"]) == code
    assert manifests()[0]["status"] == status


def test_a_refusal_has_no_traceback_and_the_unforeseen_has_one(capsys):
    toy(["kb=kb/x", "seed=7"])
    refused = capsys.readouterr().err
    assert "error: seed 7 is taken; use 8" in refused
    assert "Traceback" not in refused
    toy(["kb=kb/x", "seed=8", "name=unforeseen"])
    (log,) = Path("runs/unforeseen").glob("*/log.txt")
    for text in (capsys.readouterr().err, log.read_text()):
        assert "Traceback" in text
        assert "ZeroDivisionError: nobody foresaw this" in text


def test_multirun_runs_each_combination_in_a_folder_of_its_own():
    assert toy(["kb=kb/x", "-m", "seed=1,2", "strict=true,false"]) == 0
    assert sorted(tuple(found["overrides"]) for found in manifests()) == [
        ("kb=kb/x", f"seed={seed}", f"strict={strict}") for seed in (1, 2) for strict in (False, True)
    ]


def test_multirun_reports_a_refusal_by_its_exit_code():
    assert toy(["-m", "kb=kb/x", "seed=7,1"]) == 2
    assert [found["status"] for found in manifests()] == ["failed", "done"]


def test_multirun_reports_that_something_was_skipped():
    assert toy(["-m", "kb=kb/x", "seed=6,1"]) == 3


def test_json_logs_are_an_object_a_line_with_time_level_and_traceback(capsys):
    assert toy(["kb=kb/x", "hydra/job_logging=json"]) == 0
    assert toy(["kb=kb/x", "hydra/job_logging=json", "seed=8", "name=failed"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {"time", "level", "logger", "message"} <= set(rows[0])
    assert (rows[0]["level"], rows[0]["message"]) == ("info", "toy: seed 0, rate 0.5")
    failed = next(row for row in rows if row["level"] == "error")
    assert failed["message"] == "nobody foresaw this"
    assert "ZeroDivisionError" in failed["traceback"]
    (log,) = Path("runs/failed").glob("*/log.jsonl")
    assert failed in [json.loads(line) for line in log.read_text().splitlines()]
    assert not list(Path("runs").glob("*/*/log.txt"))


def test_every_page_of_help_says_what_the_exit_codes_mean(capsys):
    assert toy(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {code:<3}  {meaning}" in shown for code, meaning in EXIT_CODES.items())


def test_what_hydra_refuses_is_one_message_too(capsys):
    assert toy(["kb=kb/x", "hydra.nothing=1"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_names_purpose_needs_choices_and_keys(capsys):
    assert toy(["--help"]) == 0
    shown = capsys.readouterr().out
    for expected in ("The frame of a pipeline", "kgqa toy kb=kb/x", "kb  the folder", "qa: files | metaqa", "seed=0"):
        assert expected in shown


def test_cfg_prints_the_configuration_without_the_needs(capsys):
    assert toy(["--cfg", "job", "seed=5"]) == 0
    assert "seed: 5" in capsys.readouterr().out

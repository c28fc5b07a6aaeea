"""Runs compared: seeds are one line, what differs is shown, the best comes first."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kgqa.errors import InputError
from pipelines import leaderboard
from pipelines.leaderboard import grouped
from pipelines.stage import stage


@stage("toy", needs={}, example="kgqa toy seed=1")
def toy(cfg, run_folder):
    """Reaches what its settings say."""
    if cfg.seed == 5:
        raise InputError("broken off")
    return {"dev_f1": 0.1 * cfg.seed + (0.5 if cfg.strict else 0.0), "dev_hits1": 0.25, "said": "words"}


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(**keys: str) -> list[dict[str, str]]:
    given = [f"{key.replace('__', '.')}={value}" for key, value in keys.items()]
    assert leaderboard.main(["leaderboard.stage=toy", "out=board.csv", *given]) == 0
    with Path("board.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_settings_come_first_with_the_spread_over_seeds():
    assert toy(["-m", "seed=1,3,5", "strict=true,false"]) == 2
    first, second = rows()
    assert (first["strict"], first["runs"], first["dev_f1"]) == ("True", "2", "0.7000 +- 0.1414")
    assert (second["strict"], second["dev_f1"]) == ("False", "0.2000 +- 0.1414")
    assert first["dev_hits1"] == "0.2500 +- 0.0000"
    assert not {"seed", "name", "said", "kb"} & first.keys()
    assert [row["strict"] for row in rows(leaderboard__lowest="true")] == ["False", "True"]


def test_a_run_alone_has_no_spread_and_nothing_that_differs(capsys):
    toy(["seed=2"])
    (only,) = rows()
    assert (only["dev_f1"], only["runs"]) == ("0.2000", "1")
    assert only["latest"].startswith("default/toy-")
    assert "0.2000" in capsys.readouterr().out


def test_what_nobody_measured_is_named_with_what_there_is(capsys):
    assert leaderboard.main(["leaderboard.stage=toy"]) == 2
    assert "none is there" in capsys.readouterr().err
    toy(["seed=2"])
    assert leaderboard.main(["leaderboard.stage=toy", "leaderboard.by=f2"]) == 2
    assert "none of 1 has 'f2'; they have dev_f1, dev_hits1" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_runs_in_several_processes(tmp_path):
    """Hydra's joblib launcher (extra `sweep`), with a stage as a user has it."""
    (tmp_path / "facts.nt").write_text("<urn:a> <urn:r> <urn:b> .\n")
    keys = ["corpus=facts", "corpus.path=facts.nt", "kb=kb/${name}-${min_facts}", "+min_facts=1,2", "name=swept"]
    command = [
        sys.executable,
        "-m",
        "pipelines.extract",
        "-m",
        *keys,
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    (only,) = grouped(tmp_path, "extract")[:1]
    found = {entry.settings["kb"] for entry in grouped(tmp_path, "extract")}
    assert found == {"kb/swept-1", "kb/swept-2"}
    assert only.values["num_facts"] == [1.0]

"""Training: it learns what a memory is needed for, goes on after an interruption as if there had been none, and stops
where its loss is no number."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kgqa.errors import ConfigError, InputError, ModelError
from kgqa.stories import training
from kgqa.stories.checkpoint import load_reader
from kgqa.stories.training import StoryTraining, evaluate, fit
from tests.stories.stories import walks

SIZES: dict[str, Any] = {
    "width": 32, "max_words": 8, "num_layers": 1, "num_heads": 2, "num_reads": 1, "num_hops": 2, "max_age": 16,
    "use_links": True, "use_memory": True, "dropout": 0.1,
}  # fmt: skip
OPTIONS = StoryTraining(
    steps=8, batch_questions=16, learning_rate=5e-3, weight_decay=1e-3, warmup_steps=5, max_norm=5.0, dev_fraction=0.1,
    evaluate_every=4, patience=9, max_sentences=30,
)  # fmt: skip


def test_it_learns_where_people_are(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=150, batch_questions=64, evaluate_every=75)
    scores = fit(walks(2000), SIZES, options, folder=tmp_path / "checkpoints", seed=0)
    assert scores["dev_error"] < 30  # guessing gives 75
    assert evaluate(tmp_path / "checkpoints" / "best", walks(300, seed=1), batch_questions=64)[1] < 30


def test_an_interrupted_training_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stories = walks(200)
    whole = fit(stories, SIZES, OPTIONS, folder=tmp_path / "whole" / "checkpoints", seed=0)
    advance = training._advance

    def interrupted(*args: Any) -> None:
        if args[-1] == 6:
            raise KeyboardInterrupt
        advance(*args)

    monkeypatch.setattr(training, "_advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(stories, SIZES, OPTIONS, folder=tmp_path / "cut" / "checkpoints", seed=0)
    monkeypatch.setattr(training, "_advance", advance)
    assert fit(stories, SIZES, OPTIONS, folder=tmp_path / "cut" / "checkpoints", seed=0) == whole
    states = [load_reader(tmp_path / name / "checkpoints" / "best")[0].state_dict() for name in ("whole", "cut")]
    assert all(torch.equal(part, states[1][name]) for name, part in states[0].items())


def test_a_loss_that_is_no_number_stops_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"lower task\.training\.learning_rate"):
        fit(walks(100), SIZES, replace(OPTIONS, learning_rate=1e30), folder=tmp_path / "checkpoints", seed=0)


def test_too_few_stories_and_bad_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too few"):
        fit(walks(3), SIZES, OPTIONS, folder=tmp_path, seed=0)
    with pytest.raises(ConfigError, match=r"task\.training\.steps is 0"):
        replace(OPTIONS, steps=0)


def test_it_stops_when_nothing_gets_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "task_errors", lambda *args: {1: 50.0})
    options = replace(OPTIONS, steps=100, evaluate_every=2, patience=3)
    assert fit(walks(60), SIZES, options, folder=tmp_path / "checkpoints", seed=0)["steps"] == 8


def test_a_damaged_or_missing_reader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no reader of stories"):
        load_reader(tmp_path)
    fit(walks(60), SIZES, OPTIONS, folder=tmp_path / "checkpoints", seed=0)
    weights = tmp_path / "checkpoints" / "best" / "reader.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match="train again"):
        load_reader(tmp_path / "checkpoints" / "best")
    (tmp_path / "checkpoints" / "last.safetensors").write_bytes(b"not one")
    with pytest.raises(ModelError, match="damaged"):
        fit(walks(60), SIZES, OPTIONS, folder=tmp_path / "checkpoints", seed=0)

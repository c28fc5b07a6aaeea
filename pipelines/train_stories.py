"""The part of train that reads stories (task=babi)."""

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from kgqa.artifacts import write_json
from kgqa.stories.babi import read_stories
from kgqa.stories.training import StoryTraining, evaluate, fit, mean

LOG = logging.getLogger("kgqa.train")

FAILED_ABOVE = 5.0
"""Percent of wrong answers from which bAbI's authors count a task as failed."""


def train_stories(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Train the reader, then score the stories that nothing was chosen by, once."""
    task = cfg.task
    sizes, options = (OmegaConf.to_container(task[part], resolve=True) for part in ("reader", "training"))
    folder = (Path(task.resume) if task.resume else run_folder) / "checkpoints"
    stories = read_stories([Path(path) for path in task.train], "train")
    scores = fit(stories, sizes, StoryTraining(**options), folder=folder, seed=cfg.seed, device=cfg.device)
    valid = read_stories([Path(path) for path in task.valid], "valid")
    errors = evaluate(folder / "best", valid, batch_questions=options["batch_questions"], device=cfg.device)
    write_json(run_folder / "errors.json", {str(number): error for number, error in errors.items()})
    LOG.info("%s", ", ".join(f"task {number}: {error:.1f} %" for number, error in errors.items()))
    return {
        "num_stories": len(stories), **scores, "valid_error": mean(errors),
        "failed_tasks": sum(error > FAILED_ABOVE for error in errors.values()),
    }  # fmt: skip

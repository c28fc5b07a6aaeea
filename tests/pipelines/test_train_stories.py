"""train task=babi, from files to scores; an interrupted run is gone on from."""

import json
from pathlib import Path

from pipelines.train import main
from tests.stories.stories import walks


def files(folder: Path) -> Path:
    for split, count, seed in (("train", 120, 0), ("valid", 30, 1)):
        lines = []
        for story in walks(count, seed):
            lines += [f"{place} {sentence}." for place, sentence in enumerate(story.sentences, 1)]
            lines += [f"7 {one.text}?\t{one.answer}\t1" for one in story.questions]
        (folder / f"qa1_{split}.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_from_files_to_the_error_of_each_task(tmp_path: Path) -> None:
    data = files(tmp_path)
    given = [
        "task=babi", f"task.train=[{data}]", f"task.valid=[{data}]", "task.training.steps=6", "task.reader.width=16",
        "task.training.evaluate_every=3", "task.training.batch_questions=16", "task.training.dev_fraction=0.1",
    ]  # fmt: skip
    assert main([*given, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    errors = json.loads((tmp_path / "run" / "errors.json").read_text())
    assert manifest["metrics"]["valid_error"] == errors["1"]
    assert manifest["metrics"]["steps"] == 6
    assert (tmp_path / "run" / "checkpoints" / "best" / "reader.safetensors").is_file()
    again = [*given, f"task.resume={tmp_path / 'run'}", f"hydra.run.dir={tmp_path / 'again'}"]
    assert main(again) == 0
    assert json.loads((tmp_path / "again" / "errors.json").read_text()) == errors


def test_no_files_are_refused(tmp_path: Path) -> None:
    assert main(["task=babi", f"task.train=[{tmp_path}]", f"hydra.run.dir={tmp_path / 'run'}"]) == 2

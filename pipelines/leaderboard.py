"""The finished runs of a stage under a folder, best first: what they reached, and by which settings they differ. Runs
that differ in their seed alone are one line, with the mean and the spread of what they reached.
"""

import csv
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kgqa.artifacts import read_json
from kgqa.config import flat
from kgqa.errors import InputError

from .stage import stage

_OF_NO_MATTER = ("seed", "name")
"""Keys that say which run it was, and not how it was done."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Runs with the same settings but for the seed."""

    settings: dict[str, str]
    values: dict[str, list[float]]
    """By metric, one of each run."""
    seconds: list[float]
    folders: list[str]

    def of(self, metric: str) -> str:
        """Mean and, of several runs, their spread; empty where it was not measured."""
        values = self.values.get(metric, [])
        spread = f" +- {statistics.stdev(values):.4f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.4f}{spread}" if values else ""


@stage("leaderboard", needs={}, example="kgqa leaderboard leaderboard.stage=answer leaderboard.by=hits@1")
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Read the manifests, group, sort, print."""
    asked = cfg.leaderboard
    entries = grouped(Path(asked.runs), asked.stage)
    metrics = [asked.by, *(metric for metric in asked.show if metric != asked.by)]
    kept = [entry for entry in entries if entry.values.get(asked.by)]
    if not kept:
        known = sorted({metric for entry in entries for metric in entry.values})
        what = f"none of {len(entries)} has {asked.by!r}; they have {', '.join(known)}" if entries else "none is there"
        raise InputError(f"{asked.runs}: no finished run of {asked.stage!r} to compare: {what}; see leaderboard.by=")
    kept.sort(key=lambda entry: statistics.mean(entry.values[asked.by]), reverse=not asked.lowest)
    different = differing([entry.settings for entry in kept])
    heads = [*metrics, *different, "runs", "seconds", "latest"]
    rows = [
        [*map(entry.of, metrics), *(entry.settings.get(key, "") for key in different), str(len(entry.folders)),
         f"{statistics.mean(entry.seconds):.0f}", max(entry.folders)]
        for entry in kept
    ]  # fmt: skip
    table = Table(*heads, box=SIMPLE_HEAD)
    for row in rows[: asked.most]:
        table.add_row(*row)
    Console(width=max(Console().width, 150)).print(table)
    if cfg.out:
        with Path(cfg.out).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([heads, *rows])
    return {
        "num_runs": sum(len(entry.folders) for entry in kept),
        "best": float(statistics.mean(kept[0].values[asked.by])),
    }


def grouped(folder: Path, of_stage: str) -> list[Entry]:
    """The finished runs of a stage anywhere under a folder, by their settings."""
    entries: dict[tuple[tuple[str, str], ...], Entry] = {}
    for path in sorted(folder.rglob("manifest.json")):
        manifest = read_json(path)
        if manifest.get("stage") != of_stage or manifest.get("status") != "done":
            continue
        settings = {
            key: str(value)
            for key, value in flat(OmegaConf.load(path.with_name("config.yaml"))).items()
            if key not in _OF_NO_MATTER
        }
        entry = entries.setdefault(tuple(sorted(settings.items())), Entry(settings, {}, [], []))
        entry.folders.append(str(path.parent.relative_to(folder)))
        entry.seconds.append(manifest["seconds"])
        for metric, value in manifest.get("metrics", {}).items():
            if isinstance(value, int | float):
                entry.values.setdefault(metric, []).append(float(value))
    return list(entries.values())


def differing(settings: Sequence[dict[str, str]]) -> list[str]:
    """The keys that all have, with more than one value."""
    return [
        key for key in settings[0] if None not in (values := {one.get(key) for one in settings}) and len(values) > 1
    ]


if __name__ == "__main__":
    sys.exit(main())

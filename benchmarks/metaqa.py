"""MetaQA (Zhang et al. 2018) from its files to scores on the dev questions: one model for all hops, from answers alone.

    python -m benchmarks.metaqa [key=value of any stage ...]
    python -m benchmarks.metaqa qa=self         # no question of MetaQA's is trained on, only such as the graph makes

The folder of the data set is KGQA_DATA/metaqa (default ../shared/data/metaqa). Training sees the train files only and
holds out its own development questions; the dev files are what is reported. Each stage is a process of its own, so that
its time is what a user waits, and its memory its own. With kb/metaqa already there, extract finds nothing to do.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "metaqa"
KB = Path("kb") / "metaqa"
NAME = "metaqa"


def main(arguments: Sequence[str]) -> None:
    """All stages, then two tables: what each stage took, and what the answers were worth."""
    runs = [
        stage("extract", "corpus=facts", f"corpus.path={DATA / 'kb.txt.gz'}", *arguments),
        stage("index", *arguments),
        stage("train", *([] if any(key.startswith("qa=") for key in arguments) else ["qa=metaqa"]), *arguments),
    ]
    checkpoint = f"checkpoint={runs[-1] / 'checkpoints' / 'best'}"
    for hops in (1, 2, 3):
        questions = f"questions={DATA / f'qa_dev_{hops}hop.txt.gz'}"
        runs.append(stage("answer", checkpoint, questions, "qa.format=metaqa", *arguments))
    Console().print(costs(runs), scores(runs[3:]))


def stage(name: str, *arguments: str) -> Path:
    """Run a stage in a process of its own; its run folder. A stage that fails ends the script."""
    command = [sys.executable, "-m", f"pipelines.{name}", f"kb={KB}", f"name={NAME}", *arguments]
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(code)
    return max((Path("runs") / NAME).glob(f"{name}-*"))


def costs(runs: Sequence[Path]) -> Table:
    """Seconds and memory of each stage, as their manifests have them (the interpreter's start is not in them)."""
    table = Table("stage", "seconds", "peak memory, MB", "questions/s")
    for run in runs:
        manifest = _manifest(run)
        questions = manifest["metrics"].get("questions")
        rate = f"{questions / manifest['seconds']:,.0f}" if questions else ""
        table.add_row(manifest["stage"], f"{manifest['seconds']:.0f}", f"{manifest['peak_memory_mib']:,.0f}", rate)
    return table


def scores(runs: Sequence[Path]) -> Table:
    """hits@1, set F1 and exact sets of the dev questions by hops."""
    table = Table("dev questions", "n", "hits@1", "set F1", "exact", "answered")
    for hops, run in enumerate(runs, start=1):
        found = _manifest(run)["metrics"]
        rates = (f"{100 * found[name]:.2f}" for name in ("hits@1", "f1", "exact_match", "answered"))
        table.add_row(f"{hops}-hop", f"{found['questions']:,}", *rates)
    return table


def _manifest(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])

"""bAbI: errors of trained readers of stories on the validation split, task by task, and what they lose without links.

    python -m pipelines.train task=babi hydra.run.dir=runs/babi
    python -m benchmarks.babi runs/babi [OTHER_RUN ...]

A run that was trained without links or without memory (task.reader.use_links=false, task.reader.use_memory=false) is a
column like any other. "links cut": the same reader, whose memory has lost its links when it is asked.
"""

import argparse
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa.stories.babi import Story, read_stories
from kgqa.stories.batches import StorySet
from kgqa.stories.checkpoint import load_reader
from kgqa.stories.training import mean, task_errors


def errors_of(run: Path, stories: list[Story], *, cut: bool = False) -> dict[int, float]:
    """Percent of each task; `cut`: without links, with which the reader was trained."""
    reader, lexicon, about = load_reader(run / "checkpoints" / "best")
    reader.use_links = reader.use_links and not cut
    data = StorySet(
        stories, lexicon, max_sentences=about["max_sentences"], max_words=about["sizes"]["max_words"]
    )  # fmt: skip
    start = time.process_time()
    errors = task_errors(reader, data, 256)
    rate = data.num_questions / (time.process_time() - start)
    print(f"{run}: best after {about['step']} steps; {rate:,.0f} questions a CPU second")
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs of pipelines.train task=babi")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/babi/babi_en10k_train_valid.tar.gz"))
    args = parser.parse_args()
    stories = read_stories([args.data], "valid")
    columns = {run.name: errors_of(run, stories) for run in args.runs}
    columns[f"{args.runs[0].name}, links cut"] = errors_of(args.runs[0], stories, cut=True)
    table = Table("task", *columns, title="wrong answers, %")
    for task in next(iter(columns.values())):
        table.add_row(str(task), *(f"{errors[task]:.1f}" for errors in columns.values()))
    table.add_row("mean", *(f"{mean(errors):.1f}" for errors in columns.values()))
    table.add_row("tasks above 5 %", *(str(sum(e > 5 for e in errors.values())) for errors in columns.values()))
    Console().print(table)


if __name__ == "__main__":
    main()

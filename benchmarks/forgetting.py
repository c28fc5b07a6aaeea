"""How far back is a fact remembered? Stories of lines that say what lies where, and the question for one of them.

    python -m benchmarks.forgetting

A story has lines like "the red box holds the coin", each of another of 256 places; training stories have 2 to 32 lines.
Asked is for the line that stands a given number of lines before the question, also farther back than ever trained.
Columns are readers of stories (kgqa.stories) with the short-term memory, with it but for its links, and with the
controller's recurrent state alone, trained for the same number of steps.
"""

import argparse
import tempfile
import time
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from kgqa.stories.babi import Asked, Story
from kgqa.stories.training import StoryTraining, evaluate, fit

COLOURS = "red blue green white black grey brown pink golden silver old new small large round flat"
PLACES = "box bag drawer basket jar chest shelf cup tin case sack bowl crate pot tray trunk"
THINGS = "coin key ring book pen shoe hat clock lamp doll knife spoon apple stone card ball"
DISTANCES = (1, 4, 16, 32, 64, 120)
READERS = {
    "memory": {}, "memory without links": {"use_links": False}, "recurrent state alone": {"use_memory": False},
}  # fmt: skip


def story(draw: Random, num_lines: int, distance: int | None) -> Story:
    """With one question for the line `distance` lines back; with None questions for four lines."""
    places = draw.sample([f"{colour} {place}" for colour in COLOURS.split() for place in PLACES.split()], num_lines)
    lines = [(place, draw.choice(THINGS.split())) for place in places]
    asked = draw.sample(lines, min(4, num_lines)) if distance is None else [lines[-distance]]
    return Story(
        distance or 0,
        tuple(f"The {place} holds the {thing}." for place, thing in lines),
        tuple(Asked(f"What does the {place} hold?", thing, num_lines) for place, thing in asked),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stories", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw = Random(args.seed)
    train = [story(draw, draw.randint(2, 32), None) for _ in range(args.stories)]
    tests = [story(draw, max(distance, 32), distance) for distance in DISTANCES for _ in range(300)]
    options = StoryTraining(
        steps=args.steps, batch_questions=128, learning_rate=3e-3, weight_decay=1e-3, warmup_steps=50, max_norm=5.0,
        dev_fraction=0.02, evaluate_every=100, patience=100, max_sentences=max(DISTANCES),
    )  # fmt: skip
    sizes = {
        "width": 64, "max_words": 8, "num_layers": 1, "num_heads": 4, "num_reads": 1, "num_hops": 1, "max_age": 8,
        "use_links": True, "use_memory": True, "dropout": 0.0,
    }  # fmt: skip
    table = Table("reader", *(f"{distance} back" for distance in DISTANCES), "CPU s", title="right answers, %")
    for name, changes in READERS.items():
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            fit(train, sizes | changes, options, folder=Path(folder) / "checkpoints", seed=args.seed)
            seconds = time.process_time() - start
            errors = evaluate(Path(folder) / "checkpoints" / "best", tests, batch_questions=128)
        table.add_row(name, *(f"{100 - errors[distance]:.0f}" for distance in DISTANCES), f"{seconds:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()

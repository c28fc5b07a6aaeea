"""How far the confidence of "what is X to Y?" holds, on CLUTRR's gold graphs.

    python -m benchmarks.related [--data ARCHIVE]

All stories are one graph: of the training stories with what is asked of them, of the test stories without. For each
test story the graph is asked what the second person is to the first, as `kgqa answer` asks it: by rules learned from
the whole graph, along the shortest paths between the two. Reported is, by confidence, how many of the derived relations
are right.
"""

import argparse
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.clutrr import ARCHIVE, STEPS, stories, with_asked
from kgqa.answer.selective import calibration_error, reliability
from kgqa.graph.subgraph import triple_table
from kgqa.reason.relatedness import Relatedness

BOUNDS = (0.0, 0.5, 0.7, 0.9, 0.99, 1.01)


def main() -> None:
    """Ask, then print a line for each range of confidence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ARCHIVE)
    with tarfile.open(parser.parse_args().data) as archive:
        train = stories(archive, "1.2,1.3_train.csv")
        test = [story for steps in STEPS for story in stories(archive, f"1.{steps}_test.csv")]
    told = [
        (f"test{number}/{head}", relation, f"test{number}/{tail}")
        for number, story in enumerate(test)
        for head, relation, tail in story.facts
    ]
    table = triple_table([*with_asked(train), *told], {})
    graph, at = Relatedness(table), {name: number for number, name in enumerate(table.entities)}
    found = [
        (sure, table.relation_terms[relation] == story.relation)
        for number, story in enumerate(test)
        for relation, inverse, sure in graph.between(*(at[f"test{number}/{one}"] for one in story.asked)).relations
        if not inverse
    ]
    sure, right = np.array([sure for sure, _ in found]), np.array([is_right for _, is_right in found])
    shown = Table("confidence", "n", "mean", "right")
    for low, high in pairwise(BOUNDS):
        inside = (sure >= low) & (sure < high)
        means = (f"{values[inside].mean():.3f}" if inside.any() else "-" for values in (sure, right))
        shown.add_row(f"{low:.2f} to {min(high, 1):.2f}", str(inside.sum()), *means)
    shown.add_row("all", f"{len(found)} of {len(test)}", f"{sure.mean():.3f}", f"{right.mean():.3f}")
    Console().print(shown)
    print(f"expected calibration error {calibration_error(reliability(sure, right)):.3f}")


if __name__ == "__main__":
    main()

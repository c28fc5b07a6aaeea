"""CLUTRR: what two people of a story are to each other, by rules learned from stories of two and three steps.

    python -m benchmarks.clutrr [ARCHIVE]

The gold graph of each story is given, not its text. Rules are learned from the graphs of the training stories with the
asked relation as one more fact, in one graph of them all; then each test story's relations are composed. Reported is
the share of right relations by the number of steps. Nothing is drawn: every fact is learned from.
"""

import ast
import csv
import io
import os
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa.graph.subgraph import triple_table
from kgqa.reason.composition import compose, composition_table
from kgqa.reason.rules import learn_rules
from kgqa.reason.surroundings import Surroundings

ARCHIVE = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "clutrr" / "clutrr_089907f8.tar.gz"
STEPS = range(2, 11)


class Story(NamedTuple):
    """People as numbers, what joins them, and what is asked."""

    facts: list[tuple[int, str, int]]
    asked: tuple[int, int]
    relation: str


def stories(archive: tarfile.TarFile, name: str) -> Iterator[Story]:
    """The stories of one file of the archive."""
    (member,) = [member for member in archive.getmembers() if member.name.endswith(name)]
    file = archive.extractfile(member)
    assert file is not None
    for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")):
        ends, relations = ast.literal_eval(row["story_edges"]), ast.literal_eval(row["edge_types"])
        facts = [(head, relation, tail) for (head, tail), relation in zip(ends, relations, strict=True)]
        yield Story(facts, ast.literal_eval(row["query_edge"]), row["target"])


def main(path: Path = ARCHIVE) -> None:
    """Learn, compose, print."""
    table = Table("rules", "learned in, s", *map(str, STEPS), "mean of 4 to 10")
    with tarfile.open(path) as archive:
        train = list(stories(archive, "1.2,1.3_train.csv"))
        tests = {steps: list(stories(archive, f"1.{steps}_test.csv")) for steps in STEPS}
    facts = [
        (f"{number}/{head}", relation, f"{number}/{tail}")
        for number, story in enumerate(train)
        for head, relation, tail in [*story.facts, (story.asked[0], story.relation, story.asked[1])]
    ]
    graph = triple_table(facts, {})
    number_of = {relation: number for number, relation in enumerate(graph.relation_terms)}
    started = time.perf_counter()
    rules = learn_rules(Surroundings(graph), max_length=2, least=0.001, num_facts=len(facts), num_heads=len(facts))
    seconds = time.perf_counter() - started
    shares = composition_table(rules, len(number_of))
    right = {
        steps: np.mean([answer(story, shares, number_of) == number_of[story.relation] for story in asked])
        for steps, asked in tests.items()
    }
    longer = np.mean([right[steps] for steps in STEPS if steps >= 4])
    table.add_row(str(len(rules)), f"{seconds:.1f}", *(f"{value:.3f}" for value in (*right.values(), longer)))
    Console(width=140).print(table)


def answer(story: Story, shares: np.ndarray, number_of: dict[str, int]) -> int:
    """The likeliest relation of the two who are asked about."""
    facts = [(head, number_of[relation], tail) for head, relation, tail in story.facts]
    num_people = 1 + max(max(head, tail) for head, _, tail in facts)
    return int(compose(facts, shares, num_people)[story.asked][: len(number_of)].argmax())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

"""PathQuestion (Zhou et al. 2018) with splits that do not leak: whole (topic, path) pairs are held out.

    python -m benchmarks.pathquestion [2H|3H] [key=value of train ...] [--seeds 5]

The data set has no split, and many of its questions are paraphrases of one another; the usual random splits have one
in training and its twin in testing. Here a fifth of the pairs is asked, and no paraphrase of theirs is trained on.
Training is from answers alone; the gold paths serve to draw the splits.
"""

import argparse
import gzip
import os
import random
import statistics
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.learning import set_scores, trained
from kgqa.answer.linking import EntityLinker
from kgqa.answer.questions import read_questions
from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.types import Question

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "pathquestion"


def main() -> None:
    """Split, train and ask, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=["2H", "3H"])
    parser.add_argument("overrides", nargs="*", help="key=value of train")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    graph, questions = read_graph(options.set), read_pairs(options.set)
    linker = EntityLinker.from_aliases(
        zip(graph.entity_texts, graph.entities, strict=True), relation_texts=graph.relation_texts
    )
    table, rows = Table("seed", "trained on", "asked", "hits@1", "set F1", "exact", "seconds"), []
    for seed in range(options.seeds):
        train, asked = split(questions, seed)
        started = time.perf_counter()
        predictor = trained(graph, linker, train, seed=seed, overrides=options.overrides)
        seconds = time.perf_counter() - started
        rows.append(set_scores(predictor, linker, asked))
        table.add_row(str(seed), str(len(train)), str(len(asked)), *(f"{v:.1f}" for v in rows[-1]), f"{seconds:.0f}")
        print(seed, rows[-1], flush=True)
    means = [f"{statistics.mean(c):.1f} +- {statistics.pstdev(c):.1f}" for c in zip(*rows, strict=True)]
    table.add_row("mean", "", "", *means, "")
    Console().print(table)


def read_graph(name: str) -> TripleTable:
    """The set's own graph; names have underscores for spaces, and stay as they are in questions."""
    with gzip.open(DATA / f"{name}-kb.txt.gz", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    facts = [(head, relation, tail) for head, relation, tail in rows]
    labels = {term: term for head, _, tail in facts for term in (head, tail)}
    return triple_table(facts, labels | {relation: relation.replace("_", " ") for _, relation, _ in facts})


def read_pairs(name: str) -> list[tuple[Question, str]]:
    """The questions, each with its topic and path as one text."""
    file = DATA / f"PQ-{name}.txt.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        paths = [line.rstrip("\n").split("\t")[2].split("#<end>#")[0].split("#") for line in lines]
    pairs = [" ".join([path[0], *path[1::2]]) for path in paths]
    return list(zip(read_questions(file, format="pathquestion"), pairs, strict=True))


def split(questions: list[tuple[Question, str]], seed: int) -> tuple[list[Question], list[Question]]:
    """Four fifths of the pairs to train on, and a fifth to ask."""
    pairs = sorted({pair for _, pair in questions})
    held = set(random.Random(seed).sample(pairs, len(pairs) // 5))
    return [one for one, pair in questions if pair not in held], [one for one, pair in questions if pair in held]


if __name__ == "__main__":
    main()

"""A reasoner over a graph on which nothing was trained: MetaQA's dev questions, asked of the one that ships.

    python -m benchmarks.zero_shot KB [CHECKPOINT ...] [--limit 1000]

`KB` is a knowledge base of MetaQA's facts, other checkpoints can be asked too; KGQA_DATA/metaqa has the questions, of
which the first `--limit` of each number of hops are asked (0: all). Topics are linked by name, no bracket is looked at.
"""

import argparse
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.learning import set_scores
from kgqa import KnowledgeBase
from kgqa.answer.linking import open_linker
from kgqa.answer.questions import read_questions
from kgqa.reason.checkpoint import PRETRAINED
from kgqa.reason.predict import Predictor

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "metaqa"


def main() -> None:
    """One row a checkpoint and number of hops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kb", type=Path)
    parser.add_argument("checkpoints", nargs="*", type=Path, default=[Path(PRETRAINED)])
    parser.add_argument("--limit", type=int, default=0, help="questions of each number of hops; 0: all")
    options = parser.parse_args()
    table = Table("checkpoint", "hops", "questions", "hits@1", "set F1", "exact set")
    with KnowledgeBase.open(options.kb) as kb:
        linker = open_linker(kb)
        for checkpoint in options.checkpoints:
            predictor = Predictor.load(checkpoint, kb)
            for hops in (1, 2, 3):
                file = read_questions(DATA / f"qa_dev_{hops}hop.txt.gz", format="metaqa")
                asked = [replace(one, topics=()) for one in islice(file, options.limit or None)]
                scores = set_scores(predictor, linker, asked)
                table.add_row(str(checkpoint), str(hops), f"{len(asked):,}", *(f"{value:.1f}" for value in scores))
    Console().print(table)


if __name__ == "__main__":
    main()

"""A reasoner over a graph on which nothing was trained: MetaQA's dev questions, asked of the one that ships.

    python -m benchmarks.zero_shot KB [CHECKPOINT ...] [--limit 1000] [--above 0.46]

`KB` is a knowledge base of MetaQA's facts, other checkpoints can be asked too; KGQA_DATA/metaqa has the questions, of
which the first `--limit` of each number of hops are asked (0: all). Topics are linked by name, no bracket is looked at.
The last two columns are of what is answered with more confidence than `--above`.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.learning import set_scores
from kgqa import KnowledgeBase
from kgqa.answer.linking import EntityLinker, open_linker
from kgqa.answer.questions import read_questions
from kgqa.reason.checkpoint import PRETRAINED
from kgqa.reason.predict import Predictor
from kgqa.types import Question

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "metaqa"


def main() -> None:
    """One row a checkpoint and number of hops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kb", type=Path)
    parser.add_argument("checkpoints", nargs="*", type=Path, default=[Path(PRETRAINED)])
    parser.add_argument("--limit", type=int, default=0, help="questions of each number of hops; 0: all")
    parser.add_argument("--above", type=float, default=0.0, help="confidence above which an answer is given")
    options = parser.parse_args()
    heads = ("hits@1", "set F1", "exact set", f"answered above {options.above}", "right of these")
    table = Table("checkpoint", "hops", "questions", *heads)
    with KnowledgeBase.open(options.kb) as kb:
        linker = open_linker(kb)
        for checkpoint in options.checkpoints:
            predictor = Predictor.load(checkpoint, kb)
            for hops in (1, 2, 3):
                file = read_questions(DATA / f"qa_dev_{hops}hop.txt.gz", format="metaqa")
                asked = [replace(one, topics=()) for one in islice(file, options.limit or None)]
                scores = [*set_scores(predictor, linker, asked), *given(predictor, linker, asked, options.above)]
                table.add_row(str(checkpoint), str(hops), f"{len(asked):,}", *(f"{value:.1f}" for value in scores))
    Console().print(table)


def given(
    predictor: Predictor, linker: EntityLinker, questions: Sequence[Question], above: float
) -> tuple[float, float]:
    """Percent of the questions that are answered with more confidence, and of these whose first answer is right."""
    right = []
    for one, found in zip(questions, predictor.predict(linker.link(questions)), strict=True):
        if found.entity_index and found.confidence > above:
            gold = {index for name in one.answers or () for index in predictor.vocabulary.entities(name)}
            right.append(found.entity_index[0] in gold)
    return 100 * len(right) / len(questions), 100 * sum(right) / max(len(right), 1)


if __name__ == "__main__":
    main()

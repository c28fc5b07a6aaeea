"""A file of questions to a file of answers: for each the answer set, its evidence sentence by sentence, and a SPARQL
query that gives exactly that set; or an abstention that says why. Where the file gives gold answers, a table of scores.

out=NAME.jsonl, .csv, .tsv or .parquet (.gz after the first three) says how answers are written. A run that was killed
goes on where it stopped when it is started again with the same out=. engine.processes=N answers in N processes.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kgqa.answer.batch import Summary, answer_batch
from kgqa.answer.lines import Skips
from kgqa.answer.linking import tell_of_vectors
from kgqa.answer.questions import count_questions, read_questions
from kgqa.cli import printable
from kgqa.knowledge_base import KnowledgeBase
from kgqa.runs import append_metrics

from .asking import answering, answers_depend_on
from .parts import engine_of, server_of
from .stage import stage

COLUMNS = {
    "hits@1": "hits@1", "hits@10": "@10", "mrr": "MRR", "f1": "set F1", "exact_match": "exact",
    "answered": "answered", "abstained": "abstained",
}  # fmt: skip
"""Rates and their headings; the last is of unanswerable questions, the others of answerable ones."""


@stage(
    "answer",
    needs={
        "kb": "the folder of the knowledge base",
        "questions": "a file of questions: JSONL, CSV, TSV, Parquet, plain lines, MetaQA, PathQuestion; .gz too",
    },
    example="kgqa answer kb=kb/mine checkpoint=runs/default/train-X/checkpoints/best questions=q.txt out=answers.jsonl",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Answer, write, score."""
    out = Path(cfg.out) if cfg.out else run_folder / "answers.jsonl"
    path, skips = Path(cfg.questions), Skips(run_folder / "skipped.jsonl")
    plain = OmegaConf.to_container(cfg, resolve=True)
    with KnowledgeBase.open(cfg.kb, generation=cfg.generation, server=server_of(cfg)) as kb:
        tell_of_vectors(kb)
        summary = answer_batch(
            engine_of(cfg),
            partial(answering, plain, kb.generation),
            read_questions(path, format=cfg.qa.format, strict=cfg.strict, skips=skips),
            out,
            batch_size=cfg.answer.batch_size,
            scores=run_folder / "scores.jsonl",
            depends_on=answers_depend_on(cfg, kb),
            sessions=cfg.answer.session,
            total=count_questions(path, cfg.qa.format) if path.is_file() else None,
        )
        generation = kb.generation
    for kind in summary.kinds():
        append_metrics(run_folder, {"kind": kind, **summary.scores[kind].report()})
    if summary.scores:
        Console().print(scores_table(summary))
    return {"generation": generation, "out": str(out), **summary.metrics(), **skips.metrics()}


def scores_table(summary: Summary) -> Table:
    """The scores by kind, for people; a dash where a rate has no denominator."""
    table = Table("kind", "n", *COLUMNS.values(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for kind in summary.kinds():
        rates = summary.scores[kind].report()
        cells = [f"{rates[name]:.3f}" if name in rates else "-" for name in COLUMNS]
        table.add_row(Text(printable(kind)), f"{rates['questions']:.0f}", *cells)
    return table


if __name__ == "__main__":
    sys.exit(main())

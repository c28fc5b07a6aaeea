"""A file of questions to a file of answers: for each the answer set, its evidence sentence by sentence, and a SPARQL
query that gives exactly that set; or an abstention that says why. Where the file gives gold answers, a table of scores.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kgqa.answer.answerer import Answerer
from kgqa.answer.batch import Summary, answer_batch
from kgqa.answer.questions import read_questions
from kgqa.knowledge_base import KnowledgeBase
from kgqa.runs import append_metrics

from .parts import linker_of
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
        "checkpoint": "the folder that train wrote the reasoner to",
        "questions": "a file of questions: JSONL, plain lines, MetaQA's or PathQuestion's format, .gz too",
    },
    example="kgqa answer kb=kb/mine checkpoint=runs/default/train-X/checkpoints/best questions=q.txt out=answers.jsonl",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Answer, write, score."""
    out = Path(cfg.out) if cfg.out else run_folder / "answers.jsonl"
    questions = read_questions(Path(cfg.questions), format=cfg.qa.format, strict=cfg.strict)
    with KnowledgeBase.open(cfg.kb, generation=cfg.generation) as kb:
        answerer = Answerer.open(
            kb,
            cfg.checkpoint,
            batch_size=cfg.answer.batch_size,
            max_paths=cfg.answer.max_paths,
            encoder=None if cfg.encoder.kind == "auto" else cfg.encoder.kind,
            linker=linker_of(cfg, kb),
            target_precision=cfg.answer.target_precision,
            ambiguous_from=cfg.answer.ambiguous_from,
        )
        summary = answer_batch(answerer, questions, out, run_folder / "scores.jsonl")
        generation = kb.generation
    for kind in summary.kinds():
        append_metrics(run_folder, {"kind": kind, **summary.scores[kind].report()})
    if summary.scores:
        Console().print(scores_table(summary))
    return {"generation": generation, "out": str(out), **summary.metrics()}


def scores_table(summary: Summary) -> Table:
    """The scores by kind, for people; a dash where a rate has no denominator."""
    table = Table("kind", "n", *COLUMNS.values(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for kind in summary.kinds():
        rates = summary.scores[kind].report()
        cells = [f"{rates[name]:.3f}" if name in rates else "-" for name in COLUMNS]
        table.add_row(kind, f"{rates['questions']:.0f}", *cells)
    return table


if __name__ == "__main__":
    sys.exit(main())

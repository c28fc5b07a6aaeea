"""A finished answer run as one HTML page that can be opened and sent as it is: scores with their intervals, how far
its probabilities hold, and every question with its answers and evidence; beside another run over the same questions if
one is given, with a paired test of the difference.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from kgqa.answer.report.page import write_report
from kgqa.answer.report.question import asked
from kgqa.answer.report.run import Record, Run
from kgqa.knowledge_base import KnowledgeBase
from kgqa.reason.predict import Predictor
from kgqa.reason.trace import Trace, trace

from .parts import options_of, reader_of, retriever_of
from .stage import stage


@stage(
    "report",
    needs={"run": "the folder of an answer run, runs/<name>/answer-<time>"},
    example="kgqa report run=runs/default/answer-X\nkgqa report run=runs/new/answer-X compare=runs/old/answer-Y",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Read, draw, write."""
    run = Run.read(Path(cfg.run))
    other = Run.read(Path(cfg.compare)) if cfg.compare else None
    out = Path(cfg.out) if cfg.out else run.folder / "report.html"
    size = write_report(
        run,
        out,
        other=other,
        most=cfg.report.questions,
        listed=cfg.report.listed,
        most_bytes=cfg.report.max_bytes,
        tracer=partial(_traces, run) if cfg.report.trace else None,
    )
    return {"out": str(out), "num_questions": len(run.scored), "bytes": size}


def _traces(run: Run, records: Sequence[Record]) -> Iterator[list[Trace]]:
    """What the run's reasoner does at questions, over the generation that it answered from."""
    cfg = OmegaConf.load(run.folder / "config.yaml")
    with KnowledgeBase.open(cfg.kb, generation=run.manifest["metrics"]["generation"]) as kb:
        predictor = Predictor.load(
            Path(cfg.checkpoint), kb, embedder=reader_of(cfg, kb), passages=retriever_of(cfg, kb, None).passage_ids,
            device=cfg.memory.device, options=options_of(cfg),
        )  # fmt: skip
        yield from trace(predictor, [asked(record) for record in records])


if __name__ == "__main__":
    sys.exit(main())

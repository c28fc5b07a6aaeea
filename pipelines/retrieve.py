"""A file of questions to the passages and facts that lie nearest to them: by their words, by their vectors where there
are any, and by a walk from their topics over the graph, fused. No reasoner is needed; nothing is answered.
"""

import json
import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.answer.lines import Skips
from kgqa.answer.questions import read_questions
from kgqa.answer.records import retrieved_record
from kgqa.artifacts import write_lines
from kgqa.knowledge_base import KnowledgeBase

from .parts import reader_of, retriever_of, server_of
from .stage import stage


@stage(
    "retrieve",
    needs={
        "kb": "the folder of the knowledge base",
        "questions": "a file of questions: JSONL, CSV, TSV, Parquet, plain lines, MetaQA, PathQuestion; .gz too",
    },
    example="kgqa retrieve kb=kb/mine questions=questions.txt out=retrieved.jsonl",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One line a question."""
    out, skips = Path(cfg.out) if cfg.out else run_folder / "retrieved.jsonl", Skips(run_folder / "skipped.jsonl")
    questions = read_questions(Path(cfg.questions), format=cfg.qa.format, strict=cfg.strict, skips=skips)
    with KnowledgeBase.open(cfg.kb, generation=cfg.generation, server=server_of(cfg)) as kb:
        retriever = retriever_of(cfg, kb, reader_of(cfg, kb))
        found = retriever.retrieve(
            questions,
            num_passages=cfg.retrieve.passages,
            num_facts=cfg.retrieve.facts,
            batch_size=cfg.retrieve.batch_size,
        )
        records = (retrieved_record(*one, retriever.text_of) for one in found)
        num = write_lines(out, (json.dumps(record, ensure_ascii=False) for record in records))
        return {"generation": kb.generation, "out": str(out), "num_questions": num, **skips.metrics()}


if __name__ == "__main__":
    sys.exit(main())

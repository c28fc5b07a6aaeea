"""Train our own sentence encoder on the names, facts and, with qa=, the questions of a knowledge base. The folder `out`
is then an embedder: kgqa index embedder=transformer embedder.model=DIR. The same command goes on after an interruption.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from kgqa.answer.lessons import lessons_of
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.contrastive import ContrastiveOptions, fit

from .parts import questions_of, server_of
from .stage import stage


@stage(
    "train_embedder",
    needs={"kb": "the folder of the knowledge base", "out": "the folder to write the encoder to"},
    example="kgqa train_embedder kb=kb/mine qa=files qa.train=train.jsonl out=embedders/mine",
    config_name="train_embedder",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Gather the lessons, train, and say what was gained over hashing."""
    with KnowledgeBase.open(cfg.kb, server=server_of(cfg)) as kb:
        lessons = lessons_of(kb, questions_of(cfg, cfg.qa.train) if cfg.get("qa") else ())
        generation = kb.generation
    counts = {
        "num_entities": len(lessons.entities), "num_aliases": len(lessons.aliases), "num_facts": len(lessons.facts),
        "num_questions": len(lessons.questions),
    }  # fmt: skip
    sizes, options = (OmegaConf.to_container(cfg[group], resolve=True) for group in ("sizes", "training"))
    scores = fit(
        lessons, sizes, ContrastiveOptions(**options), folder=Path(cfg.out), seed=cfg.seed, device=cfg.device,
        about={"generation": generation, "seed": cfg.seed, **counts},
    )  # fmt: skip
    return {**counts, **scores}


if __name__ == "__main__":
    sys.exit(main())

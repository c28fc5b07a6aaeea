"""A knowledge base, or an older generation of it, into one file: N-Quads or JSON-LD hold all of it and come back with
corpus=export, Turtle holds facts, names and provenance, GraphML facts and names for other programs.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.export import export
from kgqa.knowledge_base import KnowledgeBase

from .stage import stage


@stage(
    "export",
    needs={
        "kb": "the folder of the knowledge base",
        "out": "the file to write: .nq, .jsonld, .ttl or .graphml, each also .gz",
    },
    example="kgqa export kb=kb/mine out=mine.nq.gz",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Open, write, count."""
    out = Path(cfg.out)
    with KnowledgeBase.open(cfg.kb, generation=cfg.generation) as kb:
        export(kb, out)
        return {"generation": kb.generation, "out": str(out), **kb.counts(), "num_bytes": out.stat().st_size}


if __name__ == "__main__":
    sys.exit(main())

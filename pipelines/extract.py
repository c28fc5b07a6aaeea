"""Documents or known facts into a knowledge base: its graph and ledger, in one generation. Index adds vectors.

The knowledge base is made when it is not there; otherwise it becomes what the corpus says now, like with expand.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.expand.apply import expand

from .parts import corpus_of, reported, settings_of
from .stage import stage


@stage(
    "extract",
    needs={"corpus.path": "a folder of documents, or a file", "kb": "the folder of the knowledge base"},
    example="kgqa extract corpus=text corpus.path=documents kb=kb/mine",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One delta, without vectors."""
    settings = settings_of(cfg, extract=True, index=False)
    outcome = expand(
        Path(cfg.kb),
        corpus_of(cfg),
        settings,
        allow_empty=cfg.corpus.allow_empty,
        remove=cfg.corpus.remove,
        stage="extract",
    )
    return reported(cfg, outcome, run_folder)


if __name__ == "__main__":
    sys.exit(main())

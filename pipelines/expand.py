"""What is new, changed or gone in a corpus, into the graph and the vectors of a knowledge base, in one generation."""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.expand.apply import expand

from .parts import corpus_of, reported, settings_of
from .stage import stage


@stage(
    "expand",
    needs={"corpus.path": "a folder of documents, or a file", "kb": "the folder of the knowledge base"},
    example="kgqa expand corpus.path=documents kb=kb/mine",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One delta, vectors included; with dry_run only its plan."""
    settings = settings_of(cfg, extract=True, index=not cfg.dry_run)
    outcome = expand(
        Path(cfg.kb),
        corpus_of(cfg),
        settings,
        allow_empty=cfg.corpus.allow_empty,
        remove=cfg.corpus.remove,
        dry_run=cfg.dry_run,
    )
    return reported(cfg, outcome, run_folder)


if __name__ == "__main__":
    sys.exit(main())

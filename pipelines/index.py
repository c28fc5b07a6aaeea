"""The vectors of a knowledge base brought in step with its graph: entities, relations, facts and passages.

What has a vector keeps it. embedder=auto goes on with the embedder that made the vectors; when another one is named all
of them are made anew.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.expand.apply import index

from .parts import settings_of
from .stage import stage


@stage("index", needs={"kb": "the folder of the knowledge base"}, example="kgqa index kb=kb/mine")
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One generation with the same graph."""
    outcome = index(Path(cfg.kb), settings_of(cfg, extract=False, index=True))
    return {"generation": outcome.generation or "unchanged", **outcome.counts}


if __name__ == "__main__":
    sys.exit(main())

"""A SPARQL server brought in step with a knowledge base: by what changed since, or whole when it has nothing yet.

For a server that is new, or that was away when extract or expand committed.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.errors import ConfigError
from kgqa.lock import writer_lock

from .parts import mirror_of
from .stage import stage


@stage(
    "mirror",
    needs={
        "kb": "the folder of the knowledge base",
        "graph.url": "a server's query endpoint, with graph=sparql",
    },
    example="kgqa mirror kb=kb/mine graph=sparql graph.url=http://localhost:3030/kb graph.read_only=false",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One server moved to the committed generation."""
    mirror = mirror_of(cfg)
    if mirror is None:
        raise ConfigError("graph=oxigraph is the knowledge base's own store; name a server: graph=sparql graph.url=URL")
    with mirror.server, writer_lock(mirror.kb):
        return mirror.follow()


if __name__ == "__main__":
    sys.exit(main())

"""Back to an older generation of a knowledge base, by a new one with the same content. What came since stays in the
history while it is kept; the next expansion from the same corpus brings it back.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.expand.rollback import rollback

from .stage import stage


@stage(
    "rollback",
    needs={"kb": "the folder of the knowledge base", "to": "a generation that is kept; kgqa log lists them"},
    example="kgqa rollback kb=kb/mine to=gen-000003",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One generation, at the cost of the difference."""
    return {"generation": rollback(Path(cfg.kb), cfg.to, keep=cfg.keep_generations), "content of": cfg.to}


if __name__ == "__main__":
    sys.exit(main())

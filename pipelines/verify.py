"""Whether a knowledge base is whole: every byte against its hash, the graph and the vectors against the ledger. With
repair=true the graph and the damaged vectors are made anew from the ledger, as a new generation.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.errors import StoreError
from kgqa.expand.repair import repair
from kgqa.expand.verify import verify

from .parts import settings_of
from .stage import stage


@stage("verify", needs={"kb": "the folder of the knowledge base"}, example="kgqa verify kb=kb/mine")
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Exit code 2 with every problem named, or 0."""
    kb = Path(cfg.kb)
    problems = verify(kb, generation=cfg.generation)
    if not problems:
        return {"generation": cfg.generation or "current", "num_problems": 0}
    found = "\n  ".join(map(str, problems))
    if not cfg.repair:
        raise StoreError(f"{len(problems)} problems in {kb}:\n  {found}")
    name = repair(kb, settings_of(cfg, extract=False, index=True))
    left = verify(kb)
    if left:
        raise StoreError(f"{kb} was repaired as {name}, but:\n  " + "\n  ".join(map(str, left)))
    return {"generation": name, "num_problems": 0, "num_repaired": len(problems)}


if __name__ == "__main__":
    sys.exit(main())

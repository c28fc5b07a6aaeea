"""Everything that a knowledge base holds, rewritten without what is dead: one segment of vectors a kind, packed graph
files and ledger, batches without removed documents. keep_generations=1 keeps no older state, so that what was removed
is on the disk no more.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.expand.compact import compact

from .parts import options_of
from .stage import stage


@stage("compact", needs={"kb": "the folder of the knowledge base"}, example="kgqa compact kb=kb/mine")
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One generation with the same content; bytes before and after, by part."""
    done = compact(Path(cfg.kb), options=options_of(cfg), keep=cfg.keep_generations)
    parts = {f"bytes of {part}": f"{size:,} -> {done.after[part]:,}" for part, size in done.before.items()}
    return {"generation": done.generation, "bytes_reclaimed": done.reclaimed, **parts}


if __name__ == "__main__":
    sys.exit(main())

"""The generations of a knowledge base that are kept, oldest first: when each was written, by which command and code,
and what it holds. `kgqa answer ... generation=NAME` answers at one of them, `kgqa rollback` goes back to it.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kgqa.errors import StoreError
from kgqa.generations import Generation, current_generation, generation_names, read_generation

from .stage import stage

COUNTS = {"num_documents": "documents", "num_facts": "facts", "num_entities": "entities", "num_passages": "passages"}


@stage("log", needs={"kb": "the folder of the knowledge base"}, example="kgqa log kb=kb/mine")
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One line a generation."""
    kb = Path(cfg.kb)
    current = current_generation(kb)
    if current is None:
        raise StoreError(f"no knowledge base at {kb}; build one: kgqa extract corpus.path=DIR kb={kb}")
    table = Table("generation", "written (UTC)", "by", *COUNTS.values(), "vectors", "code", "config", box=SIMPLE_HEAD)
    before: dict[str, int] = {}
    for name in generation_names(kb):
        try:
            state = read_generation(kb, name)
        except StoreError as error:
            table.add_row(name, f"[red]{error}[/red]")
            continue
        mark = " *" if name == current else ""
        table.add_row(name + mark, *_cells(state, before))
        before = dict(state.counts)
    Console(width=max(Console().width, 150)).print(table)
    return {"generation": current, "num_generations": len(generation_names(kb))}


def _cells(state: Generation, before: dict[str, int]) -> list[str]:
    """What a generation's line says after its name; a total with what it grew by."""
    counts = [
        f"{state.counts.get(name, 0):,} ({state.counts.get(name, 0) - before.get(name, 0):+,})" for name in COUNTS
    ]
    vectors = "in step" if state.indexed else "behind"
    code, config = str(state.manifest.get("code", "")), str(state.manifest.get("config", ""))
    return [state.created[:19].replace("T", " "), state.stage, *counts, vectors, code, config[:12]]


if __name__ == "__main__":
    sys.exit(main())

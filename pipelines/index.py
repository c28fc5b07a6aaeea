"""The vectors of a knowledge base brought in step with its graph: entities, relations, facts and passages.

What has a vector keeps it. embedder=auto goes on with the embedder that made the vectors; when another one is named all
of them are made anew. Then each kind is measured, and new entities that are hardly told from another are listed in
near_duplicates.jsonl in the run's folder, for review; where nothing is new, all entities are looked at.
"""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kgqa.expand.apply import index
from kgqa.expand.duplicates import near_duplicates, write_pairs
from kgqa.knowledge_base import KINDS, KnowledgeBase
from kgqa.memory.measure import Measured, measure
from kgqa.runs import append_metrics

from .parts import options_of, settings_of
from .stage import stage


@stage("index", needs={"kb": "the folder of the knowledge base"}, example="kgqa index kb=kb/mine")
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One generation with the same graph; then its vectors are looked at."""
    settings = settings_of(cfg, extract=False, index=True)
    with KnowledgeBase.open(cfg.kb) as kb:
        known = kb.memory("entity").ids() if settings.embedder and kb.embedder_name == settings.embedder.name else []
    start = time.perf_counter()
    outcome = index(Path(cfg.kb), settings)
    seconds = time.perf_counter() - start
    with KnowledgeBase.open(cfg.kb) as kb:
        memories = {kind: kb.memory(kind, device=cfg.memory.device, options=options_of(cfg)) for kind in KINDS}
        measured = {k: measure(m, num_probes=cfg.inspect.probes, seed=cfg.seed) for k, m in memories.items()}
        ids = memories["entity"].ids()
        pairs = near_duplicates(
            memories["entity"],
            np.setdiff1d(ids, known) if outcome.generation else ids,
            similar_from=cfg.inspect.similar_from,
            most=cfg.inspect.most_pairs,
            comparisons=cfg.inspect.comparisons,
            seed=cfg.seed,
        )
    write_pairs(run_folder / "near_duplicates.jsonl", pairs)
    for kind, found in measured.items():
        append_metrics(run_folder, {"kind": kind, **asdict(found)})
    Console().print(memory_table(measured))
    rate = {"vectors_per_second": outcome.counts["num_vectors_added"] / seconds} if outcome.generation else {}
    generation = outcome.generation or "unchanged"
    return {"generation": generation, **outcome.counts, **rate, "num_near_duplicates": len(pairs)}


def memory_table(measured: dict[str, Measured]) -> Table:
    """The memories by kind, for people; a dash where nothing was searched for."""
    headings = ("vectors", "dead", "segments", "MB", "recall@10", "searches/s")
    table = Table("kind", *headings, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for kind, found in measured.items():
        counts = [f"{count:,}" for count in (found.num_vectors, found.num_dead, found.num_segments)]
        recall = "-" if found.recall is None else f"{found.recall:.3f}"
        rate = "-" if found.searches_per_second is None else f"{found.searches_per_second:,.0f}"
        table.add_row(kind, *counts, f"{found.num_bytes / 1e6:.1f}", recall, rate)
    return table


if __name__ == "__main__":
    sys.exit(main())

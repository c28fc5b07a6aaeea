"""What a question costs in a graph many times larger: predictions over MetaQA's graph alone, and inside 30 of its size.

    python -m benchmarks.graph_size KB CHECKPOINT [--copies 29] [--joined 0.0033]

The larger graph has the knowledge base's facts and copies of them about entities of other names, each copy's tails
drawn anew: as dense and as skewed as the original. One in 300 of their tails is an entity of the original, which gives
that a tenth more facts, so that all hangs together. The same dev questions (KGQA_DATA) are asked of both by one
reasoner, in batches and one by one, in turn; the CPU time of the process is compared (medians of the rounds).
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa import KnowledgeBase
from kgqa.answer.linking import open_linker
from kgqa.answer.questions import read_questions
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.predict import Predictor

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "metaqa"


def enlarged(table: TripleTable, copies: int, joined: float, seed: int = 0) -> TripleTable:
    """The graph with `copies` more of its size, a share `joined` of whose tails are the original's entities, which keep
    their numbers."""
    rng, num = np.random.default_rng(seed), len(table.entities)
    heads, relations, tails = [table.heads], [table.relations], [table.tails]
    for copy in range(1, copies + 1):
        shifted = rng.permutation(table.tails) + copy * num
        back = rng.random(len(shifted)) < joined
        heads.append(table.heads + copy * num)
        relations.append(table.relations)
        tails.append(np.where(back, shifted - copy * num, shifted))
    others = [f"{name}~{copy}" for copy in range(1, copies + 1) for name in table.entities]
    return replace(
        table, entities=[*table.entities, *others], entity_texts=[*table.entity_texts, *others],
        heads=np.concatenate(heads), relations=np.concatenate(relations), tails=np.concatenate(tails),
    )  # fmt: skip


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Ask both graphs, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kb", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--copies", type=int, default=29)
    parser.add_argument("--joined", type=float, default=1 / 300, help="share of their tails in the original")
    parser.add_argument("--questions", type=int, default=1000, help="of each number of hops")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with KnowledgeBase.open(options.kb) as kb:
        alone, linker = Predictor.load(options.checkpoint, kb), open_linker(kb)
        files = (read_questions(DATA / f"qa_dev_{hops}hop.txt.gz", format="metaqa") for hops in (1, 2, 3))
        asked = [linker.link(list(islice(file, options.questions))) for file in files]
        inside = alone.over(enlarged(kb.triples(), options.copies, options.joined))
        table = Table("dev questions", "how", f"alone, ms ({len(kb.triples().heads):,} facts)", "inside, ms", "ratio")
        for hops, questions in enumerate(asked, start=1):
            for how, some, size in (("in batches", questions, 256), ("one by one", questions[:100], 1)):
                took: dict[Predictor, list[float]] = {alone: [], inside: []}
                for _ in range(options.rounds + 1):
                    for predictor, seconds in took.items():
                        batches = [some[start : start + size] for start in range(0, len(some), size)]
                        seconds.append(cpu(lambda p=predictor, b=batches: [p.predict(one) for one in b]))  # type: ignore[misc]
                one, other = (1000 * statistics.median(t[1:]) / len(some) for t in took.values())
                table.add_row(f"{hops}-hop", how, f"{one:.2f}", f"{other:.2f}", f"{other / one:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

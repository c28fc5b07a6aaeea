"""The vectors brought in step with the graph: by what changed, or, where an earlier run left them behind, by all that
is missing, in parts that are committed one by one. Memory holds one part beside the graph, and a kill loses one part.
"""

import logging
from collections import Counter

from kgqa.expand.vectors import VectorDelta, apply_vectors, missing
from kgqa.expand.writer import Writer
from kgqa.graph.oxigraph import GraphStore
from kgqa.graph.subgraph import table_of
from kgqa.memory.embedder import Embedder
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import LongTermMemory

log = logging.getLogger(__name__)

PART = 200_000
"""Vectors that are made between two commits: 300 MB at width 384, ten minutes of MiniLM on a core."""


def catch_up(
    writer: Writer, embedder: Embedder, options: IndexOptions, *, config: str, seed: int | None
) -> dict[str, int]:
    """Makes the vectors those of the writer's graph, whatever is missing or surplus; how many came and went.

    What is committed here says that the vectors are not in step yet: a run that is killed is gone on with by the next.
    The last part is left for the caller to commit.
    """
    with GraphStore.open(writer.kb / "graph" / "snapshots" / writer.snapshot, read_only=True) as store:
        table = table_of(store)
    held = {
        kind: LongTermMemory.open(writer.kb / "memory" / kind, refs, device="cpu").ids()
        for kind, refs in writer.memory.items()
    }
    total: Counter[str] = Counter()
    for delta in missing(table, list(writer.ledger.passages()), held, size=PART):
        if total:
            writer.commit_part(config=config, seed=seed)
            log.info("%d vectors are made, and more to come", total["num_vectors_added"])
        total.update(follow(writer, delta, embedder, options))
    return dict(total)


def follow(writer: Writer, delta: VectorDelta, embedder: Embedder, options: IndexOptions) -> dict[str, int]:
    """Brings in what is new and takes out what is gone; how many came and went."""
    writer.memory = apply_vectors(
        writer.kb / "memory", writer.memory, delta, embedder, generation=writer.name, options=options
    )
    writer.embedder, writer.indexed = embedder.name, True
    return {
        "num_vectors_added": sum(map(len, delta.add.values())),
        "num_vectors_removed": sum(map(len, delta.remove.values())),
    }

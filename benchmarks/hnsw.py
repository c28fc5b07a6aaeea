"""A neighbour graph over made facts: what it finds and costs, by how it was built and how it is searched.

    python -m benchmarks.hnsw --size 100000 --links 32 --construction 200

Vectors and queries are those of `benchmarks.long_term_memory --names`: facts of real names, a query is a head with a
relation.
"""

import argparse
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.long_term_memory import BATCH, K, facts
from kgqa.memory.approximate import build_index, finder
from kgqa.memory.index import IndexOptions, flat_search, recall

SEARCHES = (64, 128, 256, 512)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def seconds_of(work) -> tuple[float, object]:
    """CPU seconds, which neighbours on the machine disturb less."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--links", type=int, default=IndexOptions().links)
    parser.add_argument("--construction", type=int, default=IndexOptions().ef_construction)
    parser.add_argument("--names", type=Path, default=Path("../shared/data/metaqa"), help="MetaQA's folder")
    args = parser.parse_args()
    built = {"min_rows": 1, "links": args.links, "ef_construction": args.construction}
    with tempfile.TemporaryDirectory() as name:
        vectors = unit(facts(args.size, 0, 3, Path(name), args.names))
        queries = unit(facts(BATCH, 1, 2, Path(name), args.names))
    exactly, (best, _) = seconds_of(lambda: flat_search(vectors, queries, K))
    build, index = seconds_of(lambda: build_index(vectors, IndexOptions("hnsw", **built)))
    size = len(faiss.serialize_index(index)) / vectors.nbytes
    table = Table(
        "ef_search", f"recall@{K}", f"search {BATCH}, ms", "of exact",
        title=f"{args.size:,} facts, built in {build:.0f} CPU s, {size:.2f} of the vectors' bytes",
    )  # fmt: skip
    for kept in SEARCHES:
        find = finder(vectors, index, IndexOptions("hnsw", ef_search=kept))
        took, (scores, _) = seconds_of(lambda find=find: find(queries, K))
        table.add_row(str(kept), f"{recall(scores, best):.4f}", f"{1000 * took:.0f}", f"{took / exactly:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

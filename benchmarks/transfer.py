"""A knowledge base out and back in: seconds, sizes, memory, and whether the copy has the same graphs.

python -m benchmarks.transfer kb/mine
"""

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.export import export
from kgqa.graph.oxigraph import GraphStore
from kgqa.knowledge_base import KnowledgeBase


def main(kb: str) -> int:
    """Print the table; the exit code says whether every copy has the same graphs."""
    table = Table("format", "MB", "out, s", "CPU, s", "MiB", "back in, s", "CPU, s", "MiB", "other quads")
    num_other = 0
    with TemporaryDirectory(dir=Path(kb).parent) as name:
        for suffix in (".nq", ".nq.gz", ".jsonld", ".ttl"):
            out, copy = Path(name) / f"out{suffix}", Path(name) / f"copy{suffix}"
            row = [suffix, *cost(write, Path(kb), out)]
            row.insert(1, f"{out.stat().st_size / 1e6:.0f}")
            if suffix != ".ttl":
                row += cost(read, out, copy)
                other = difference(Path(kb), copy)
                row.append(str(other))
                num_other += other
            table.add_row(*row)
    Console().print(table)
    return int(num_other > 0)


def cost(step: Callable[[Path, Path], None], one: Path, other: Path) -> list[str]:
    """Seconds, CPU seconds and peak memory of a step in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, cpu, mebibytes = pool.submit(timed, step, one, other).result()
    return [f"{seconds:.1f}", f"{cpu:.1f}", f"{mebibytes:.0f}"]


def timed(step: Callable[[Path, Path], None], one: Path, other: Path) -> tuple[float, float, float]:
    start, used = time.perf_counter(), time.process_time()
    step(one, other)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.perf_counter() - start, time.process_time() - used, peak


def write(kb: Path, out: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        export(base, out)


def read(out: Path, kb: Path) -> None:
    expand(kb, Corpus(out, "export"), Settings())


def difference(one: Path, other: Path) -> int:
    """How many quads only one of two knowledge bases has."""
    with KnowledgeBase.open(one) as left, KnowledgeBase.open(other) as right:
        assert isinstance(left.graph, GraphStore)
        assert isinstance(right.graph, GraphStore)
        graphs = (left.graph, right.graph), (right.graph, left.graph)
        return sum(1 for held, asked in graphs for _ in held.missing_in(asked))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Bulk import: N-Triples into a new knowledge base in one process, beside what the store's loader alone takes.

    python -m benchmarks.bulk [--triples 1000000 ...]

The triples are made: a third as many entities as triples, squares of uniform draws, so that some are in many, and 50
relations. `kgqa extract` reads, counts, records and stores them; the bare loader is given the two quads of each fact,
one graph after the other. Memory is the peak of a process, files mapped into it included.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

_BLOCK = 100_000

BARE = """
import sys, pyoxigraph as ox
store = ox.Store(sys.argv[2])
for graph in ("urn:kgqa:asserted", "urn:kgqa:doc:triples"):
    store.bulk_load(path=sys.argv[1], format=ox.RdfFormat.N_TRIPLES, to_graph=ox.NamedNode(graph), lenient=True)
"""


class Cost(NamedTuple):
    """What a process took."""

    wall: float
    cpu: float
    peak: float  # MB


def write_triples(path: Path, number: int) -> None:
    """A file of N-Triples; a few of them repeat."""
    with path.open("w", encoding="ascii") as file:
        for lines in _lines(number):
            file.writelines(lines)


def _lines(number: int) -> Iterator[Iterator[str]]:
    rng = np.random.default_rng(0)
    for start in range(0, number, _BLOCK):
        size = min(_BLOCK, number - start)
        head, tail = ((rng.random(size) ** 2 * number / 3).astype(int).tolist() for _ in range(2))
        site, columns = "http://example.org", zip(head, rng.integers(0, 50, size).tolist(), tail, strict=True)
        yield (f"<{site}/entity/{h}> <{site}/relation/r{r}> <{site}/entity/{t}> .\n" for h, r, t in columns)


def run(*command: str | Path) -> Cost:
    """A process of its own, to its end."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    """The table of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triples", type=int, nargs="*", default=[1_000_000])
    arguments = parser.parse_args()
    table = Table("triples", "", "seconds", "CPU s", "triples/s", "µs of CPU a triple", "peak MB", "GB on disk")
    for number in arguments.triples:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_triples(folder / "triples.nt", number)
            extract = [
                sys.executable,
                "-m",
                "pipelines.extract",
                "corpus=facts",
                f"corpus.path={folder / 'triples.nt'}",
            ]
            imported = run(*extract, f"kb={folder / 'kb'}", f"hydra.run.dir={folder / 'run'}")
            bare = run(sys.executable, "-c", BARE, folder / "triples.nt", folder / "bare")
            for what, cost, place in (("kgqa extract", imported, "kb"), ("bare loader", bare, "bare")):
                table.add_row(
                    f"{number:,}", what, f"{cost.wall:.0f}", f"{cost.cpu:.0f}", f"{number / cost.wall:,.0f}",
                    f"{1e6 * cost.cpu / number:.1f}", f"{cost.peak:,.0f}", f"{_size(folder / place) / 1e9:.2f}",
                )  # fmt: skip
            shutil.rmtree(folder / "kb")
    Console(width=150).print(table)


def _size(folder: Path) -> int:
    """Bytes on the disk; a file under two names counts once."""
    stats = {(stat.st_dev, stat.st_ino): stat.st_size for path in folder.rglob("*") if (stat := path.stat())}
    return sum(stats.values())


if __name__ == "__main__":
    main()

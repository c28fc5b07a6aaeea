"""What a delta costs beside a full build: time, bytes written, encoder calls, and what stays untouched on the disk.

    python -m benchmarks.expansion            # deltas of MetaQA's and FB15k-237's facts; 100 facts on growing bases
    python -m benchmarks.expansion --bulk 10000000

Given facts and the hashing embedder, so that neither spaCy nor a transformer hides what the write path itself costs.
Each measurement is a process of its own; medians of three. Bytes are those handed to the kernel (/proc/self/io).
"""

import argparse
import gzip
import json
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import tarfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.memory.embedder import HashingEmbedder

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data"))
REPEATS = 3
SHARES = (0.001, 0.01, 0.1)
BASES = (10_000, 100_000, 1_000_000)


class CountingEmbedder(HashingEmbedder):
    """Counts the texts that it is given."""

    num_texts = 0

    def embed(self, texts: Sequence[str]) -> Any:
        self.num_texts += len(texts)
        return super().embed(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bulk", type=int, default=0, help="import this many made triples instead")
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="where the knowledge bases are made")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.bulk:
            bulk(Path(folder), arguments.bulk)
            return
        Console().print(shares(Path(folder), {"MetaQA": metaqa(), "FB15k-237": fb15k_237()}))
        Console().print(growing(Path(folder)))


def metaqa() -> list[str]:
    """head TAB relation TAB tail lines of MetaQA's knowledge base."""
    with gzip.open(DATA / "metaqa" / "kb.txt.gz", "rt", encoding="utf-8") as file:
        return [line.strip().replace("|", "\t") for line in file]


def fb15k_237() -> list[str]:
    """The same of FB15k-237's train triples."""
    with tarfile.open(DATA / "kgc" / "fb15k-237.tar.gz") as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith("train.txt"))
        file = archive.extractfile(member)
        assert file is not None
        return [line.decode().strip() for line in file]


def made(number: int) -> list[str]:
    """Triples of a graph whose degrees are as uneven as those of real ones; each occurs once."""
    rng, size = random.Random(0), number // 4
    triples: set[tuple[int, int, int]] = set()
    while len(triples) < number:
        triples.add((rng.randrange(size), rng.randrange(20), int(size * rng.random() ** 3)))
    return [f"node {head}\trelation {relation}\tnode {tail}" for head, relation, tail in triples]


def shares(folder: Path, graphs: dict[str, list[str]]) -> Table:
    """Deltas of several sizes against the full build of the same facts."""
    table = Table("facts", "of", "build s", "delta", "s", "of the build", "bytes of the build", "texts: new = embedded",
                  "old segments unchanged")  # fmt: skip
    for name, lines in graphs.items():
        random.Random(0).shuffle(lines)
        full = median([isolated(measure, folder / "kb", lines, [])[0] for _ in range(REPEATS)])
        for share in SHARES:
            base, deltas = split(lines, round(share * len(lines)))
            delta = median(isolated(measure, folder / "kb", base, deltas)[1:])
            table.add_row(
                f"{len(lines):,}", name, f"{full['seconds']:.2f}", f"{share:.1%}", f"{delta['seconds']:.3f}",
                f"{delta['seconds'] / full['seconds']:.1%}", f"{delta['bytes'] / full['bytes']:.1%}",
                f"{delta['new_texts']:.0f} = {delta['texts']:.0f}", str(bool(delta["unchanged"])),
            )  # fmt: skip
    return table


def growing(folder: Path) -> Table:
    """The same small delta on bases of growing size."""
    table = Table("base, facts", "delta of 100 facts, s", "to the smallest", "MB written")
    first = 0.0
    for size in BASES:
        found = median(isolated(measure, folder / "kb", *split(made(size + 100 * REPEATS), 100))[1:])
        first = first or found["seconds"]
        ratio, written = found["seconds"] / first, found["bytes"] / 1e6
        table.add_row(f"{size:,}", f"{found['seconds']:.3f}", f"{ratio:.2f}", f"{written:.1f}")
    return table


def split(lines: list[str], size: int) -> tuple[list[str], list[list[str]]]:
    """A base, and as many deltas of this size as there are repeats."""
    cut = len(lines) - size * REPEATS
    return lines[:cut], [lines[start : start + size] for start in range(cut, len(lines), size)]


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(found[name] for found in runs) for name in runs[0]}


def isolated(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(kb: Path, base: list[str], deltas: list[list[str]]) -> list[dict[str, float]]:
    """The cost of the base's build and of each delta that follows."""
    corpus = kb.with_name(kb.name + "-corpus")
    for folder in (kb, corpus):
        shutil.rmtree(folder, ignore_errors=True)
    corpus.mkdir(parents=True)
    embedder, known, costs = CountingEmbedder(256), set[str](), []
    for number, lines in enumerate([base, *deltas]):
        (corpus / f"{number}.tsv").write_text("\n".join(lines), encoding="utf-8")
        before, embedder.num_texts = segments(kb), 0
        written, start = bytes_written(), time.perf_counter()
        expand(kb, Corpus(corpus, "facts"), Settings(embedder=embedder))
        seconds = time.perf_counter() - start
        after, texts = segments(kb), {end for line in lines for end in line.split("\t")}
        costs.append({
            "seconds": seconds, "bytes": bytes_written() - written, "texts": embedder.num_texts,
            "new_texts": len(texts - known),
            "unchanged": all(after[path] == stamp for path, stamp in before.items()),
        })  # fmt: skip
        known |= texts
    return costs


def segments(kb: Path) -> dict[str, tuple[int, int]]:
    """Every file of every segment, with its inode and time of change."""
    files = [path for path in (kb / "memory").rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def bytes_written() -> int:
    return int(dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["wchar"])


def bulk(folder: Path, number: int) -> None:
    """N-Triples of a given size into a knowledge base: vocabulary, provenance and graph; vectors are left to index."""
    path = folder / "bulk.nt"
    rng, size = random.Random(0), number // 4
    with path.open("w", encoding="utf-8") as file:
        for place in range(number):
            head, tail = place % size, int(size * rng.random() ** 3)
            file.write(f"<urn:x:node:{head}> <urn:x:relation:{rng.randrange(20)}> <urn:x:node:{tail}> .\n")
    found = isolated(measure_bulk, folder / "kb", path)
    print(json.dumps(found | {"triples": number, "triples_per_second": round(number / found["seconds"])}, indent=1))


def measure_bulk(kb: Path, path: Path) -> dict[str, float]:
    start = time.perf_counter()
    outcome = expand(kb, Corpus(path, "facts"), Settings())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": round(seconds, 1), "peak_GB": round(peak, 2), "facts": outcome.counts["num_facts"]}


if __name__ == "__main__":
    main()

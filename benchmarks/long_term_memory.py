"""The long-term memory: build, add, remove, open, search, recall and memory, beside bare FAISS in the same run.

    python -m benchmarks.long_term_memory --sizes 10000 100000 --kind flat

Vectors are a mixture of as many directions as there are hundreds of rows, 384 wide: clustered as text vectors are
(uniform ones have no neighbours worth finding). Each size runs in a process of its own, so that its peak is its own.

    python -m benchmarks.long_term_memory --sizes 1000000 --kind pq --names ../shared/data/metaqa

With --names they are vectors of made facts, composed of real names by the hashing embedder as a knowledge base composes
them, and a query is a head with a relation: neighbours are then close together, which is harder for an index.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.linking import RELATIONS
from benchmarks.linking import names as read_names
from kgqa.memory.approximate import build_index, finder
from kgqa.memory.hashing import HashingEmbedder
from kgqa.memory.index import KINDS, IndexOptions
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta

WIDTH, BATCH, K, CHANGED = 384, 256, 10, 1000
COLUMNS = (
    "vectors", "build s", f"add {CHANGED:,} s", "% of build", f"remove {CHANGED:,} ms", "open ms", f"search {BATCH} ms",
    "bare FAISS ms", "ratio", "exact ms", f"recall@{K}", "after changes", "own memory / vectors",
)  # fmt: skip


def options_of(kind: str, **changes) -> IndexOptions:
    """As conf/memory has them: product codes without inverted lists."""
    return IndexOptions(kind, **({"list_factor": 0.0} if kind == "pq" else {}) | changes)


def sample(num: int, seed: int, num_centres: int, folder: Path) -> np.ndarray:
    """[num, WIDTH] float32, memory-mapped from `folder` as large input is: noise around shared centres, at a distance
    like that between texts on one subject."""
    centres = np.random.default_rng(7).standard_normal((num_centres, WIDTH), dtype=np.float32)
    rng = np.random.default_rng(seed)
    path = folder / f"sample-{seed}.npy"
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(num, WIDTH))
    for start in range(0, num, 65_536):
        block = vectors[start : start + 65_536]
        block[:] = 0.8 * rng.standard_normal(block.shape, dtype=np.float32)
        block += centres[rng.integers(0, num_centres, len(block))]
    vectors.flush()
    return np.load(path, mmap_mode="r")


def facts(num: int, seed: int, num_parts: int, folder: Path, names: Path) -> np.ndarray:
    """[num, WIDTH] float32, memory-mapped from `folder`: the first `num_parts` of head, relation and tail, added up."""
    embedder = HashingEmbedder(WIDTH)
    ends, relations = embedder.embed(read_names(names)), embedder.embed(RELATIONS)
    rng = np.random.default_rng(seed)
    path = folder / f"facts-{seed}.npy"
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(num, WIDTH))
    for start in range(0, num, 65_536):
        block = vectors[start : start + 65_536]
        for part in (ends, relations, ends)[:num_parts]:
            block += part[rng.integers(0, len(part), len(block))]
    vectors.flush()
    return np.load(path, mmap_mode="r")


def timed(work) -> tuple[float, object]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def best_of(work, times: int = 3) -> float:
    return min(timed(work)[0] for _ in range(times))


def memory_bytes() -> int:
    """This process's own memory: without pages of files that the system can take back at will."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


class Peak:
    """The most own memory while it is open, beyond what there was before."""

    def __enter__(self) -> "Peak":
        self.base = self.most = memory_bytes()
        self._done = Event()
        self._thread = Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self.most = max(self.most, memory_bytes())

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def bytes(self) -> int:
        return self.most - self.base


def recall(memory: LongTermMemory, exact: LongTermMemory, queries: np.ndarray) -> float:
    expected, found = exact.search(queries, K)[1], memory.search(queries, K)[1]
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(expected.tolist(), found.tolist(), strict=True)]))


def delta(folder: Path, refs: MemoryRefs, number: int, ids: np.ndarray, vectors: np.ndarray, options, remove=()):
    items = [(f"urn:{i}", "") for i in ids.tolist()]
    return apply_delta(
        folder, refs, generation=f"gen-{number}", add_ids=ids, add_vectors=vectors, add_items=items, remove_ids=remove,
        options=options,
    )  # fmt: skip


def bare_faiss(vectors: np.ndarray, options: IndexOptions):
    """How FAISS itself searches these vectors with the same index."""
    index = build_index(vectors, options)
    if index is not None:
        return finder(vectors, index, options)
    import faiss  # here, since where there is a GPU kgqa.memory has to see to torch first

    flat = faiss.IndexFlatIP(WIDTH)
    flat.add(vectors)
    return flat.search


def measure(num: int, options: IndexOptions, names: Path | None) -> list[str]:
    """One row of the table."""
    num_centres = num // 100
    exact = IndexOptions("flat")
    with tempfile.TemporaryDirectory() as name, Peak() as peak:
        folder = Path(name)
        if names:
            vectors, asked = facts(num, 0, 3, folder, names), facts(BATCH, 1, 2, folder, names)
            more = facts(CHANGED, 2, 3, folder, names)
        else:
            vectors, asked, more = (
                sample(size, seed, num_centres, folder) for seed, size in enumerate((num, BATCH, CHANGED))
            )
        queries = np.array(asked)
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        build, refs = timed(lambda: delta(folder, MemoryRefs(WIDTH, "b"), 1, np.arange(num), vectors, options))
        most = peak.bytes / vectors.nbytes
        add, added = timed(lambda: delta(folder, refs, 2, np.arange(num, num + CHANGED), more, options))
        gone = np.random.default_rng(3).choice(num, CHANGED, replace=False)
        remove, changed = timed(lambda: delta(folder, added, 3, np.arange(0), more[:0], options, gone))
        opened, memory = timed(lambda: LongTermMemory.open(folder, refs, device="cpu", options=options))
        memory.search(queries, K)  # loads
        bare = bare_faiss(memory.segments[0].vectors, options)
        ours, theirs = best_of(lambda: memory.search(queries, K)), best_of(lambda: bare(queries, K))
        brute = LongTermMemory.open(folder, refs, device="cpu", options=exact)
        exactly, first = best_of(lambda: brute.search(queries, K)), recall(memory, brute, queries)
        after = recall(
            LongTermMemory.open(folder, changed, device="cpu", options=options),
            LongTermMemory.open(folder, changed, device="cpu", options=exact),
            queries,
        )
    return [
        f"{num:,}", f"{build:.1f}", f"{add:.3f}", f"{100 * add / build:.2f}", f"{1000 * remove:.0f}",
        f"{1000 * opened:.0f}", f"{1000 * ours:.0f}", f"{1000 * theirs:.0f}", f"{ours / theirs:.2f}",
        f"{1000 * exactly:.0f}", f"{first:.4f}", f"{after:.4f}", f"{most:.2f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--kind", default="flat", choices=KINDS)
    parser.add_argument("--min-rows", type=int, default=IndexOptions().min_rows)
    parser.add_argument("--probes", type=int, default=IndexOptions().probes)
    parser.add_argument("--names", type=Path, help="MetaQA's folder: facts over its names instead")
    parser.add_argument("--row", action="store_true", help="print one row, of the first size, and nothing else")
    args = parser.parse_args()
    if args.row:
        options = options_of(args.kind, min_rows=args.min_rows, probes=args.probes)
        print("\t".join(measure(args.sizes[0], options, args.names)))
        return
    table = Table(*COLUMNS, title=f"long-term memory, {args.kind} from {args.min_rows:,} rows, width {WIDTH}")
    for size in args.sizes:
        command = [sys.executable, "-m", "benchmarks.long_term_memory", "--row", "--sizes", str(size)]
        command += ["--kind", args.kind, "--min-rows", str(args.min_rows), "--probes", str(args.probes)]
        command += ["--names", str(args.names)] if args.names else []
        table.add_row(*subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().split("\t"))
    Console(width=170).print(table)


if __name__ == "__main__":
    main()

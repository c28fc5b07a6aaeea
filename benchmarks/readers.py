"""Readers beside a writer: whether each sees one generation whole, and what they cost the writer and the writer them.

    python -m benchmarks.readers

MetaQA's facts come in many deltas. Meanwhile each reader opens what is current, counts the facts, names and vectors
against what the generation says, proves a fact and asks for neighbours, closes, and begins again.
"""

import argparse
import gzip
import multiprocessing
import os
import random
import shutil
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import HashingEmbedder

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data"))
CONTEXT = multiprocessing.get_context("spawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--deltas", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="where the knowledge bases are made")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    table = Table("readers", "deltas", "s a delta", "readings", "generations seen", "inconsistent", "errors")
    with TemporaryDirectory(dir=arguments.folder) as folder:
        for num_readers in (0, arguments.readers):
            table.add_row(str(num_readers), *run(Path(folder), num_readers, arguments.deltas))
    Console().print(table)


def run(folder: Path, num_readers: int, num_deltas: int) -> list[str]:
    """A base of half the facts, then the rest in deltas beside readers; the figures of a row."""
    kb, corpus = folder / "kb", folder / "corpus"
    for path in (kb, corpus):
        shutil.rmtree(path, ignore_errors=True)
    corpus.mkdir()
    with gzip.open(DATA / "metaqa" / "kb.txt.gz", "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    random.Random(0).shuffle(lines)
    settings = Settings(embedder=HashingEmbedder(64), keep=3)
    base, step = len(lines) // 2, len(lines) // 2 // num_deltas
    put(corpus / "base.txt", lines[:base])
    expand(kb, Corpus(corpus, "facts"), settings)

    stop, told = CONTEXT.Event(), CONTEXT.Queue()
    readers = [CONTEXT.Process(target=read, args=(kb, stop, told), daemon=True) for _ in range(num_readers)]
    for reader in readers:
        reader.start()
    ready = [told.get() for _ in readers]
    assert ready == ["ready"] * num_readers
    start = time.perf_counter()
    for number in range(num_deltas):
        put(corpus / f"{number}.txt", lines[base + number * step : base + (number + 1) * step])
        expand(kb, Corpus(corpus, "facts"), settings)
    seconds = (time.perf_counter() - start) / num_deltas
    stop.set()
    found = [told.get() for _ in readers]
    seen = set().union(*(names for names, *_ in found))
    totals = [str(sum(numbers)) for numbers in zip(*(rest for _, *rest in found), strict=True)] or ["", "", ""]
    return [str(num_deltas), f"{seconds:.2f}", totals[0], str(len(seen)) if found else "", *totals[1:]]


def put(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(kb: Path, stop: Event, told: "Queue[object]") -> None:
    """Reads until told to stop; then says which generations it saw, and how many readings, wrong ones and errors."""
    seen: set[str] = set()
    num_readings = num_wrong = num_errors = 0
    told.put("ready")
    while not stop.is_set():
        try:
            with KnowledgeBase.open(kb) as base:
                seen.add(base.generation)
                num_wrong += not is_whole(base)
            num_readings += 1
        except Exception:
            num_errors += 1
    told.put((seen, num_readings, num_wrong, num_errors))


def is_whole(base: KnowledgeBase) -> bool:
    """Whether graph, ledger and vectors are those of the generation."""
    table, counts = base.triples(), base.counts()
    sizes = len(table.heads), len(table.entities), len(base.memory("fact")), len(base.memory("entity"))
    if sizes != (counts["num_facts"], counts["num_entities"], counts["num_facts"], counts["num_entities"]):
        return False
    place = random.randrange(len(table.heads))
    fact = (
        table.entities[table.heads[place]], table.relation_terms[table.relations[place]],
        table.entities[table.tails[place]],
    )  # fmt: skip
    memory = base.memory("entity")
    ids = np.sort(memory.ids())[:4]
    nearest = memory.search(memory.get(ids), 1)[0]
    return bool(base.provenance([fact])[0]) and nearest.shape == (4, 1)


if __name__ == "__main__":
    main()

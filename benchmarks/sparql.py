"""A SPARQL server as the mirror of a knowledge base: what a commit, a catch-up and a read cost, and ways of writing.

python -m benchmarks.sparql --sizes 10000 100000
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from kgqa.expand.apply import Settings, expand
from kgqa.expand.changes import Changes
from kgqa.expand.mirror import Mirror
from kgqa.expand.plan import Corpus
from kgqa.generations import Generation
from kgqa.ids import ASSERTED, entity_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from tests.servers import Oxigraph


class Clock:
    """Seconds of CPU that this process and a server have used: a figure that busy neighbours hardly change."""

    def __init__(self, server: Oxigraph) -> None:
        self._server = server

    def now(self) -> float:
        """Since both began."""
        fields = Path(f"/proc/{self._server.process_id}/stat").read_text().rsplit(")", 1)[1].split()
        return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def of(self, work: Callable[[], Any]) -> float:
        """What `work` takes."""
        begin = self.now()
        work()
        return self.now() - begin


@dataclass(frozen=True, kw_only=True)
class Timed(Mirror):
    """A mirror that says what following took."""

    clock: Clock
    seconds: list[float] = field(default_factory=list)

    def follow(self, *, base: Generation | None = None, changes: Changes | None = None) -> dict[str, int]:
        begin = self.clock.now()
        counts = super().follow(base=base, changes=changes)
        self.seconds.append(self.clock.now() - begin)
        return counts


@contextmanager
def serving() -> Iterator[Oxigraph]:
    with TemporaryDirectory() as folder:
        server = Oxigraph(Path(folder)).start()
        try:
            yield server
        finally:
            server.kill()


def facts(count: int, generator: random.Random) -> str:
    names = max(10, count // 4)
    pick = generator.randrange
    return "".join(f"Entity {pick(names)}\trelation {pick(20)}\tEntity {pick(names)}\n" for _ in range(count))


def commits(size: int, *, bulk: bool) -> list[str]:
    """One row: first upload, a commit of 100 facts with and without the server, catching up, reading."""
    generator = random.Random(0)
    with serving() as server, TemporaryDirectory() as name, server.store(batch_size=1000, bulk=bulk) as store:
        clock = Clock(server)
        kb, corpus = Path(name) / "kb", Path(name) / "corpus"
        mirror = Timed(kb, store, clock=clock)
        corpus.mkdir()

        def commit(file: str, count: int, settings: Settings) -> tuple[float, dict[str, int]]:
            (corpus / file).write_text(facts(count, generator), encoding="utf-8")
            begin = clock.now()
            outcome = expand(kb, Corpus(corpus, "facts"), settings)
            return clock.now() - begin, outcome.counts

        _, first = commit("base.tsv", size, Settings(mirror=mirror))
        upload = mirror.seconds[-1]
        whole, delta = commit("a.tsv", 100, Settings(mirror=mirror))
        sent = mirror.seconds[-1]
        commit("b.tsv", 100, Settings())
        catch_up = clock.of(lambda: mirror.follow())
        with KnowledgeBase.open(kb) as disk, KnowledgeBase.open(kb, server=store) as served:
            reads = clock.of(disk.triples), clock.of(served.triples)
            assert disk.triples().entities == served.triples().entities
    counts = f"{first['num_mirror_added']:,}", f"{delta['num_mirror_added']:,}"
    return [
        f"{size:,}",
        "Graph Store" if bulk else "updates",
        *counts,
        *(f"{spent:.2f}" for spent in (upload, whole - sent, sent, catch_up, *reads)),
    ]


def batches(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, float]]:
    """(quads a batch, microseconds of CPU a quad) of INSERT DATA, each into an empty store."""
    generator = random.Random(0)
    names = [entity_iri(f"Entity {number}") for number in range(count // 4)]
    relation = relation_iri("relation")
    quads = [(generator.choice(names), relation, generator.choice(names), ASSERTED) for _ in range(count)]
    for size in sizes:
        with serving() as server, server.store(batch_size=size) as store:
            yield size, 1e6 * Clock(server).of(partial(store.add, quads)) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="facts in the knowledge base")
    parser.add_argument("--quads", type=int, default=60_000, help="written in batches of each size")
    arguments = parser.parse_args()
    columns = (
        "facts", "uploaded by", "quads", "quads of 100 facts", "first upload", "commit of 100 facts on disk",
        "its mirror", "catch up by snapshots", "arrays from disk", "arrays from the server",
    )  # fmt: skip
    table = Table(*columns, title="seconds of CPU, kgqa's and the server's")
    for size in arguments.sizes:
        for bulk in (False, True):
            table.add_row(*commits(size, bulk=bulk))
    Console(width=200).print(table)
    table = Table("quads a batch of INSERT DATA", "µs of CPU a quad")
    for size, cost in batches(arguments.quads, (200, 1000, 5000, 20_000)):
        table.add_row(f"{size:,}", f"{cost:.0f}")
    Console(width=200).print(table)


if __name__ == "__main__":
    main()

"""What a server holds, as a file of facts: for graphs that others keep, and that change without telling.

The lines are sorted and stand once, so that a graph that did not change is a file that did not change, whatever order
the server gives it in. Blank nodes keep the label that the server gives them; where it gives others each time, their
facts are new each time.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from kgqa.artifacts import sync
from kgqa.errors import InputError
from kgqa.graph.queries import count_query, scan_query
from kgqa.graph.sparql import SparqlStore

_RUN = 500_000
"""Lines that are sorted in memory: about 100 MB."""


def fetch(store: SparqlStore, path: Path, *, graph: str | None = None, query: str | None = None) -> int:
    """Writes one graph (None: the default graph), or the triples of a CONSTRUCT query, to `path` as N-Triples.

    Returns the number of lines. The file changes when all is there, or not at all: a whole graph is checked against the
    server's own count, of a query's triples only a broken-off stream is noticed. Raises StoreError for a server that
    fails, InputError for a `path` that does not end in .nt and for a query that the server cannot run.
    """
    if path.suffix != ".nt":
        raise InputError(f"{path} is to hold N-Triples; give a path that ends in .nt")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        seen = 0

        def lines() -> Iterator[str]:
            nonlocal seen
            for triple in store.construct(query or scan_query(None, None, None, graph)):
                seen += 1
                yield f"{triple.subject} {triple.predicate} {triple.object} .\n"

        runs = list(_sorted_runs(lines(), Path(folder)))
        if query is None:
            store.check_count(seen, count_query(None, None, None, graph))
        whole = Path(folder) / "whole"
        num_lines = _merge(runs, whole)
        os.replace(whole, path)
        sync(path.parent)
    return num_lines


def _sorted_runs(lines: Iterator[str], folder: Path) -> Iterator[Path]:
    while run := sorted(islice(lines, _RUN)):
        path = folder / str(len(list(folder.iterdir())))
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(run)
        yield path


def _merge(runs: Iterable[Path], whole: Path) -> int:
    """The lines of all runs in order, each once, durably; returns how many."""
    num_lines = 0
    with ExitStack() as stack:
        file = stack.enter_context(whole.open("w", encoding="utf-8", newline="\n"))
        parts = [stack.enter_context(run.open(encoding="utf-8", newline="\n")) for run in runs]
        for line, _ in groupby(merge(*parts)):
            file.write(line)
            num_lines += 1
        file.flush()
        os.fsync(file.fileno())
    return num_lines

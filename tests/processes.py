"""Processes that tests start to kill them: real ones, forked from one that has imported what they need.

Importing takes seconds and a fork milliseconds, so that tests can afford a process for each moment of death. The
process that is forked from (multiprocessing's fork server) does nothing but import: it holds no thread, file or lock.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "tests.expand.killed",
        "tests.expand.watched",
        "tests.answer.killed",
        "tests.pipelines.killed",
    ]
)


@dataclass(frozen=True)
class Ended:
    """`status`: the exit status, negative where a signal ended it."""

    status: int
    out: str
    errors: str


def run(main: Callable[..., Any], *arguments: Any) -> Ended:
    """Calls `main` (a module's function) in a process with this current folder, and waits for its end."""
    with TemporaryDirectory() as name:
        out, errors = Path(name) / "out", Path(name) / "errors"
        process = _context.Process(target=_to_files, args=(out, errors, Path.cwd(), main, arguments))
        process.start()
        process.join()
        assert process.exitcode is not None
        return Ended(process.exitcode, out.read_text(), errors.read_text())


@contextmanager
def running(main: Callable[..., Any], *arguments: Any) -> Iterator[tuple[ForkServerProcess, IO[str]]]:
    """The process and what it says on standard output; it is killed at the end, if it still lives."""
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(target=_to_pipe, args=(theirs, Path.cwd(), main, arguments))
    process.start()
    theirs.close()
    with os.fdopen(os.dup(ours.fileno()), encoding="utf-8") as said:
        try:
            yield process, said
        finally:
            process.kill()
            process.join()
            ours.close()


def _to_files(out: Path, errors: Path, folder: Path, main: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.chdir(folder)
    for path, number in ((out, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.exit(main(*arguments))


def _to_pipe(out: Connection, folder: Path, main: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.chdir(folder)
    os.dup2(out.fileno(), 1)
    sys.exit(main(*arguments))

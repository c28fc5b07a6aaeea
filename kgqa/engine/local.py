"""A map over batches on this machine: in this process, or in several that each open what they need for themselves.

Results come in the order of the batches, and only a few batches are read ahead. A worker is a process of its own
(spawned, not forked: models and stores hold threads and files that a fork would break). Files that it maps into memory,
like the vectors of a knowledge base, are shared with the others by the operating system.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from kgqa.errors import ConfigError, EngineError

T = TypeVar("T")
R = TypeVar("R")

Make = Callable[[], AbstractContextManager[Callable[[T], R]]]
"""Opens what a worker works with, for as long as it lives, and gives the function that it applies to a batch. Can be
pickled: a module's function, or a `partial` of one. What the function gives depends on the batch alone."""

AHEAD = 2
"""Batches a worker that are read before the first of them is done: one in work, one at hand."""


class Engine(Protocol):
    """Where a map over batches runs."""

    def map(self, make: Make[T, R], batches: Iterable[T]) -> Iterator[R]:
        """What the function of `make` gives for each batch, in order. Its errors are raised here; EngineError where a
        worker died."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """`processes` workers on this machine; with one, or one batch, all is done in this process."""

    processes: int = 1

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ConfigError(f"engine.processes is {self.processes}; it is a number of processes, at least 1")

    def map(self, make: Make[T, R], batches: Iterable[T]) -> Iterator[R]:
        """See `Engine`."""
        stream = iter(batches)
        first = list(islice(stream, self.processes))
        if len(first) > 1:
            yield from self._spread(make, first, stream)
        elif first:
            with make() as work:
                yield from map(work, chain(first, stream))

    def _spread(self, make: Make[T, R], first: list[T], rest: Iterator[T]) -> Iterator[R]:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(len(first), mp_context=context, initializer=_begin, initargs=(make,))
        waiting: deque[Future[R]] = deque()
        try:
            with _for_workers(len(first)):  # the pool starts a process for each of these
                waiting.extend(pool.submit(_apply, batch) for batch in first)
            for batch in rest:
                waiting.append(pool.submit(_apply, batch))
                if len(waiting) >= AHEAD * len(first):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise EngineError(
                f"one of {len(first)} worker processes died, as when memory runs out; set engine.processes to fewer, "
                "then run again"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _for_workers(num: int) -> Iterator[None]:
    """Processes started meanwhile share the cores instead of fighting for them, and leave Ctrl-C to this one."""
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads or str(max(1, num_cores() // num))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]


def num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Worker:
    """Opens what it needs with the first batch, so that an error while opening is that batch's error."""

    def __init__(self, make: Make[Any, Any]) -> None:
        self._make = make
        self._open = ExitStack()
        self._work: Callable[[Any], Any] | None = None

    def apply(self, batch: Any) -> Any:
        """What the function gives for the batch."""
        if self._work is None:
            self._work = self._open.enter_context(self._make())
        return self._work(batch)


_worker: Worker | None = None
"""The one of this process, where it is a worker's."""


def _begin(make: Make[Any, Any]) -> None:
    global _worker
    _worker = Worker(make)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed has nobody to work for."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _apply(batch: Any) -> Any:
    assert _worker is not None
    return _worker.apply(batch)

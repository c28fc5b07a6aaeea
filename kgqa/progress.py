"""How far long work is: a bar with rate and time left on a terminal, a line of the log now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two lines of the log."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yields a function that takes how many more are done."""
    if not sys.stderr.isatty():
        yield _logged(description, total)
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.advance(task, done)


def _logged(description: str, total: int | None) -> Callable[[int], None]:
    """Says every `EVERY` seconds how many are done, how many a second of late, and how long the rest will take."""
    last = time.monotonic()
    num_done = told = 0

    def advance(done: int) -> None:
        nonlocal last, num_done, told
        num_done += done
        now = time.monotonic()
        if now - last < EVERY:
            return
        rate = (num_done - told) / (now - last)
        left = f" of {total:,}, {max(total - num_done, 0) / rate:,.0f} s left" if total else ""
        log.info("%s: %s%s, %.1f a second", description, f"{num_done:,}", left, rate)
        last, told = now, num_done

    return advance

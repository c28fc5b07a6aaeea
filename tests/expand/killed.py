"""Run as a program: expands a toy knowledge base and dies by SIGKILL at the n-th step boundary, or says how many.

python killed.py KB CORPUS N
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kgqa import artifacts
from kgqa.expand import apply, batches, retention, vectors, writer
from kgqa.expand.plan import Corpus
from kgqa.graph.oxigraph import GraphStore
from kgqa.ledger import Ledger
from tests.expand.toy import ToyExtractor, settings

STEPS: list[tuple[Any, str]] = [
    (batches.BatchWriter, "add"), (batches.BatchWriter, "finish"), (Ledger, "replace"), (Ledger, "drop_document"),
    (apply, "apply_redirects"), (apply, "open_live"), (GraphStore, "remove"), (GraphStore, "add"),
    (GraphStore, "snapshot"), (apply, "hash_folder"), (vectors, "apply_delta"), (Ledger, "commit"),
    (writer, "write_generation"), (writer, "commit_generation"), (artifacts.os, "replace"), (writer, "mark_live"),
    (retention, "_sweep"), (retention, "_forget"),
]  # fmt: skip


class Countdown:
    """Dies at the boundary whose number it was given; counts them all."""

    def __init__(self, last: int) -> None:
        self.passed = 0
        self.last = last

    def boundary(self) -> None:
        if self.passed == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            self.boundary()
            result = function(*args, **kwargs)
            self.boundary()
            return result

        return step


def main(kb: str, corpus: str, last: str) -> None:
    countdown, extractor = Countdown(int(last)), ToyExtractor()
    for owner, name in STEPS:
        setattr(owner, name, countdown.around(getattr(owner, name)))
    apply.expand(Path(kb), Corpus(Path(corpus)), settings(extractor=extractor), allow_empty=True)
    sys.stdout.write(str(countdown.passed))


if __name__ == "__main__":
    main(*sys.argv[1:])

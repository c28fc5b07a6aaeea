"""Answers as `kgqa answer` does, in a process that dies by SIGKILL once so many batches are kept."""

import os
import signal
from typing import Any

from kgqa.answer.partial import Partial
from pipelines import answer


def main(most: int, arguments: list[str]) -> int:
    """`arguments`: those of the stage."""
    append, kept = Partial.append, []

    def append_and_die(self: Partial, *given: Any) -> None:
        append(self, *given)
        kept.append(given)
        if len(kept) == most:
            os.kill(os.getpid(), signal.SIGKILL)

    Partial.append = append_and_die  # type: ignore[method-assign]
    return answer.main(arguments)

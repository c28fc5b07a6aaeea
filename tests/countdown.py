"""Death at a chosen step: for programs that are to be killed where it hurts."""

import os
import signal
from collections.abc import Callable
from typing import Any


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

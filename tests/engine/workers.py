"""What workers of the engine tests do; in a module of its own, since processes import what they are handed."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from kgqa.errors import InputError


@contextmanager
def squares(folder=None):
    """Squares of numbers; words say what else is to happen. Marks in `folder` that it was opened, and closed."""
    if folder is not None:
        Path(folder, f"opened-{os.getpid()}").touch()
    try:
        yield _square
    finally:
        if folder is not None:
            Path(folder, f"closed-{os.getpid()}").touch()


def _square(batch):
    if batch == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if batch == "pid":
        return os.getpid(), os.environ.get("OMP_NUM_THREADS"), threading.current_thread() is threading.main_thread()
    if batch == "wrong":
        raise InputError("this one is wrong; mend it")
    if batch == 0:
        time.sleep(0.3)  # the first is the last to be done
    return batch * batch


@contextmanager
def unopenable():
    raise InputError("there is nothing to open; make something")
    yield

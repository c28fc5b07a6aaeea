"""Run a stage in this process and press Ctrl-C in the middle: `interrupted.py STAGE POINT key=value ...`.

POINT is `module:name` or `module:class.name`, the function at whose first call the process gets a real SIGINT.
"""

import importlib
import os
import signal
import sys


def interrupt_at(point: str) -> None:
    """Replace the function by one that signals first."""
    module, _, name = point.partition(":")
    owner = importlib.import_module(module)
    *classes, name = name.split(".")
    for part in classes:
        owner = getattr(owner, part)
    real = getattr(owner, name)

    def signalled(*args, **options):
        setattr(owner, name, real)
        os.kill(os.getpid(), signal.SIGINT)
        return real(*args, **options)

    setattr(owner, name, signalled)


if __name__ == "__main__":
    stage, point, *arguments = sys.argv[1:]
    main = importlib.import_module(f"pipelines.{stage}").main
    interrupt_at(point)
    sys.exit(main(arguments))

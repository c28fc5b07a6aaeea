"""What a process does that is killed: it answers twenty questions and dies by SIGKILL at the n-th step, or says how
many there were."""

import sys
from pathlib import Path

from kgqa.answer import batch, exports, partial
from kgqa.engine.local import LocalEngine
from tests.answer.toy import questions, toy_worker
from tests.countdown import Countdown

STEPS = [
    (batch, "answer_lines"), (partial.Partial, "append"), (partial.os, "fsync"), (partial.Partial, "_cut"),
    (batch, "export"), (exports.os, "replace"), (exports, "sync"), (partial.shutil, "rmtree"),
]  # fmt: skip


def main(out: Path, last: int) -> None:
    countdown = Countdown(last)
    for owner, name in STEPS:
        setattr(owner, name, countdown.around(getattr(owner, name)))
    batch.answer_batch(LocalEngine(), toy_worker, questions(20), out, batch_size=2)
    sys.stdout.write(str(countdown.passed))

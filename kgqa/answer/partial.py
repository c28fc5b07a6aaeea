"""Answers in the making, beside the file they are for: a run that was killed goes on where it stopped.

`.NAME.partial/` holds `answers.jsonl` and `scores.jsonl`, the lines of whole batches, and `batches.jsonl`: what the
answers depend on, then for each batch the digest of its questions, where its lines end, and what was counted in it. A
batch is done when its line is there, which is written after its answers are on the disk; what a kill cut off is
answered again. A batch is taken over when the same questions are asked in the same place and nothing that the answers
depend on has changed, so that in the end the file is byte for byte what it would have been without the kill.
"""

import json
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from kgqa.errors import InputError
from kgqa.ids import digest
from kgqa.lock import file_lock
from kgqa.types import Question

log = logging.getLogger(__name__)

Batch = Sequence[Question]
Counts = Mapping[str, Any]
"""What was counted in a batch, as JSON."""

_REMEDY = "give out=FILE where there is room and leave"


class Partial:
    """The batches that are done. Use `partial_answers`."""

    def __init__(self, out: Path, folder: Path, depends_on: Mapping[str, str]) -> None:
        self.answers, self.scores = folder / "answers.jsonl", folder / "scores.jsonl"
        """The answers so far and what is known of their worth, one JSON line a question."""
        self.num_done = 0
        """Questions that are answered and kept."""
        self._out = out
        self._header = (json.dumps(dict(depends_on), sort_keys=True) + "\n").encode()
        self._asked: deque[Batch] = deque()
        with self._writing():
            self._files = tuple(path.open("ab+") for path in (self.answers, self.scores, folder / "batches.jsonl"))
        self._ends = [0, 0, 0]
        """Of each file, where the batches that are taken over end."""

    def close(self) -> None:
        """Closes the files."""
        for file in self._files:
            with suppress(OSError):  # of a full disk `append` has told
                file.close()

    def remaining(self, batches: Iterator[Batch], taken_over: Callable[[Counts], None]) -> Iterator[Batch]:
        """The batches that are still to be answered, in order; what was counted in those before goes to `taken_over`.

        The first of them has to be read before the first `append`.
        """
        done = self._done()
        for batch in batches:
            row = next(done, None)
            if row is None or row["questions"] != _digest(batch):
                self._cut()
                yield from map(self._remembered, chain([batch], batches))
                return
            self._ends = [*row["ends"], self._files[2].tell()]
            self.num_done += len(batch)
            taken_over(row["counts"])
        self._cut()

    def append(self, answers: bytes, scores: bytes, counts: Counts) -> None:
        """The lines of the next of the batches that `remaining` gave; InputError where they cannot be written."""
        batch = self._asked.popleft()
        *lines, batches = self._files
        with self._writing():
            for file, data in zip(lines, (answers, scores), strict=True):
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            row = {"questions": _digest(batch), "ends": [file.tell() for file in lines], "counts": counts}
            batches.write(json.dumps(row).encode() + b"\n")
            batches.flush()
        self.num_done += len(batch)

    def copy_scores(self, path: Path) -> None:
        """The lines of scores so far, into a file of the run."""
        with self._writing():
            shutil.copyfile(self.scores, path)

    def _done(self) -> Iterator[dict[str, Any]]:
        """The rows of the batches whose lines are all there; none where what they depend on has changed."""
        *lines, batches = self._files
        sizes = [file.seek(0, os.SEEK_END) for file in lines]
        batches.seek(0)
        header = batches.readline()
        if header != self._header:
            if header:
                log.warning("the unfinished answers beside %s are of another knowledge base, checkpoint, code or "
                            "configuration; starting anew", self._out)  # fmt: skip
            return
        self._ends[2] = batches.tell()
        while (line := batches.readline()).endswith(b"\n"):
            try:
                row = json.loads(line)
            except ValueError:  # what a power failure can leave
                return
            if any(end > size for end, size in zip(row["ends"], sizes, strict=True)):
                return
            yield row

    def _cut(self) -> None:
        """Takes away what comes after the batches that are taken over."""
        with self._writing():
            for file, end in zip(self._files, self._ends, strict=True):
                file.truncate(end)
                file.seek(0, os.SEEK_END)
            if self._ends[2] == 0:
                self._files[2].write(self._header)

    def _remembered(self, batch: Batch) -> Batch:
        self._asked.append(batch)
        return batch

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"cannot write {self._out}: {error.strerror}; {_REMEDY}, or make room") from error


@contextmanager
def partial_answers(out: Path, depends_on: Mapping[str, str]) -> Iterator[Partial]:
    """The answers in the making for the file `out`; on an error or a kill, what is done stays for the next run.

    depends_on: digests of what the answers depend on besides their questions. Raises LockedError, which names the
    process, while another run makes answers for the same file, and StoreError where nothing can be written.
    """
    folder = out.with_name(f".{out.name}.partial")
    with file_lock(folder / "lock", out, remedy=_REMEDY):
        partial = Partial(out, folder, depends_on)
        try:
            yield partial
        except BaseException:
            partial.close()
            if partial.num_done:
                log.info("%d questions are answered and kept; the same command goes on from there", partial.num_done)
            else:
                _remove(folder)
            raise
        partial.close()
        _remove(folder)


def _remove(folder: Path) -> None:
    """Another run may be looking for the lock there just now: what it makes stays."""
    shutil.rmtree(folder, ignore_errors=True)


def _digest(batch: Batch) -> str:
    return digest(*map(repr, batch))

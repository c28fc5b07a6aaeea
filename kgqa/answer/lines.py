"""A file as numbered lines of text, gzipped or not, in constant memory; what is wrong with a line has a kind.

Lines end at line feeds alone, because names in MetaQA hold other characters that Python takes for the end of a line.
"""

import gzip
import json
import logging
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from kgqa.errors import InputError

log = logging.getLogger(__name__)

MAX_LINE = 1 << 20
"""Bytes; of a longer line no more is read."""

NOT_UTF8, TOO_LONG, MALFORMED, NO_QUESTION, WRONG_TYPE = (
    "not UTF-8",
    "too long",
    "malformed",
    "no question",
    "wrong type",
)
"""Kinds of bad lines, under which they are counted."""

_SHOWN = 5
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class BadLine(ValueError):
    """A line that cannot be used, with its kind."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Skips:
    """The lines that were passed over: counted by kind, the first few kept for the log, all of them written down."""

    def __init__(self, record: Path | None = None) -> None:
        """record: a file that gets a JSON line for each: `place` (file:number), `kind`, `reason`."""
        self.counts: Counter[str] = Counter()
        self.first: list[str] = []
        self._record = record

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, place: str, problem: BadLine) -> None:
        """One more."""
        self.counts[problem.kind] += 1
        if len(self.first) < _SHOWN:
            self.first.append(f"{place}: {problem}")
        if self._record:
            row = {"place": place, "kind": problem.kind, "reason": str(problem)}
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def metrics(self) -> dict[str, int]:
        """How many, and of which kinds."""
        return {"num_skipped": len(self)} | {f"skipped: {kind}": number for kind, number in sorted(self.counts.items())}

    def __str__(self) -> str:
        more = f"; and {len(self) - len(self.first)} more" if len(self) > len(self.first) else ""
        where = f" (all of them in {self._record})" if more and self._record else ""
        return "; ".join(self.first) + more + where


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where it is gzipped; InputError where it cannot be read, also from the body."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one file of questions")
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            with gzip.open(plain) if zipped else plain as file:
                yield cast(BinaryIO, file)
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; give a file of questions (JSONL, CSV, Parquet, plain lines, MetaQA, PathQuestion)"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; unpack it and look, or restore it from a copy") from error


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, from 1, and its line feed; of one longer than `MAX_LINE` the beginning."""
    with opened(path) as file:
        number = 0
        while raw := file.readline(MAX_LINE + 2):
            number += 1
            last = raw
            while len(last) > MAX_LINE and not last.endswith(b"\n"):
                last = file.readline(MAX_LINE + 2)
            yield number, raw


def decode(raw: bytes, *, first: bool) -> str:
    """The text of a line without its line feed; a mark of byte order is taken off the first. Raises BadLine."""
    if len(raw.removesuffix(b"\n")) > MAX_LINE:
        raise BadLine(TOO_LONG, f"more than {MAX_LINE:,} bytes long")
    if first and raw.startswith(_UTF16):
        raise BadLine(NOT_UTF8, "UTF-16; save the file as UTF-8")
    if b"\0" in raw:
        raise BadLine(NOT_UTF8, "binary, or not UTF-8 (it holds zero bytes)")
    try:
        return raw.removesuffix(b"\n").decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise BadLine(NOT_UTF8, f"not UTF-8 (byte {error.start + 1} is 0x{raw[error.start]:02x})") from None


def count_lines(path: Path) -> int:
    """How many lines a file has, at the speed of reading it."""
    with opened(path) as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))

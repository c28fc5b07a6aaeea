"""An answer run as its folder has it: what was said, and what that was worth."""

import gzip
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from kgqa.answer.selective import Bools, Floats
from kgqa.artifacts import read_json
from kgqa.errors import InputError

Record = dict[str, Any]
"""A line of answers.jsonl (data/README.md)."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A line of scores.jsonl."""

    number: int
    """Of the question in its run, from 0."""
    question_id: str
    kind: str
    probability: float
    """Of the first answer, given or withheld, in [0, 1]."""
    withheld: tuple[str, ...]
    seconds: float
    abstained: bool
    gold: tuple[str, ...] | None
    """None where it is not known, () where there is no answer."""
    answers_right: tuple[bool, ...] = ()
    hit: bool = False
    f1: float = 0.0
    exact: bool = False

    @property
    def right(self) -> bool | None:
        """A right answer first; for a question without one, an abstention. None where gold is not known."""
        return None if self.gold is None else self.hit if self.gold else self.abstained

    @classmethod
    def of(cls, number: int, row: Record) -> Self:
        gold = row.get("gold")
        return cls(
            number, row["id"], row["kind"], row["probability"], tuple(row["withheld"]), row["seconds"],
            row["abstained"], None if gold is None else tuple(gold), tuple(row.get("right", ())),
            bool(row.get("hits@1")), row.get("f1", 0.0), bool(row.get("exact_match")),
        )  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One finished run of `kgqa answer`."""

    folder: Path
    manifest: Record
    answers: Path
    scored: list[Scored]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """InputError where the folder is none of a finished answer run, or its files are not there any more."""
        example = "give the folder of an answer run, runs/<name>/answer-<time>"
        if not (folder / "manifest.json").is_file():
            raise InputError(f"{folder} is no run's folder (it has no manifest.json); {example}")
        manifest = read_json(folder / "manifest.json")
        if manifest.get("stage") != "answer":
            raise InputError(f"{folder} is a run of {manifest.get('stage')!r}; {example}")
        if manifest.get("status") != "done":
            raise InputError(f"{folder} ended as {manifest.get('status')!r}; run it again, or {example}")
        inside = folder / "answers.jsonl"
        answers = inside if inside.exists() else Path(manifest["metrics"]["out"])
        if ".jsonl" not in answers.suffixes:
            raise InputError(
                f"the answers of {folder} are no JSON lines but {answers}; answer again with out=NAME.jsonl"
            )
        return cls(folder, manifest, answers, list(_scores(folder / "scores.jsonl")))

    @property
    def name(self) -> str:
        return f"{self.folder.resolve().parent.name}/{self.folder.resolve().name}"

    def records(self, numbers: Collection[int]) -> Iterator[tuple[Scored, Record]]:
        """The answers of these questions in their order; the others are read past."""
        for number, record in _read(self.answers, only=numbers):
            if number >= len(self.scored) or record.get("id") != self.scored[number].question_id:
                raise InputError(
                    f"{self.answers} does not hold the answers of {self.folder}: another run has written there since; "
                    "answer again, without out="
                )
            yield self.scored[number], record

    @cached_property
    def judged(self) -> list[Scored]:
        """The questions whose gold is known."""
        return [one for one in self.scored if one.gold is not None]

    def selective(self) -> tuple[Floats, Bools, Bools]:
        """What `selective_report` asks for, of the questions with gold."""
        return (
            np.array([one.probability for one in self.judged]),
            np.array([any(one.answers_right[:1]) for one in self.judged], dtype=bool),
            np.array([bool(one.gold) for one in self.judged], dtype=bool),
        )


def _scores(path: Path) -> Iterator[Scored]:
    for number, row in _read(path):
        try:
            yield Scored.of(number, row)
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}:{number + 1} cannot be read: {error!r}; run kgqa answer again") from error


def _read(path: Path, *, only: Collection[int] | None = None) -> Iterator[tuple[int, Record]]:
    """The lines of a file of JSON lines with their numbers, from 0; InputError for what is none."""
    number = 0
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file):
                if only is None or number in only:
                    yield number, json.loads(line)
    except FileNotFoundError:
        raise InputError(f"{path} is not there; run kgqa answer again") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}:{number + 1} cannot be read: {error}; run kgqa answer again") from error

"""The format of bAbI (Weston et al. 2016): numbered lines, a story starts at 1, questions stand between its sentences.

1 Mary went to the kitchen.
2 Where is Mary?<TAB>kitchen<TAB>1
"""

import gzip
import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kgqa.errors import InputError

_NAME = re.compile(r"qa(?P<task>\d+)_.*?(?P<split>train|valid|test)\.txt(\.gz)?$")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its answer, and how many of the story's sentences came before it."""

    text: str
    answer: str
    after: int


@dataclass(frozen=True, slots=True)
class Story:
    """Sentences in order, and the questions between them; tasks are numbered from 1."""

    task: int
    sentences: tuple[str, ...]
    questions: tuple[Asked, ...]


def read_stories(paths: Iterable[Path], split: str) -> list[Story]:
    """The stories of a split (train, valid, test) in `qaN_SPLIT.txt` files, plain, .gz or inside a .tar.gz; of a task
    that several paths hold, those of the first.

    Raises InputError where a file is missing, a line is not of the format, or there is nothing.
    """
    stories: dict[int, list[Story]] = {}
    for path in paths:
        found: dict[int, list[Story]] = {}
        for task, name, lines in _files(path, split):
            found.setdefault(task, []).extend(parse(lines, task, name))
        stories = found | stories
    if not stories:
        raise InputError(f"no qaN_...{split}.txt in {', '.join(map(str, paths))}; give bAbI's files as task.train")
    return [story for task in sorted(stories) for story in stories[task]]


def parse(lines: Iterable[str], task: int, name: str) -> Iterator[Story]:
    """Stories of one file; `name` is what errors call it."""
    sentences: list[str] = []
    questions: list[Asked] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place, _, rest = line.strip().partition(" ")
        if not place.isdigit() or not rest:
            raise InputError(f"{name} line {number} is {line.strip()[:60]!r}; wanted is a number, a space, a sentence")
        if place == "1" and (sentences or questions):
            yield Story(task, tuple(sentences), tuple(questions))
            sentences, questions = [], []
        text, *answer = (part.strip() for part in rest.split("\t"))
        if answer:
            questions.append(Asked(text, answer[0], len(sentences)))
        else:
            sentences.append(text)
    if questions:
        yield Story(task, tuple(sentences), tuple(questions))


def _files(path: Path, split: str) -> Iterator[tuple[int, str, Iterable[str]]]:
    """(task, name, lines) of each file of the split."""
    try:
        if path.name.endswith((".tar.gz", ".tgz", ".tar")):
            with tarfile.open(path) as archive:
                for member in sorted(archive.getmembers(), key=lambda member: member.name):
                    found = _NAME.search(member.name)
                    if found and found["split"] == split and (file := archive.extractfile(member)):
                        yield int(found["task"]), member.name, io.TextIOWrapper(file, encoding="utf-8")
            return
        for one in sorted(path.iterdir()) if path.is_dir() else [path]:
            found = _NAME.search(one.name)
            if found and found["split"] == split:
                with gzip.open(one, "rt", encoding="utf-8") if one.suffix == ".gz" else one.open("rt") as text:
                    yield int(found["task"]), one.name, text
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}; give bAbI's files as task.train") from error

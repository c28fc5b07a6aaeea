"""Read questions: JSON lines, plain lines, and the files of MetaQA and PathQuestion as their owners publish them.

Files may be gzipped. They are read as bytes and split at line feeds alone, because names in MetaQA hold other
characters that Python takes for the end of a line. A line that cannot be used is skipped and counted, never half read.
"""

import gzip
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kgqa.errors import InputError
from kgqa.text.reader import Skipped
from kgqa.types import Candidate, Question, Topic

LOG = logging.getLogger(__name__)

FORMATS = ("auto", "jsonl", "lines", "metaqa", "pathquestion")

MAX_LINE = 1 << 20
"""Bytes; a longer line is not read."""

MAX_QUESTION = 10_000
"""Characters; a longer text is no question, and what it costs to answer grows with the names in it."""

_BRACKETS = re.compile(r"\[([^\[\]]+)\]")
_PATH_ANSWERS = re.compile(r"(?P<first>.*)\((?P<all>[^()]*)\)")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_questions(
    path: Path, *, format: str = "auto", strict: bool = False, skipped: list[Skipped] | None = None
) -> Iterator[Question]:
    """The questions of a file, in its order; with format "auto" its first line tells which format it is in.

    Lines that cannot be used are appended to `skipped` and logged once at the end; `strict` refuses the first instead.
    Errors: InputError where the file cannot be read, is damaged, or holds no question at all.
    """
    if format not in FORMATS:
        raise InputError(f"no question format {format!r}; there are {', '.join(FORMATS)}")
    problems: list[Skipped] = [] if skipped is None else skipped
    num_read = 0
    parse: Parser | None = None if format == "auto" else _PARSERS[format]
    for number, raw in _lines(path):
        try:
            line = _decode(raw, first=number == 1)
            if not line.strip():
                continue
            parse = parse or _PARSERS[detect_format(line)]
            question = parse(line, f"{_stem(path)}-{number:06d}", _stem(path))
            if len(question.text) > MAX_QUESTION:
                raise ValueError(f"{len(question.text):,} characters; a question has at most {MAX_QUESTION:,}")
        except ValueError as error:
            problem = Skipped(f"{path}:{number}", str(error))
            if strict:
                raise InputError(
                    f"{problem.path}: {problem.reason}; mend the line, or skip it with strict=false"
                ) from None
            problems.append(problem)
            continue
        num_read += 1
        yield question
    _conclude(path, num_read, problems)


def detect_format(line: str) -> str:
    """The format that a first line is in: an object, `[topic]` and a tab, two tabs and a `#` path, or plain text."""
    if line.lstrip().startswith("{"):
        return "jsonl"
    fields = line.split("\t")
    if len(fields) == 3 and "#" in fields[2]:
        return "pathquestion"
    return "metaqa" if len(fields) == 2 and _BRACKETS.search(fields[0]) else "lines"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, gzipped or not, with their numbers from 1; InputError where it cannot be read."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; give one file of questions")
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            with gzip.open(plain) if zipped else plain as file:
                yield from enumerate(file, start=1)
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; give a file of questions (JSONL, plain lines, MetaQA, PathQuestion)"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; unpack it and look, or restore it from a copy") from error


def _decode(raw: bytes, *, first: bool) -> str:
    """The text of a line without its line feed; ValueError says why it is none."""
    if len(raw) > MAX_LINE:
        raise ValueError(f"{len(raw):,} bytes long; a line has at most {MAX_LINE:,}")
    if b"\0" in raw:
        raise ValueError("binary, or not UTF-8 (it holds zero bytes)")
    try:
        return raw.removesuffix(b"\n").decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} is 0x{raw[error.start]:02x})") from None


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _conclude(path: Path, num_read: int, problems: list[Skipped]) -> None:
    """Say once what was skipped; a file without any question is an error."""
    shown = "; ".join(f"{problem.path}: {problem.reason}" for problem in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    if num_read == 0:
        raise InputError(f"{path} holds no question" + (f": {shown}{more}" if problems else "; it is empty"))
    if problems:
        LOG.warning("read %d questions, skipped %d lines: %s%s", num_read, len(problems), shown, more)


def _from_json(line: str, question_id: str, stem: str) -> Question:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"not an object with a field 'question' but {type(record).__name__}")
    text = _text(record, "question")
    if not text.strip():
        raise ValueError("the field 'question' is empty")
    gold = record.get("answers")
    if gold is not None and not (isinstance(gold, list) and all(isinstance(answer, str) for answer in gold)):
        raise ValueError("the field 'answers' is not a list of texts")
    return Question(
        question_id=str(record.get("id") or question_id),
        text=text,
        topics=tuple(_topics(record, text)),
        answers=None if gold is None else tuple(gold),
        kind=_text(record, "kind") if "kind" in record else "",
    )


def _text(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, str):
        raise ValueError(f"the field {field!r} is {'missing' if value is None else 'not a text'}")
    return _SURROGATE.sub("\ufffd", value)


def _topics(record: dict[str, Any], text: str) -> Iterator[Topic]:
    """Given topics: texts, or objects with `text` and, where the entity itself is known, its `iri`."""
    given = record.get("topics") or []
    if not isinstance(given, list):
        raise ValueError("the field 'topics' is not a list")
    for topic in given:
        fields = {"text": topic} if isinstance(topic, str) else topic
        if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
            raise ValueError("a topic is neither a text nor an object with a field 'text'")
        iri = fields.get("iri")
        known = (Candidate(fields["text"], iri, 1.0),) if isinstance(iri, str) else ()
        yield Topic(fields["text"], _span(text, fields["text"]), known)


def _span(text: str, part: str) -> tuple[int, int]:
    """Where `part` stands in `text` first; (0, 0) where it does not."""
    start = text.find(part)
    return (start, start + len(part)) if start >= 0 and part else (0, 0)


def _from_line(line: str, question_id: str, stem: str) -> Question:
    return Question(question_id, line.strip())


def _from_metaqa(line: str, question_id: str, stem: str) -> Question:
    """`question with one [topic]`, a tab, `answer|answer`; the brackets are taken off and the topic kept as given."""
    asked, tab, gold = line.removesuffix("\r").partition("\t")
    found = list(_BRACKETS.finditer(asked))
    if len(found) != 1:
        raise ValueError(f"{len(found)} [topics] where MetaQA has exactly one")
    start, topic = found[0].start(), found[0].group(1)
    text = asked[:start] + topic + asked[found[0].end() :]
    hops = re.search(r"\dhop", stem)
    return Question(
        question_id,
        text,
        (Topic(topic, (start, start + len(topic))),),
        tuple(gold.split("|")) if tab else None,
        hops.group().replace("hop", "-hop") if hops else "",
    )


def _from_pathquestion(line: str, question_id: str, stem: str) -> Question:
    """`question`, `answer(all/answers/)` and `topic#relation#...`; the answer set is what stands in the parentheses."""
    fields = line.removesuffix("\r").split("\t")
    found = _PATH_ANSWERS.fullmatch(fields[1]) if len(fields) == 3 else None
    if found is None:
        raise ValueError("not `question<tab>answer(all/answers/)<tab>path`")
    path = fields[2].split("#<end>#")[0].split("#")
    gold = tuple(answer for answer in found["all"].split("/") if answer)
    return Question(
        question_id, fields[0], (Topic(path[0], _span(fields[0], path[0])),), gold, f"{(len(path) - 1) // 2}-hop"
    )


Parser = Callable[[str, str, str], Question]
"""A line, the id it gets where it brings none, and the file's name without suffixes; ValueError says what is wrong."""

_PARSERS: dict[str, Parser] = {
    "jsonl": _from_json,
    "lines": _from_line,
    "metaqa": _from_metaqa,
    "pathquestion": _from_pathquestion,
}

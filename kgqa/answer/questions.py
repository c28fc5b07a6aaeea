"""Read questions: JSON lines, tables, plain lines, and MetaQA's and PathQuestion's files as their owners publish them.

Files may be gzipped. A line that cannot be used is skipped and counted by its kind, never half read.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from kgqa.answer.lines import (
    MALFORMED,
    NO_QUESTION,
    TOO_LONG,
    WRONG_TYPE,
    BadLine,
    Skips,
    count_lines,
    decode,
    read_lines,
)
from kgqa.answer.tables import Record, count_rows, first_line, header_of, read_csv, read_parquet
from kgqa.errors import InputError
from kgqa.types import Candidate, Question, Topic

LOG = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

FORMATS = ("auto", "jsonl", "csv", "tsv", "parquet", "lines", "metaqa", "pathquestion")

MAX_QUESTION = 10_000
"""Characters; a longer text is no question, and what it costs to answer grows with the names in it."""

_BRACKETS = re.compile(r"\[([^\[\]]+)\]")
_PATH_ANSWERS = re.compile(r"(?P<first>.*)\((?P<all>[^()]*)\)")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_questions(
    path: Path, *, format: str = "auto", strict: bool = False, skips: Skips | None = None
) -> Iterator[Question]:
    """The questions of a file, in its order. With format "auto" its name tells a table, else its first line the format.

    Lines that cannot be used are counted in `skips` and logged once at the end; `strict` refuses the first instead.
    Errors: InputError where the file cannot be read, is damaged, or holds no question at all.
    """
    skips = Skips() if skips is None else skips
    num_read = 0
    for number, found in _read(path, known_format(path, format)):
        if isinstance(found, Question) and len(found.text) > MAX_QUESTION:
            length = f"{len(found.text):,} characters; a question has at most {MAX_QUESTION:,}"
            found = BadLine(TOO_LONG, length)
        if isinstance(found, Question):
            num_read += 1
            yield found
        elif strict:
            raise InputError(f"{path}:{number}: {found}; mend the line, or skip it with strict=false")
        else:
            skips.add(f"{path}:{number}", found)
    if num_read == 0:
        raise InputError(f"{path} holds no question" + (f": {skips}" if len(skips) else "; it is empty"))
    if len(skips):
        LOG.warning("read %d questions, skipped %d lines: %s", num_read, len(skips), skips)


def known_format(path: Path, format: str) -> str:
    """The format that is meant; "auto" stays where the first good line has to tell."""
    if format not in FORMATS:
        raise InputError(f"no question format {format!r}; there are {', '.join(FORMATS)}")
    suffix = Path(path.name.removesuffix(".gz")).suffix.removeprefix(".").lower()
    if format != "auto" or suffix not in ("csv", "tsv", "parquet"):
        return format
    if suffix == "tsv" and (line := first_line(path)[1]) and header_of(line, suffix) is None:
        told = detect_format(line)  # data sets of other formats also go by this name
        return told if told in ("metaqa", "pathquestion") else suffix
    return suffix


def count_questions(path: Path, format: str = "auto") -> int:
    """At most how many questions a file holds, at the speed of reading it."""
    return count_rows(path) if known_format(path, format) == "parquet" else count_lines(path)


def detect_format(line: str) -> str:
    """The format that a first line is in: an object, `[topic]` and a tab, two tabs and a `#` path, or plain text."""
    if line.lstrip().startswith("{"):
        return "jsonl"
    fields = line.split("\t")
    if len(fields) == 3 and "#" in fields[2]:
        return "pathquestion"
    return "metaqa" if len(fields) == 2 and _BRACKETS.search(fields[0]) else "lines"


def _read(path: Path, format: str) -> Iterator[tuple[int, Question | BadLine]]:
    """Each line or row of a file, by its number, as a question or with what is wrong with it."""
    if format in ("csv", "tsv", "parquet"):
        rows = read_parquet(path) if format == "parquet" else read_csv(path, format)
        for number, row in rows:
            yield number, row if isinstance(row, BadLine) else _tried(question_of, row, _id(path, number))
        return
    parse: Parser | None = None if format == "auto" else _PARSERS[format]
    for number, raw in read_lines(path):
        line = _tried(decode, raw, first=number == 1)
        if isinstance(line, BadLine):
            yield number, line
        elif line.strip():
            parse = parse or _PARSERS[detect_format(line)]
            yield number, _tried(parse, line, _id(path, number), _stem(path))


def _tried(function: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | BadLine:
    try:
        return function(*args, **options)
    except BadLine as problem:
        return problem


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _id(path: Path, number: int) -> str:
    """What a question is called where its line does not say."""
    return f"{_stem(path)}-{number:06d}"


def _from_json(line: str, question_id: str, stem: str) -> Question:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine(MALFORMED, f"not JSON ({error})") from None
    if not isinstance(record, dict):
        raise BadLine(MALFORMED, f"not an object with a field 'question' but {type(record).__name__}")
    return question_of(record, question_id)


def question_of(record: Record, question_id: str) -> Question:
    """The question of a record with the fields of a JSON line (data/README.md); BadLine says what is wrong with it."""
    text = _text(record, "question")
    if not text.strip():
        raise BadLine(NO_QUESTION, "the field 'question' is empty")
    gold, given_id = record.get("answers"), record.get("id")
    if gold is not None and not (isinstance(gold, list) and all(isinstance(answer, str) for answer in gold)):
        raise BadLine(WRONG_TYPE, "the field 'answers' is not a list of texts")
    return Question(
        question_id=question_id if given_id in (None, "") else _readable(str(given_id)),
        text=text,
        topics=tuple(_topics(record, text)),
        answers=None if gold is None else tuple(map(_readable, gold)),
        kind="" if record.get("kind") is None else _text(record, "kind"),
        session="" if record.get("session") is None else _readable(str(record["session"])),
        turn=_turn(record.get("turn")),
    )


def _turn(value: object) -> int | None:
    """A place in a conversation: a whole number, in a table also as text."""
    if value in (None, ""):
        return None
    try:
        return int(str(value))
    except ValueError:
        raise BadLine(WRONG_TYPE, f"the field 'turn' is no whole number but {str(value)[:40]!r}") from None


def _text(record: Record, field: str) -> str:
    value = record.get(field)
    if value is None:
        raise BadLine(NO_QUESTION, f"the field {field!r} is missing")
    if not isinstance(value, str):
        raise BadLine(WRONG_TYPE, f"the field {field!r} is not a text")
    return _readable(value)


def _readable(text: str) -> str:
    """Without halves of characters, which JSON can hold and no file can."""
    return _SURROGATE.sub("\ufffd", text)


def _topics(record: Record, text: str) -> Iterator[Topic]:
    """Given topics: texts, or objects with `text` and, where the entity itself is known, its `iri`."""
    given = record.get("topics") or []
    if not isinstance(given, list):
        raise BadLine(WRONG_TYPE, "the field 'topics' is not a list")
    for topic in given:
        fields = {"text": topic} if isinstance(topic, str) else topic
        if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
            raise BadLine(WRONG_TYPE, "a topic is neither a text nor an object with a field 'text'")
        name, iri = _readable(fields["text"]), fields.get("iri")
        known = (Candidate(name, _readable(iri), 1.0),) if isinstance(iri, str) else ()
        yield Topic(name, span_of(text, name), known)


def span_of(text: str, part: str) -> tuple[int, int]:
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
        raise BadLine(MALFORMED, f"{len(found)} [topics] where MetaQA has exactly one")
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
        raise BadLine(MALFORMED, "not `question<tab>answer(all/answers/)<tab>path`")
    path = fields[2].split("#<end>#")[0].split("#")
    gold = tuple(answer for answer in found["all"].split("/") if answer)
    return Question(
        question_id, fields[0], (Topic(path[0], span_of(fields[0], path[0])),), gold, f"{(len(path) - 1) // 2}-hop"
    )


Parser = Callable[[str, str, str], Question]
"""A line, the id it gets where it brings none, and the file's name without suffixes; BadLine says what is wrong."""

_PARSERS: dict[str, Parser] = {
    "jsonl": _from_json,
    "lines": _from_line,
    "metaqa": _from_metaqa,
    "pathquestion": _from_pathquestion,
}

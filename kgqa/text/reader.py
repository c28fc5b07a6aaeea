"""Documents from files: plain text, Markdown, HTML and JSONL, with every unusable file counted and named.

The text of a document is what its file says, character by character (a front matter and HTML markup excepted), so
that offsets found later point into what the user sees. A file that cannot be used is skipped, never half read.
"""

import codecs
import json
import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from kgqa.errors import InputError
from kgqa.ids import digest
from kgqa.text.html import html_text
from kgqa.text.language import is_foreign
from kgqa.types import Document, Passage

log = logging.getLogger(__name__)

TEXT_SUFFIXES = frozenset({".txt", ".md", ".html", ".htm"})
DOCUMENT_SUFFIXES = TEXT_SUFFIXES | {".jsonl"}

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)(?:\r?\n)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^(title|date)[ \t]*:[ \t]*(.+?)[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*\r?$", re.MULTILINE)
_PARAGRAPH_BORDER = re.compile(r"(?:\r?\n[ \t]*){2,}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_TITLE_CHARACTERS = 120
"""A longer first line is a paragraph, not a title."""
PARAGRAPH_CHARACTERS = 20_000
"""Longer paragraphs are cut at a sentence's end: spaCy's memory grows with what it parses at once."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a line of a JSONL file, that was not read, and why."""

    path: str
    reason: str


def read_documents(
    path: Path,
    *,
    skipped: list[Skipped] | None = None,
    tell: bool = True,
    only: Collection[str] | None = None,
    english: bool = False,
) -> Iterator[Document]:
    """The documents of a folder (every .txt, .md, .html and .jsonl below it, in path order) or of one such file.

    In a folder a document's id is its relative path without suffix; a JSONL line brings its own `id` (without one,
    the digest of its text). What cannot be read is appended to `skipped` and, if `tell`, logged once at the end.
    `only`: the paths of the files that are read, where not all are; `english`: what is in another language is skipped.
    Errors: InputError where `path` is missing, of an unknown kind, or a folder without documents.
    """
    problems: list[Skipped] = [] if skipped is None else skipped
    files = [file for file in _files(path) if only is None or str(file) in only]
    seen: dict[str, str] = {}
    num_read = 0
    for file in files:
        root = path if path.is_dir() else path.parent
        for document in _documents_of(file, root, problems):
            if document.doc_id in seen:
                problems.append(Skipped(document.path, f"the id {document.doc_id!r} repeats {seen[document.doc_id]}"))
                continue
            seen[document.doc_id] = document.path
            if english and is_foreign(document.text):
                problems.append(Skipped(document.path, "not in English; extract.english_only=false reads it"))
                continue
            num_read += 1
            yield document
    if problems and tell:
        shown = "; ".join(f"{problem.path}: {problem.reason}" for problem in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        log.warning("read %d documents, skipped %d: %s%s", num_read, len(problems), shown, more)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in DOCUMENT_SUFFIXES and file.is_file())
        if not files:
            raise InputError(
                f"{path} holds no documents: none of its files ends in {', '.join(sorted(DOCUMENT_SUFFIXES))}; "
                "give the folder that holds them as corpus.path"
            )
        return files
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder of documents or one document as corpus.path")
    if path.suffix.lower() not in DOCUMENT_SUFFIXES:
        raise InputError(
            f"{path} is not a document: its suffix {path.suffix!r} is none of {', '.join(sorted(DOCUMENT_SUFFIXES))}; "
            "rename it, or read it with another corpus (corpus=facts for files of facts)"
        )
    return [path]


def _documents_of(file: Path, root: Path, problems: list[Skipped]) -> Iterator[Document]:
    if file.suffix.lower() == ".jsonl":
        yield from _jsonl_documents(file, problems)
        return
    try:
        text = _decode(file.read_bytes())
    except (OSError, ValueError) as error:
        problems.append(Skipped(str(file), str(error)))
        return
    doc_id = file.relative_to(root).with_suffix("").as_posix()
    yield _document(doc_id, text, file)


def _decode(data: bytes) -> str:
    """The text of a file's bytes; ValueError says why they are none."""
    if not data.strip():
        raise ValueError("empty")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _SURROGATE.sub("\ufffd", data.decode("utf-16"))
    if b"\0" in data:
        raise ValueError("binary (it holds zero bytes)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start} is 0x{data[error.start]:02x})") from None


def _document(doc_id: str, text: str, file: Path) -> Document:
    if file.suffix.lower() in {".html", ".htm"}:
        title, text = html_text(text)
        return Document(doc_id, text, title or first_line_title(text) or file.stem, None, str(file))
    fields: dict[str, str] = {}
    if front := _FRONT_MATTER.match(text):
        fields = {key.lower(): value.strip("\"'") for key, value in _FIELD.findall(front.group(1))}
        text = text[front.end() :]
    title = fields.get("title") or _title(text, markdown=file.suffix.lower() == ".md") or file.stem
    return Document(doc_id, text, title, fields.get("date"), str(file))


def _title(text: str, *, markdown: bool) -> str:
    heading = _HEADING.search(text) if markdown else None
    return heading.group(1) if heading else first_line_title(text)


def first_line_title(text: str) -> str:
    """The first line where it is a title (short, no full stop, a heading's marks taken off), else ""."""
    first, _, rest = text.lstrip().partition("\n")
    first = first.strip().lstrip("#").strip()
    is_prose = len(first) > _TITLE_CHARACTERS or first.endswith((".", "!", "?", ":", ";"))
    return "" if is_prose or not rest.strip() else first


def _jsonl_documents(file: Path, problems: list[Skipped]) -> Iterator[Document]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                place = f"{file}:{number}"
                try:
                    yield _jsonl_document(_decode(line), place)
                except ValueError as error:
                    problems.append(Skipped(place, str(error)))
    except OSError as error:
        problems.append(Skipped(str(file), str(error)))


def _jsonl_document(line: str, place: str) -> Document:
    """The document of one JSONL line; ValueError says what is wrong with it."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos})") from None
    except RecursionError:
        raise ValueError("not a record (nested too deeply)") from None
    if not isinstance(record, dict):
        raise ValueError(f"not a record but {type(record).__name__}")
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("no text in the field 'text'")
    text = _SURROGATE.sub("\ufffd", text)
    title = _field(record, "title") or first_line_title(text)
    doc_id = _field(record, "id") or digest(title, text)[:16]
    return Document(doc_id, text, title, _field(record, "date") or None, place)


def _field(record: dict[str, object], key: str) -> str:
    value = record.get(key)
    if value is None or isinstance(value, (dict, list)):
        return ""
    return _SURROGATE.sub("\ufffd", str(value).strip())


def passages(document: Document) -> Iterator[Passage]:
    """The paragraphs of a document (borders: blank lines), none longer than PARAGRAPH_CHARACTERS.

    Every passage's text is the slice of the document that its span names.
    """
    start = 0
    for border in _PARAGRAPH_BORDER.finditer(document.text):
        yield from _pieces(document, start, border.start())
        start = border.end()
    yield from _pieces(document, start, len(document.text))


def _pieces(document: Document, start: int, end: int) -> Iterator[Passage]:
    text = document.text
    while start < end:
        stop = end if end - start <= PARAGRAPH_CHARACTERS else _cut(text, start, start + PARAGRAPH_CHARACTERS)
        left, right = start, stop
        while left < right and text[left].isspace():
            left += 1
        while right > left and text[right - 1].isspace():
            right -= 1
        if left < right:
            yield Passage(document.doc_id, (left, right), text[left:right])
        start = stop


def _cut(text: str, start: int, limit: int) -> int:
    """Where to cut an overlong paragraph: after its last line, sentence or word before `limit`."""
    for border in ("\n", ". ", " "):
        place = text.rfind(border, start + PARAGRAPH_CHARACTERS // 2, limit)
        if place >= 0:
            return place + len(border)
    return limit

"""Questions in tables: CSV, TSV and Parquet as records by column, row by row, in constant memory.

The columns are the fields of JSON lines: `question`, and where they are there `id`, `topics`, `answers`, `kind`,
`session`, `turn`; others are passed over. In a cell of text several topics or answers are parted by `|` or written as a
JSON list; an empty cell says that nothing is known, `[]` that there is no answer.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kgqa.answer.lines import MALFORMED, NOT_UTF8, TOO_LONG, BadLine, decode, read_lines
from kgqa.errors import InputError

COLUMNS = ("id", "question", "topics", "answers", "kind", "session", "turn")
SEPARATOR = "|"
"""Parts the entries of a cell."""

Record = Mapping[str, Any]
Rows = Iterator[tuple[int, Record | BadLine]]
"""(number, record): of CSV the line that the row begins on, of Parquet the row, both from 1."""

_DELIMITERS = {"csv": ",;\t", "tsv": "\t"}
_READ_AHEAD = 1024  # rows of Parquet


def read_csv(path: Path, format: str) -> Rows:
    """The rows of a CSV or TSV file with a header, quoted as RFC 4180 says; format "csv" takes commas, semicolons and
    tabs, whichever the header has. Raises InputError where the header has no column `question`."""
    number, line = first_line(path)
    header = header_of(line, format)
    if header is None:
        raise InputError(_no_question(path, line.split(_DELIMITERS[format][0])))
    delimiter, names = header
    for row, cells in _csv_rows(path, delimiter):
        if row == number:
            continue
        if isinstance(cells, BadLine):
            yield row, cells
        elif len(cells) > len(names):
            yield row, BadLine(MALFORMED, f"{len(cells)} cells where the header has {len(names)}")
        else:
            yield row, _record(zip(names, cells, strict=False))


def first_line(path: Path) -> tuple[int, str]:
    """The first line that is not blank, with its number; InputError where that is no text."""
    for number, raw in read_lines(path):
        if raw.strip():
            try:
                return number, decode(raw, first=number == 1)
            except BadLine as error:
                raise InputError(f"{path}:{number}: {error}; the header of a table has to be text") from None
    return 0, ""


def header_of(line: str, format: str) -> tuple[str, list[str]] | None:
    """(delimiter, column names) where a first line has a column `question`."""
    for delimiter in _DELIMITERS[format]:
        names = [name.strip().lower() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if names.count("question") == 1:
            return delimiter, names
    return None


def read_parquet(path: Path) -> Rows:
    """The rows of a Parquet file; topics and answers may be lists. Raises InputError where it cannot be read."""
    pyarrow, parquet = load_pyarrow(f"reading {path}")
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name in COLUMNS]
            if "question" not in names:
                raise InputError(_no_question(path, file.schema_arrow.names))
            number = 0
            for batch in file.iter_batches(batch_size=_READ_AHEAD, columns=names):
                for place in range(batch.num_rows):
                    number += 1
                    yield number, _parquet_row(batch, place)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give a file of questions") from None
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"cannot read {path} as Parquet: {error}; write it anew, or give another format") from error


def count_rows(path: Path) -> int:
    """How many rows a Parquet file says that it has."""
    _, parquet = load_pyarrow(f"reading {path}")
    return int(parquet.read_metadata(path).num_rows)


def load_pyarrow(what: str) -> tuple[Any, Any]:
    """(pyarrow, pyarrow.parquet), an extra; InputError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(f'{what} needs pyarrow, which is not installed; pip install "kgqa[parquet]"') from None
    return pyarrow, pyarrow.parquet


def _csv_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str] | BadLine]]:
    """Cells of each row that is not blank; a bad line spoils the row that it is in, and no other."""
    number = 0
    problem: BadLine | None = None

    def lines() -> Iterator[str]:
        nonlocal number, problem
        for number, raw in read_lines(path):
            try:
                yield decode(raw, first=number == 1) + "\n"
            except BadLine as error:
                problem = error
                yield "\n"

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        begin, problem = number + 1, None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            kind = TOO_LONG if "field limit" in str(error) else MALFORMED
            problem = problem or BadLine(kind, f"{error}; cells with quotes are quoted, and the quotes doubled")
        if problem or any(map(str.strip, cells)):
            yield begin, problem or cells


def _record(cells: Iterator[tuple[str, str]]) -> Record:
    record: dict[str, Any] = {name: cell for name, cell in cells if name in COLUMNS}
    return record | {name: _entries(record[name]) for name in ("topics", "answers") if name in record}


def _entries(cell: str) -> Sequence[Any] | None:
    """What stands in a cell with several entries; None in an empty one."""
    cell = cell.strip()
    if cell.startswith("["):
        try:
            found = json.loads(cell)
        except (ValueError, RecursionError):  # a name in brackets
            found = None
        if isinstance(found, list):
            return found
    return [entry.strip() for entry in cell.split(SEPARATOR)] if cell else None


def _parquet_row(batch: Any, place: int) -> Record | BadLine:
    try:
        (record,) = batch.slice(place, 1).to_pylist()
    except UnicodeDecodeError:
        return BadLine(NOT_UTF8, "a text in it is not UTF-8")
    for name in ("topics", "answers"):
        if isinstance(record.get(name), str):
            record[name] = _entries(record[name])
    found: Record = record
    return found


def _no_question(path: Path, names: Sequence[str]) -> str:
    shown = ", ".join(name.strip()[:40] for name in names[:8])
    return f"{path} has no column 'question' (its first line: {shown}); name the column, or set qa.format"

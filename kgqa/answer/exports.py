"""Answers from their JSON lines to the format that the name of a file asks for; it is complete or not there.

.jsonl (and any other name) is the lines as they are, .csv and .tsv a flat table for people and spreadsheets, .parquet
the whole records; .gz after .jsonl, .csv and .tsv packs them. The same answers give the same bytes.
"""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from kgqa.answer.tables import SEPARATOR, load_pyarrow
from kgqa.artifacts import sync
from kgqa.errors import InputError

COLUMNS = (
    "id", "question", "answers", "iris", "scores", "abstained", "reason", "topics", "explanation", "documents",
    "sparql", "operation",
)  # fmt: skip
"""Of the flat tables; several entries of a cell are parted by `|`."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROWS = 2000  # of Parquet that are held and written at once


def check_out(out: Path) -> None:
    """InputError where answers cannot be written under that name, before any is made."""
    if out.is_dir():
        raise InputError(f"cannot write {out}: it is a folder; give out=FILE")
    if out.name.endswith(".parquet.gz"):
        raise InputError(f"cannot write {out}: Parquet packs its columns itself; give out=NAME.parquet")
    if out.suffix == ".parquet":
        load_pyarrow(f"writing {out}")


def export(lines: Path, out: Path) -> None:
    """Make `out` of a file of answer lines, which may be taken for it. Raises InputError where it cannot be written;
    what was there before is then untouched."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        if (write := _writer(out)) is not None:
            with lines.open(encoding="utf-8", newline="\n") as file:
                write(map(json.loads, file), temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary if write else lines, out)
        sync(out.parent)
    except OSError as error:
        raise InputError(
            f"cannot write {out}: {error.strerror or error}; make room, and the same command goes on from there"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


Records = Iterator[dict[str, Any]]


def _writer(out: Path) -> Callable[[Records, Path], None] | None:
    """What writes the format of that name; None for plain JSON lines."""
    plain = Path(out.name.removesuffix(".gz"))
    if out.suffix == ".parquet":
        return _write_parquet
    if plain.suffix in (".csv", ".tsv"):
        delimiter = "\t" if plain.suffix == ".tsv" else ","
        return lambda records, path: _write_table(records, path, delimiter, zipped=out.suffix == ".gz")
    return _write_lines if out.suffix == ".gz" else None


@contextmanager
def _text(path: Path, *, zipped: bool) -> Iterator[IO[str]]:
    with path.open("wb") as file:
        # no name and no time in the header: the same text gives the same bytes
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if zipped else file
        with io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as text:
            yield text


def _write_lines(records: Records, path: Path) -> None:
    with _text(path, zipped=True) as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _write_table(records: Records, path: Path, delimiter: str, *, zipped: bool) -> None:
    with _text(path, zipped=zipped) as file:
        writer = csv.writer(file, delimiter=delimiter)  # lines end as RFC 4180 says, with CR LF
        writer.writerow(COLUMNS)
        writer.writerows([guarded(cell) for cell in _cells(record)] for record in records)


def guarded(cell: str) -> str:
    """The cell as a spreadsheet may open it: one that would be a formula gets an apostrophe before it (OWASP, "CSV
    injection")."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _cells(record: dict[str, Any]) -> list[str]:
    answers = record["answers"]
    documents = dict.fromkeys(step["doc_id"] for path in record["paths"] for step in path)
    return [
        record["id"],
        record["question"],
        _joined(found["text"] for found in answers),
        _joined(found["iri"] for found in answers),
        _joined(str(found["score"]) for found in answers),
        str(record["abstained"]).lower(),
        record["reason"],
        _joined(topic["text"] for topic in record["topics"]),
        record["explanations"][0] if record["explanations"] else "",
        _joined(documents),
        record["sparql"],
        record["operation"],
    ]


def _joined(entries: Iterable[str]) -> str:
    return SEPARATOR.join(entries)


def _write_parquet(records: Records, path: Path) -> None:
    pyarrow, parquet = load_pyarrow(f"writing {path}")
    schema = answer_schema(pyarrow)
    with parquet.ParquetWriter(path, schema) as writer:
        while rows := list(islice(records, _ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def answer_schema(pa: Any) -> Any:
    """The columns of answers in Parquet: the fields of a JSON line (data/README.md)."""
    text, number = pa.string(), pa.float64()
    entity = pa.struct({"text": text, "iri": text, "score": number})
    words = ("head", "relation", "tail", "head_text", "relation_text", "tail_text")
    step = pa.struct(
        dict.fromkeys(words, text)
        | {"inverse": pa.bool_(), "doc_id": text, "sentence": text, "start": pa.int64(), "end": pa.int64()}
        | {"extractor": text, "confidence": number}
    )
    passage = pa.struct({"doc_id": text, "start": pa.int64(), "end": pa.int64(), "text": text, "score": number})
    return pa.schema({
        "id": text, "question": text, "topics": pa.list_(entity), "answers": pa.list_(entity),
        "abstained": pa.bool_(), "reason": text, "paths": pa.list_(pa.list_(step)), "sparql": text,
        "explanations": pa.list_(text), "passages": pa.list_(passage), "operation": text,
        "understood": text,
    })  # fmt: skip

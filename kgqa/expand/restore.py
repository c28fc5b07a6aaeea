"""The documents of an exported knowledge base, into the ledger: a delta like any other."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kgqa.conflicts import Policy
from kgqa.errors import ConfigError, InputError
from kgqa.expand.plan import Corpus
from kgqa.expand.record import record_exported
from kgqa.graph.restore import Export
from kgqa.ledger_writer import LedgerWriter
from kgqa.progress import progress
from kgqa.types import Delta


@contextmanager
def opened(corpus: Corpus, scratch: Path) -> Iterator[Export | None]:
    """The export that the corpus is, sorted in the folder `scratch`; None for a corpus of files."""
    if corpus.is_export:
        with Export.open(corpus.path, scratch) as export:
            yield export
    else:
        yield None


def exported_policy(export: Export) -> Policy:
    """What the knowledge base that wrote the export did about conflicts; all values stay where it did not look."""
    stored = export.policy
    try:
        return Policy.from_json(json.loads(stored)) if stored else Policy()
    except (ValueError, TypeError, KeyError, ConfigError) as error:
        raise InputError(f"{export.path} has no policy for conflicts but {stored}; export it again") from error


def restore_documents(ledger: LedgerWriter, export: Export, delta: Delta, *, source: str) -> None:
    """Makes what an export has of the delta's documents all that they state; from now on they come from `source`."""
    with progress("restoring", len(delta.hashes)) as advance:
        for row in export.documents():
            if row.doc_id in delta.hashes:
                record_exported(ledger, export.read(row.doc_id), row=replace(row, source=source))
                advance(1)

"""What a delta costs follows from what changed: no statement walks the tables that hold a knowledge base."""

import sqlite3
from pathlib import Path

import pytest

from kgqa import ledger
from kgqa.conflicts import Policy
from kgqa.ids import relation_iri
from kgqa.knowledge_base import KnowledgeBase
from tests.expand.toy import build

LARGE = ("supports", "passages", "overruled", "terms")
"""Documents are walked by the plan, which compares them all, and relations are few."""
TEMPORARY = {
    "touched": "head INTEGER, relation INTEGER, tail INTEGER",
    "affected": "id INTEGER PRIMARY KEY, renamed INTEGER NOT NULL",
    "slots": "head INTEGER, relation INTEGER",
    "moving": "id INTEGER PRIMARY KEY",
}


def scans(kb: Path, statements: set[str]) -> list[tuple[str, str]]:
    """(statement, step) for each step of SQLite's plans that walks a large table."""
    connection = sqlite3.connect(kb / "ledger.sqlite")
    for name, columns in TEMPORARY.items():
        connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
    found = []
    for statement in statements:
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
            words = step.split()
            if words[0] == "SCAN" and words[1] in LARGE:
                found.append((statement, step))
    return found


def test_no_statement_of_a_delta_walks_a_large_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    policy = Policy("newest", frozenset({relation_iri("knows")}), 1, 0.5)
    old = {"a.md": "First\n\nA knows B\nB likes C\n", "b.md": "Second\n\nA knows C\n", "k.tsv": "X\tknows\tA\n"}
    build(kb, corpus, old, policy=policy)
    statements: set[str] = set()
    connect = ledger.connect

    def traced(path: Path, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        connection.set_trace_callback(statements.add)
        return connection

    monkeypatch.setattr(ledger, "connect", traced)
    build(kb, corpus, {"a.md": "---\ndate: 2001\n---\nFirst\n\nA knows B\n", "k.tsv": "X\tknows\tC\n"}, policy=policy)
    with KnowledgeBase.open(kb) as base:
        list(base.conflicts(touched=True))
    read = {text for text in statements if text.lstrip().split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")}
    assert len(read) > 40
    assert scans(kb, read) == []

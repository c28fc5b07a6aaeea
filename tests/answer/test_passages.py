"""Passages by their words: the published formula, over exactly the passages of the generation that is open."""

import math
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.passages import by_words, fetch, living
from kgqa.errors import StoreError
from kgqa.expand.compact import compact
from kgqa.ids import passage_iri, passage_of
from kgqa.knowledge_base import KnowledgeBase
from kgqa.ledger import DocumentRow, Ledger
from kgqa.ledger_writer import LedgerWriter
from kgqa.memory.index import IndexOptions
from kgqa.schema import drop_words
from tests.expand.toy import build, fast_folder

WORDS = ["red", "dog", "sun", "fox", "bee"]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


def write(path: Path, committed: int, documents: dict[str, list[str]]) -> None:
    """One generation in which each document has these passages."""
    with LedgerWriter.open(path, committed) as ledger:
        for doc_id, passages in documents.items():
            ledger.put_document(DocumentRow(doc_id, "", "", "", None, "", "", ""))
            ledger.replace("passages", doc_id, [(100 * n, 100 * n + 9, text) for n, text in enumerate(passages)])
        ledger.finish_bulk()
        ledger.commit()


def bm25(passages: list[str], query: str) -> list[float]:
    """Robertson's formula as SQLite states it, word by word."""
    tokens = [text.split() for text in passages]
    average = sum(map(len, tokens)) / len(tokens)
    scores = []
    for words in tokens:
        count, score = Counter(words), 0.0
        for word in set(query.split()):
            holding = sum(word in other for other in tokens)
            rarity = math.log((len(tokens) - holding + 0.5) / (holding + 0.5))
            norm = 1.2 * (1 - 0.75 + 0.75 * len(words) / average)
            score += max(rarity, 1e-6) * count[word] * 2.2 / (count[word] + norm)
        scores.append(score)
    return scores


@settings(deadline=None, max_examples=40)
@given(st.lists(texts, min_size=1, max_size=12), texts, st.integers(1, 12))
def test_the_ranking_is_that_of_the_formula(passages, query, k):
    with fast_folder() as folder:
        path = Path(folder) / "ledger.sqlite"
        write(path, 0, {f"d{n:02d}": [text] for n, text in enumerate(passages)})
        with Ledger.read(path, 1) as ledger:
            found = [int(passage.doc_id[1:]) for passage in fetch(ledger, by_words(ledger, query, k))]
    scores = bm25(passages, query)
    assert len(found) == min(k, sum(score > 0 for score in scores))
    assert [scores[n] for n in found] == pytest.approx(sorted(scores, reverse=True)[: len(found)])


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_whatever_is_asked_is_no_syntax(text):
    assert by_words(LEDGER, text, 5) in ([], [1 << 32])


@pytest.fixture(scope="module", autouse=True)
def _ledger(tmp_path_factory):
    global LEDGER
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    write(path, 0, {"a": ['red AND "dogs" NEAR(sun) fox*']})
    with Ledger.read(path, 1) as LEDGER:
        yield


@pytest.mark.parametrize("text", ["", "   ", "who is it?", "?!"])
def test_nothing_that_tells_finds_nothing(text):
    assert by_words(LEDGER, text, 5) == []


def test_endings_accents_and_case_do_not_count(tmp_path):
    write(tmp_path / "ledger.sqlite", 0, {"a": ["Born in Zürich, she studied"], "b": ["red"]})
    with Ledger.read(tmp_path / "ledger.sqlite", 1) as ledger:
        for text in ("ZURICH", "studies", "zürich"):
            (found,) = fetch(ledger, by_words(ledger, text, 5))
            assert found.text == "Born in Zürich, she studied"


def test_a_long_question_is_no_error(tmp_path):
    assert by_words(LEDGER, " ".join(f"word{n}" for n in range(2000)) + " dog", 5) == [1 << 32]


def found(path: Path, generation: int, text: str) -> list[tuple[str, int, str]]:
    with Ledger.read(path, generation) as ledger:
        return [(p.doc_id, p.span[0], p.text) for p in fetch(ledger, by_words(ledger, text, 5))]


def test_each_generation_finds_its_own(tmp_path):
    path = tmp_path / "ledger.sqlite"
    write(path, 0, {"a": ["red dog", "sun"], "b": ["bee"]})
    write(path, 1, {"a": ["sun", "red fox"]})
    assert found(path, 1, "red") == [("a", 0, "red dog")]
    assert found(path, 2, "red") == [("a", 100, "red fox")]
    assert found(path, 1, "sun") == [("a", 100, "sun")]
    assert found(path, 2, "sun") == [("a", 0, "sun")]


def test_a_run_that_did_not_commit_leaves_no_words(tmp_path):
    path = tmp_path / "ledger.sqlite"
    write(path, 0, {"a": ["red dog"]})
    write(path, 1, {"a": ["fox"]})
    write(path, 1, {"b": ["bee"]})  # generation 2 was not named by CURRENT, and is written again
    assert found(path, 2, "fox") == []
    assert sorted(found(path, 2, "dog bee")) == [("a", 0, "red dog"), ("b", 0, "bee")]
    words = sqlite3.connect(path).execute("SELECT count(*) FROM passage_words WHERE passage_words MATCH 'fox'")
    assert words.fetchone() == (0,)


def test_a_ledger_without_words_gets_them_when_it_is_next_written_to(tmp_path):
    path = tmp_path / "ledger.sqlite"
    write(path, 0, {"a": ["red dog"]})
    with closing(sqlite3.connect(path)) as old:
        drop_words(old)
        old.execute("DROP TABLE mentions")
        old.commit()
    assert found(path, 1, "dog") == []
    write(path, 1, {"b": ["dog"]})
    assert sorted(found(path, 2, "dog")) == [("a", 0, "red dog"), ("b", 0, "dog")]


def test_a_sqlite_without_full_text_search_is_told_of(tmp_path, monkeypatch):
    path, words = tmp_path / "ledger.sqlite", {"a": ["red dog"]}
    monkeypatch.setattr("kgqa.schema.WORDS", ("CREATE VIRTUAL TABLE passage_words USING fts99 (text)",))
    with pytest.raises(StoreError, match=r"no such module: fts99.*FTS5"):
        write(path, 0, words)
    monkeypatch.undo()
    write(path, 0, words)
    assert found(path, 1, "dog") == [("a", 0, "red dog")]


def test_compaction_keeps_the_words_of_what_lives_alone(tmp_path):
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, {"a.md": "red dog\n", "b.md": "sun\n\nred bee\n"})
    build(kb, corpus, {"b.md": "sun\n\nred bee\n"})
    compact(kb, options=IndexOptions(), keep=1)
    connection = sqlite3.connect(kb / "ledger.sqlite")
    assert connection.execute("SELECT count(*) FROM passage_words WHERE passage_words MATCH 'dog'").fetchone() == (0,)
    connection.execute("INSERT INTO passage_words (passage_words, rank) VALUES ('integrity-check', 1)")
    with KnowledgeBase.open(kb) as base:
        assert [p.text for p in fetch(base.ledger, by_words(base.ledger, "red", 5))] == ["red bee"]


def found_in(kb: Path, text: str) -> list[str]:
    with KnowledgeBase.open(kb) as base:
        return sorted(passage.text for passage in fetch(base.ledger, by_words(base.ledger, text, 5)))


def test_words_that_a_killed_compaction_left_out_come_back_with_the_next_change(tmp_path, monkeypatch):
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, {"a.md": "red dog\n", "b.md": "sun\n"})
    build(kb, corpus, {"b.md": "red sun\n"})
    monkeypatch.setattr("kgqa.expand.compact.index_words", lambda connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compact(kb, options=IndexOptions(), keep=1)
    assert found_in(kb, "red") == []
    build(kb, corpus, {"b.md": "red sun\n", "c.md": "red bee\n"})
    assert found_in(kb, "red") == ["red bee", "red sun"]
    with closing(sqlite3.connect(kb / "ledger.sqlite")) as connection:
        connection.execute("INSERT INTO passage_words (passage_words, rank) VALUES ('integrity-check', 1)")


def test_vectors_of_passages_that_are_gone_stand_for_nothing():
    items = [(passage_iri("a", 0, 29), text) for text in ('red AND "dogs" NEAR(sun) fox*', "what it was before")]
    assert living(LEDGER, [*items, (passage_iri("gone", 0, 3), "red")]) == [1 << 32]


@pytest.mark.parametrize("doc_id", ["a", "folder/a b", "100 %", "a#3-4", "Größe", "urn:kgqa:doc:x"])
def test_a_passage_is_read_off_its_iri(doc_id):
    assert passage_of(passage_iri(doc_id, 3, 40)) == (doc_id, 3, 40)
    assert re.fullmatch(r"urn:kgqa:doc:[^#]*#3-40", passage_iri(doc_id, 3, 40))

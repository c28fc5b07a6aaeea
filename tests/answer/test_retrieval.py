"""What is retrieved, over knowledge bases that the write path made."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kgqa.answer.passages import by_words, fetch
from kgqa.answer.retrieval import Retriever, fuse
from kgqa.errors import StoreError
from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.ids import entity_iri, passage_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import HashingEmbedder
from kgqa.schema import drop_words
from kgqa.types import Question, Topic
from tests.expand.toy import build

FILES = {
    "one.md": "ADA knows BEN\nsomething about old trees\n",
    "two.md": "BEN likes CID\n",
    "three.md": "a lonely passage about trees and forests\n",
    "names.md": "KAY = CID\n",
}
ADA, BEN, CID, DOT = map(entity_iri, ("ADA", "BEN", "CID", "DOT"))


def asked(*texts: str) -> list[Question]:
    return [Question(str(n), text) for n, text in enumerate(texts)]


@pytest.fixture(scope="module")
def kb(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kb")
    build(folder / "kb", folder / "corpus", FILES)
    return folder / "kb"


def texts_of(retriever: Retriever, text: str, k: int = 10) -> list[str]:
    (found,) = retriever.passages(asked(text), k)
    return [one.passage.text for one in found]


def test_reciprocal_ranks_by_hand():
    fused = fuse([["a", "b", "c"], ["c", "a"], []])
    assert fused == [
        ("a", pytest.approx(1 / 61 + 1 / 62)),
        ("c", pytest.approx(1 / 63 + 1 / 61)),
        ("b", pytest.approx(1 / 62)),
    ]
    assert fuse([]) == fuse([[], []]) == []


@pytest.mark.parametrize("k", [1, 3, 10])
def test_ids_of_passages_are_those_of_words_and_vectors_fused(kb, k):
    """Ids of the memory, by the two searches, each by brute force or by itself; vectors that are given, not made."""
    embedder = HashingEmbedder(16)
    texts = ["ADA knows whom", "trees", "the"]
    with KnowledgeBase.open(kb) as base:
        memory, retriever = base.memory("passage", device="cpu"), Retriever(base)
        vectors = embedder.ask(texts)
        found = retriever.passage_ids(texts, vectors, k)
        stored, cosines = memory.ids(), vectors @ memory.get(memory.ids()).T
        at = {(item[0], item[1]): int(key) for key, item in zip(stored, memory.items(stored), strict=True)}
        for row, text in enumerate(texts):
            near = sorted(range(len(stored)), key=lambda place: (-cosines[row, place], stored[place]))
            words = fetch(base.ledger, by_words(base.ledger, text, 100))
            by_word = [at[passage_iri(p.doc_id, *p.span), p.text] for p in words]
            fused = fuse([by_word, [int(stored[place]) for place in near]])
            scores = dict(fused)
            assert [scores[key] for key in found[row]] == pytest.approx([score for _, score in fused[:k]])
        assert retriever.passage_ids([], vectors[:0], k) == []


def test_equal_ranks_keep_the_order_of_the_lists():
    assert [item for item, _ in fuse([["x"], ["y"], ["z"]])] == ["x", "y", "z"]


def test_scores_are_those_of_the_searches(kb):
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        question = asked("what trees does ADA know")
        places = [found[0] for found in retriever.searches(question).values()]
        (shown,) = retriever.passages(question, 3)
    assert len(places) == 3
    assert [one.score for one in shown] == [score for _, score in fuse(places)[:3]]
    assert [one.score for one in shown] == sorted((one.score for one in shown), reverse=True)


def test_a_walk_reaches_what_shares_no_word(kb):
    with KnowledgeBase.open(kb) as base:
        walks = Retriever(base).searches(asked("ADA", "KAY", "nobody"))["walk"]
        found = [[one.text for one in fetch(base.ledger, keys)] for keys in walks]
    assert found[0] == ["ADA knows BEN", "BEN likes CID"]
    assert found[1] == ["BEN likes CID", "ADA knows BEN"]  # KAY is a name of CID
    assert found[2] == []


def test_facts_around_the_topics_come_first_with_their_sentence(kb):
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        (found,) = retriever.facts(asked("ADA knows"), 5)
        first = found[0].step
        assert (first.head, first.relation, first.tail) == (ADA, relation_iri("knows"), BEN)
        assert (first.provenance.doc_id, first.provenance.sentence) == ("one", "ADA knows BEN")
        assert retriever.text_of(first.tail) == "BEN"
        assert len(found) == 2


def test_given_topics_are_where_the_walk_starts(kb):
    with KnowledgeBase.open(kb) as base:
        question = Question("1", "who is [it]?", (Topic("CID", (8, 10)),))
        assert len(Retriever(base).searches([question])["walk"][0]) == 2


@pytest.mark.parametrize("text", ["", " ", "?!"])
def test_an_empty_question_finds_nothing(kb, text):
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        assert retriever.passages(asked(text), 3) == retriever.facts(asked(text), 3) == [()]


def test_no_questions_and_nothing_wanted(kb):
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        assert retriever.passages([], 3) == retriever.facts([], 3) == []
        assert retriever.passages(asked("ADA"), 0) == retriever.facts(asked("ADA"), 0) == [()]


def test_what_was_never_indexed_is_found_by_words_and_by_the_walk(tmp_path):
    build(tmp_path / "kb", tmp_path / "corpus", FILES, index=False)
    with KnowledgeBase.open(tmp_path / "kb") as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        assert texts_of(retriever, "forests")[0] == FILES["three.md"].strip()
        assert set(texts_of(retriever, "KAY")) == {"KAY = CID", "BEN likes CID", "ADA knows BEN"}
        assert [one.step.tail for one in retriever.facts(asked("ADA"), 1)[0]] == [BEN]


def test_vectors_older_than_the_documents_bring_nothing_back(tmp_path):
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, FILES)
    build(kb, corpus, {"one.md": "ADA knows DOT\n"}, index=False)
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        assert texts_of(retriever, "trees that ADA planted") == ["ADA knows DOT"]
        assert [one.step.tail for one in retriever.facts(asked("trees that ADA planted"), 9)[0]] == [DOT]


def test_a_knowledge_base_that_older_code_wrote_is_searched_with_what_it_has(tmp_path):
    kb = tmp_path / "kb"
    build(kb, tmp_path / "corpus", FILES)
    with closing(sqlite3.connect(kb / "ledger.sqlite")) as ledger:
        drop_words(ledger)
        ledger.execute("DROP TABLE mentions")
        ledger.commit()
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        found = retriever.searches(asked("ADA knows"))
        assert (found["words"], found["walk"]) == ([[]], [[]])
        assert texts_of(retriever, "ADA knows BEN", 1) == ["ADA knows BEN"]
        assert retriever.facts(asked("ADA knows"), 1)[0][0].step.tail == BEN


def test_a_knowledge_base_without_documents(tmp_path):
    year = '"1903"^^<http://www.w3.org/2001/XMLSchema#gYear>'
    lines = [f"<{ADA}> <urn:knows> <{BEN}> .", f"<{ADA}> <urn:born> {year} .", f"<{CID}> <urn:born> {year} ."]
    (tmp_path / "facts.nt").write_text("\n".join(lines), encoding="utf-8")
    expand(tmp_path / "kb", Corpus(tmp_path / "facts.nt", "facts"), Settings())
    with KnowledgeBase.open(tmp_path / "kb") as base:
        retriever = Retriever(base)
        assert retriever.passages(asked("ADA"), 3) == [()]
        (found,) = retriever.facts(asked("ADA"), 5)
        assert {(one.step.head, one.step.tail) for one in found} == {(ADA, BEN), (ADA, year)}  # not CID, born that year


def test_an_empty_knowledge_base(tmp_path):
    build(tmp_path / "kb", tmp_path / "corpus", {"a.md": "ADA knows BEN\n"})
    build(tmp_path / "kb", tmp_path / "corpus", {})
    with KnowledgeBase.open(tmp_path / "kb") as base:
        retriever = Retriever(base, embedder=HashingEmbedder(16))
        assert retriever.passages(asked("ADA"), 3) == retriever.facts(asked("ADA"), 3) == [()]


def test_another_embedder_is_refused(kb):
    with KnowledgeBase.open(kb) as base, pytest.raises(StoreError, match="indexed with embedder 'hashing-v1-16'"):
        Retriever(base, embedder=HashingEmbedder(32))


def test_questions_stream_through_in_order(kb):
    read = []

    def questions():
        for one in asked(*"ABCDE"):
            read.append(one.question_id)
            yield one

    with KnowledgeBase.open(kb) as base:
        found = Retriever(base).retrieve(questions(), num_passages=1, num_facts=1, batch_size=2)
        assert next(found)[0].question_id == "0"
        assert read == ["0", "1"]
        assert [question.question_id for question, _, _ in found] == ["1", "2", "3", "4"]


def test_a_question_is_embedded_and_walked_from_once(kb):
    embedder, walked = HashingEmbedder(16), []
    embed, seen = embedder.embed, []
    embedder.embed = lambda texts: seen.extend(texts) or embed(texts)
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=embedder)
        walk = retriever.surroundings.walk
        retriever.surroundings.walk = lambda questions: walked.extend(questions) or walk(questions)
        (found,) = retriever.retrieve(asked("ADA knows"), num_passages=2, num_facts=2)
    assert len(found[1]) == len(found[2]) == 2
    assert (seen, len(walked)) == (["ADA knows"], 1)

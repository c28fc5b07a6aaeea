"""What a knowledge base teaches an encoder: its names, its other names, and the facts that questions ask for."""

from pathlib import Path

import pytest

from kgqa.answer.lessons import lessons_of
from kgqa.knowledge_base import KnowledgeBase
from kgqa.types import Question, Topic
from tests.expand.toy import build

FILES = {"a.md": "First\n\nA knows B\nB knows A\nA likes B\nB knows C\nZ = A\n", "b.md": "Second\n\nC likes C\n"}
QUESTIONS = [
    Question("1", "Whom does A know?", answers=("B",)),
    Question("2", "Whom does [Z] know?", (Topic("Z", (12, 13)),), ("B", "nobody")),
    Question("3", "Who knows somebody who knows C?", answers=("A",)),
    Question("4", "Whom does C like?", answers=("C",)),
    Question("5", "Whom does A know?"),
    Question("6", "Whom does A know?", answers=()),
    Question("7", "Whom does Nobody Else know?", answers=("B",)),
]


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lessons")
    build(folder / "kb", folder / "corpus", FILES)
    return folder / "kb"


def test_lessons_are_the_graph_in_words_and_rows(kb: Path, caplog: pytest.LogCaptureFixture) -> None:
    with KnowledgeBase.open(kb) as base, caplog.at_level("INFO"):
        lessons = lessons_of(base, QUESTIONS)
        texts = [base.triples().entity_texts, base.triples().relation_texts]
    assert [lessons.entities, lessons.relations] == texts
    place = {name: row for row, name in enumerate(lessons.entities)}
    assert list(lessons.aliases) == [("Z", place["A"])]

    def said(row: int) -> tuple[str, str, str]:
        head, relation, tail = lessons.facts[row].tolist()
        return lessons.entities[head], lessons.relations[relation], lessons.entities[tail]

    facts = {said(row) for row in range(len(lessons.facts))}
    assert facts == {
        ("A", "knows", "B"),
        ("B", "knows", "A"),
        ("A", "likes", "B"),
        ("B", "knows", "C"),
        ("C", "likes", "C"),
    }
    found = {text: {said(row) for row in rows} for text, rows in lessons.questions}
    between = {("A", "knows", "B"), ("B", "knows", "A"), ("A", "likes", "B")}
    assert found == {
        "Whom does A know?": between, "Whom does [Z] know?": between, "Whom does C like?": {("C", "likes", "C")},
    }  # fmt: skip
    assert all(len(set(rows)) == len(rows) > 0 for _, rows in lessons.questions)
    assert "3 of 7 questions are answered by single facts" in caplog.text


def test_a_knowledge_base_teaches_without_questions(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        assert list(lessons_of(base).questions) == []

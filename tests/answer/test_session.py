"""Conversations over a small graph: what a turn leaves out, facts that a user states, and turns in batches."""

import json

import numpy as np
import pytest

from kgqa.answer.answerer import Answerer
from kgqa.answer.chat import Chat
from kgqa.answer.lines import BadLine
from kgqa.answer.questions import question_of
from kgqa.answer.references import Reading
from kgqa.answer.session import Dialogue, Session, _worth
from kgqa.answer.stated import Stated, StatedFacts, given_fact
from kgqa.answer.turns import answers_in_turn, batches
from kgqa.errors import InputError, StoreError
from kgqa.graph.oxigraph import GraphStore
from kgqa.types import Answer, Candidate, Question, Topic
from tests.answer.test_operations import FACTS, NAMES, Linker, Reasoner
from tests.answer.toy_base import Base


class Views(Reasoner):
    def over(self, table):
        return Views(table)


class Names(Linker):
    def over(self, aliases, relation_texts):
        return self


def answerer() -> Answerer:
    base = Base(FACTS, NAMES)
    return Answerer(base, Views(base.table), Names(), abstain_below=0.2)


def talk(*turns: str, dialogue: Dialogue | None = None) -> list[list[str]]:
    dialogue = dialogue or Dialogue(answerer())
    session, said = dialogue.start(), []
    for turn in turns:
        answer, session = dialogue.ask(session, turn)
        said.append(sorted(found.text for found in answer.answers))
        assert {row[0] for row in dialogue.answerer.kb.query(answer.sparql)} == {f.iri for f in answer.answers}
        session = Session.from_json(json.loads(json.dumps(session.to_json())))
    return said


@pytest.mark.parametrize(
    ("turns", "last"),
    [
        (["Who was taught by Ann?", "Which of them were born before 1900?"], ["Ben"]),
        (["Who was taught by Ann?", "How many of them are there?"], ["3"]),
        (["Who was taught by Ann?", "Which of them is the oldest?"], ["Ben"]),
        (["Who was taught by Ann?", "Which of them was born in Kiel?"], ["Ben"]),
        (["Who was taught by Ann?", "Which of them was born in Kiel?", "And in Rome?"], ["Cid", "Dan"]),
        (["Who was taught by Ann?", "Which of them were not born in Kiel?"], ["Cid", "Dan"]),
        (["Who was born in Kiel?", "What about Rome?"], ["Cid", "Dan"]),
        (["Who was born in Kiel?", "When were they born?"], ["1880", "1901"]),
        (["Who was born in Kiel?", "When were they born?", "What about Rome?"], ["1901", "1950"]),
        (["Who was taught by Ann?", "When was she born?"], ["1901"]),
        (["Who was born in Kiel?", "No, I meant Rome."], ["Cid", "Dan"]),
        (["Who was born in Kiel?", "Who was born in Rome?", "Back to Ann: when was she born?"], ["1901"]),
    ],
)
def test_a_turn_is_understood_by_what_was_said_before(turns, last):
    assert talk(*turns)[-1] == last


def test_without_anything_said_before_a_turn_stands_for_itself():
    dialogue = Dialogue(answerer())
    answer, session = dialogue.ask(dialogue.start(), "When was she born?")
    assert answer.abstained
    assert len(session.turns) == 1


def test_sessions_do_not_know_of_one_another():
    dialogue = Dialogue(answerer())
    _, first = dialogue.ask(dialogue.start("a"), "Who was taught by Ann?")
    answer, second = dialogue.ask(dialogue.start("b"), "Which of them were born before 1900?")
    assert answer.abstained
    assert not second.turns[0].answers
    assert len(first.turns) == 1


@pytest.mark.parametrize("broken", [{}, {"format": 99}, {"format": 1, "memory": 3}, {"format": 1, "turns": [{}]}])
def test_what_is_no_session_is_refused(broken):
    with pytest.raises(InputError, match="session"):
        Session.from_json(broken)


ROWS = [
    {"question": "Who was taught by Ann?", "session": "x", "turn": 1},
    {"question": "Which of them were born before 1900?", "session": "x", "turn": 2},
    {"question": "Who was born in Kiel?"},
    {"question": "What about Rome?", "session": "y", "turn": 2},
    {"question": "Who was born in Kiel?", "session": "y", "turn": 1},
]


def test_turns_in_a_batch_are_answered_in_their_order_and_written_in_the_files():
    questions = [question_of(row, str(number)) for number, row in enumerate(ROWS)]
    said = [sorted(f.text for f in answer.answers) for answer in answers_in_turn(answerer(), questions)]
    assert said == [["Ben", "Cid", "Dan"], ["Ben"], ["Ann", "Ben"], ["Cid", "Dan"], ["Ann", "Ben"]]
    assert [answer.question.question_id for answer in answers_in_turn(answerer(), questions)] == list("01234")


def test_no_conversation_is_in_two_batches():
    questions = [
        Question(str(n), "", session=session) for n, session in enumerate(["", "a", "a", "a", "", "", "b", "b"])
    ]
    found = ["".join(q.question_id for q in batch) for batch in batches(questions, 2)]
    assert found == ["0123", "45", "67"]
    with pytest.raises(InputError, match=r"sort the questions by session"):
        list(batches([*questions, Question("8", "", session="a")], 2))


def test_a_turn_that_is_no_number_is_a_bad_line():
    with pytest.raises(BadLine, match="turn"):
        question_of({"question": "q", "turn": "two"}, "1")


class Kept(Base):
    """A knowledge base for a chat."""

    def __init__(self, path):
        super().__init__(FACTS, NAMES)
        self.path = path


def chat(tmp_path, user=None, **options) -> Chat:
    base = Kept(tmp_path)
    shared = Answerer(base, Views(base.table), Names(), abstain_below=0.2)
    return Chat(base, shared, StatedFacts.open(tmp_path, user), lambda text: (), **options)


def lines(chat: Chat, *said: str) -> list[str]:
    return [line for one in said for line in chat.said(one.encode("utf-8", "surrogateescape") + b"\n")]


def test_what_a_user_states_is_seen_by_that_user_alone_and_can_be_exported_and_erased(tmp_path):
    ann, ben = chat(tmp_path, "ann"), chat(tmp_path, "ben")
    lines(ann, "Ann | taught | Kiel")
    assert "Kiel" in lines(ann, "Who was taught by Ann?")[0]
    assert "Kiel" not in lines(ben, "Who was taught by Ann?")[0]
    again = chat(tmp_path, "ann")
    assert "Kiel" in lines(again, "Who was taught by Ann?")[0]
    answer = again.last
    view = again._dialogue.answerer.kb
    assert {row[0] for row in view.query(answer.sparql)} == {found.iri for found in answer.answers}
    (support,) = view.provenance([again.stated.facts[0].triple])[0][:1]
    assert (support.extractor, support.sentence) == ("stated", "Ann | taught | Kiel")

    lines(again, f"/export {tmp_path / 'mine.nq'}")
    exported = (tmp_path / "mine.nq").read_text()
    assert exported.count(again.stated.graph) == len(exported.splitlines()) > 0
    with GraphStore.in_memory() as store:
        store.add(again.stated.quads())
        assert len(store.query(f"SELECT * {{ GRAPH <{again.stated.graph}> {{ ?s ?p ?o }} }}")) == len(
            exported.splitlines()
        )

    assert lines(again, "/forget") == ["1 facts are erased."]
    assert "Kiel" not in lines(again, "Who was taught by Ann?")[0]
    assert not [path for path in (tmp_path / "users").rglob("*") if path.is_file()]


def test_a_user_without_a_name_leaves_nothing(tmp_path):
    assert "end of this conversation" in lines(chat(tmp_path), "Ann | taught | Kiel")[0]
    assert not (tmp_path / "users").exists()


def test_a_conversation_is_gone_on_with(tmp_path):
    file = tmp_path / "talk.json"
    lines(chat(tmp_path, file=file), "Who was taught by Ann?")
    assert lines(chat(tmp_path, file=file), "Which of them were born before 1900?")[-1].startswith("Ben")
    file.write_text("[1, 2")
    with pytest.raises(InputError, match=r"another chat\.file"):
        chat(tmp_path, file=file)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x1b[31mWho is \x00 that?\n", b"\xff\xfe\n", b"a" * (1 << 20) + b"\n", b"?" * 20_000 + b"\n",
        b"/" * 5000 + b"\n", b'"} UNION { ?s ?p ?o } #?\n', b"| | |\n", b"\xe2\x80\xae| \x1b[2J | x\n", b"<script>?\n",
        b"\n", b"/export\n", b"no, the other one\n", b"and?\n", b"they?\n", b"which of them?\n", b"the second one?\n",
        b"what about both?\n",
    ],
)  # fmt: skip
def test_whatever_is_typed_the_conversation_goes_on(tmp_path, raw):
    one = chat(tmp_path)
    for said in (raw, b"Who was taught by Ann?\n", raw):
        assert all(isinstance(line, str) for line in one.said(said))
    assert lines(one, "Who was taught by Ann?")[-1].startswith("Ben")


def test_commands(tmp_path):
    one = chat(tmp_path, evidence=True)
    assert lines(one, "/evidence", "/query", "/facts") == [
        "There is no evidence to show.", "There is no query to show.", "You stated nothing."
    ]  # fmt: skip
    assert len(lines(one, "Who was taught by Ann?")) > 1
    lines(one, "Ann | taught | Kiel", "Ann | taught | Rome")
    assert len(lines(one, "/facts")) == len(lines(one, "/facts Kiel")) == 2
    assert "taught" in lines(one, "/query")[0]
    assert lines(one, "/new", "/help")[0] == "We begin anew."
    assert "No command /x" in lines(one, "/x")[0]


def test_facts_that_cannot_be_kept_are_refused(tmp_path):
    stated = StatedFacts.open(tmp_path, "ann")
    fact = given_fact("Ann | taught | 1900")
    assert fact is not None
    assert fact.tail.startswith('"1900"')
    assert stated.add([fact, fact], np.ones((2, 3), np.float32)) in (1, 2)
    with pytest.raises(InputError, match="another reasoner"):
        stated.add([Stated(*"abcdef", "said")], np.ones((1, 4), np.float32))
    (path,) = (tmp_path / "users").rglob("facts.jsonl")
    path.write_text("{")
    with pytest.raises(StoreError, match="restore it"):
        StatedFacts.open(tmp_path, "ann")


def test_an_answer_of_another_kind_is_worth_less():
    """A person to a question that asks when, and somebody who is none of those of whom some are asked for."""

    def worth(text: str, iri: str, *topics: Topic) -> float:
        asked = Question("1", text, topics)
        return _worth(
            Reading(asked, 1.0), Answer(asked, topics, (Candidate("x", iri, 0.8),), abstained=False, reason="")
        )

    assert worth("When did she die?", '"1934"') == pytest.approx(0.8)
    assert worth("When did she die?", "urn:ann") < 0.8
    of = Topic("them", (9, 13), (Candidate("Ann", "urn:ann", 1.0), Candidate("Ben", "urn:ben", 1.0)), together=True)
    assert worth("Which of them died?", "urn:ann", of) == pytest.approx(0.8)
    assert worth("Which of them died?", "urn:cid", of) < 0.8

"""Which operation a question asks for, what is left of it, and what comes of that over a graph."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kgqa.answer.answerer import Answerer
from kgqa.answer.cues import asked_among
from kgqa.answer.edits import edited
from kgqa.answer.operations import plans_of, sought
from kgqa.graph.algebra import Ask, Count
from kgqa.graph.terms import XSD, literal
from kgqa.ids import entity_iri, relation_iri
from kgqa.reason.paths import Branch, RelationChoice
from kgqa.reason.predict import NO_RELATION, NOT_KNOWN, Prediction
from kgqa.types import Candidate, Question, Topic
from tests.answer.toy_base import Base

NAMES = ("Ann", "Ben", "Cid", "Dan", "Kiel", "Rome", "Ben Nevis")
BORN = {"Ann": "1901", "Ben": "1880", "Cid": "1901", "Dan": "1950"}
FACTS = {
    *((entity_iri(one), relation_iri("born in the year"), literal(year, XSD + "gYear")) for one, year in BORN.items()),
    *((entity_iri(name), relation_iri("born in"), entity_iri("Kiel")) for name in ("Ann", "Ben")),
    *((entity_iri(name), relation_iri("born in"), entity_iri("Rome")) for name in ("Cid", "Dan")),
    *((entity_iri("Ann"), relation_iri("taught"), entity_iri(name)) for name in ("Ben", "Cid", "Dan")),
    (entity_iri("Ben Nevis"), relation_iri("height"), literal("1345", XSD + "integer")),
    (entity_iri("Ben"), relation_iri("height"), literal("180", XSD + "integer")),
    (entity_iri("Dan"), relation_iri("height"), literal("192.5", XSD + "decimal")),
}  # fmt: skip


def question(text: str) -> Question:
    """With a topic wherever a name stands, the longest one first."""
    topics: list[Topic] = []
    for name in sorted(NAMES, key=len, reverse=True):
        start = text.find(name)
        if start >= 0 and all(start >= topic.span[1] or start < topic.span[0] for topic in topics):
            topics.append(Topic(name, (start, start + len(name)), (Candidate(name, entity_iri(name), 1.0),)))
    return Question("1", text, tuple(sorted(topics, key=lambda topic: topic.span)))


class Linker:
    def link(self, questions):
        return [one if one.topics else replace(one, topics=question(one.text).topics) for one in questions]


class Reasoner:
    """Follows what the words of a question name, from each of its topics: `born` against its direction, `taught`
    along it, `when` to a year, `high` to a height."""

    def __init__(self, table):
        self.table, self.asked = table, []

    def embed(self, texts):
        return torch.eye(len(texts), 8)

    def predict(self, questions):
        self.asked += [one.text for one in questions]
        return [self._predict(one) for one in questions]

    def _predict(self, one):
        words = one.text.lower()
        relation, inverse = ("taught", False) if "taught" in words else ("born in", True)
        if "when" in words:
            relation, inverse = "born in the year", False
        if " high " in words:
            relation, inverse = "height", False
        sets = [self._follow({c.iri for c in topic.candidates}, relation, inverse) for topic in one.topics]
        found = sorted(set.intersection(*sets)) if sets else []
        if not found or "unsure" in words:
            return Prediction(reason=NOT_KNOWN, confidence=0.1)
        index = self.table.relation_texts.index(relation)
        hop = ((RelationChoice(index, inverse, 1.0),),)
        branches = tuple(Branch(topic, hop, ((),)) for topic in one.topics)
        return Prediction(found, [1.0] * len(found), branches, [], 0.9)

    def _follow(self, terms, relation, inverse):
        table = self.table
        rows = zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True)
        pairs = [(t, h) if inverse else (h, t) for h, r, t in rows if table.relation_texts[r] == relation]
        return {end for start, end in pairs if table.entities[start] in terms}


@pytest.fixture
def answerer():
    base = Base(FACTS, NAMES)
    return Answerer(base, Reasoner(base.table), Linker(), abstain_below=0.2)


@pytest.mark.parametrize(
    ("asked", "answers", "operation"),
    [
        ("How many people were born in Kiel?", ["2"], "count path"),
        ("And how many of those taught by Ann were there?", ["3"], "count path"),
        ("What is the number of people whom Ann taught?", ["3"], "count path"),
        ("Was Ann born in Kiel?", ["yes"], "any (path and {Ann})"),
        ("Was Ann born in Rome?", ["no"], "any (path and {Ann})"),
        ("Was Ann born before Ben?", ["no"], "born in the year of {Ann} < born in the year of {Ben}"),
        ("Is Ben older than Dan?", ["yes"], "born in the year of {Ben} < born in the year of {Dan}"),
        ("Is Ben Nevis higher than Dan?", ["yes"], "height of {Ben Nevis} > height of {Dan}"),
        ("Was Ann born before 1900?", ["no"], "any ({Ann} where born in the year < 1900)"),
        ("Who is younger, Ben or Dan?", ["Dan"], "largest born in the year of {Ben, Dan}"),
        ("Who of Ann and Cid was born first?", ["Ann", "Cid"], "smallest born in the year of {Ann, Cid}"),
        ("Who is the oldest person taught by Ann?", ["Ben"], "smallest born in the year of path"),
        ("Who of those taught by Ann was born last?", ["Dan"], "largest born in the year of path"),
        ("Who taught by Ann was born before 1901?", ["Ben"], "(path where born in the year < 1901)"),
        ("Who taught by Ann was born before 1950?", ["Ben", "Cid"], "(path where born in the year < 1950)"),
        ("Who taught by Ann was born since 1901?", ["Cid", "Dan"], "(path where born in the year >= 1901)"),
        ("Who taught by Ann was born in the 1950s?", ["Dan"], None),
        ("Who taught by Ann was born between 1890 and 1910?", ["Cid"], None),
        ("Who taught by Ann has a height of more than 185?", ["Dan"], "(path where height > 185)"),
        ("How many taught by Ann were born after 1900?", ["2"], "count (path where born in the year > 1900)"),
        ("Who was born in Kiel or Rome?", ["Ann", "Ben", "Cid", "Dan"], "(path or path)"),
        ("Who was born in Kiel or taught by Ann?", ["Ann", "Ben", "Cid", "Dan"], "(path or path)"),
        ("Who was taught by Ann but was not born in Kiel?", ["Cid", "Dan"], "(path but not path)"),
        ("Who was born in Kiel except Ann?", ["Ben"], "(path but not {Ann})"),
        ("Who was taught by Ann and was born in Kiel?", ["Ben"], "(path and path)"),
        ("When was Ann born?", ["1901"], ""),
    ],
)
def test_questions_are_answered_by_their_operation_with_a_query_that_gives_the_same(
    answerer, asked, answers, operation
):
    answer = answerer.ask(asked)
    assert sorted(found.text for found in answer.answers) == answers
    assert operation is None or answer.operation == operation
    assert {row[0] for row in answerer.kb.query(answer.sparql)} == {found.iri for found in answer.answers}
    for path in answer.paths:
        assert {(step.head, step.relation, step.tail) for step in path} <= FACTS


def test_the_evidence_of_a_filter_is_the_path_and_the_value_that_passed(answerer):
    (path,) = answerer.ask("Who taught by Ann was born before 1901?").paths
    assert [(step.head, step.tail) for step in path] == [
        (entity_iri("Ann"), entity_iri("Ben")), (entity_iri("Ben"), literal("1880", XSD + "gYear"))
    ]  # fmt: skip


def test_what_the_reasoner_doubts_is_not_counted(answerer):
    answer = answerer.ask("How many unsure things does Ann have?")
    assert (answer.abstained, answer.reason, answer.answers) == (True, NOT_KNOWN, ())


def test_without_operations_every_question_is_about_paths(answerer):
    answerer.operations = False
    assert [found.text for found in answerer.ask("How many people were born in Kiel?").answers] == ["Ann", "Ben"]


@pytest.mark.parametrize(
    "text",
    [
        "Who first saw Ann?", "Where did Ann breathe her last breath?", "Which lab opened after Ann?", "Is Ann known?",
        "Who was born in Kiel in 1900?", "How many years did Ann live?", "Ann and Ben worked where?", "Ben Nevis",
    ],
)  # fmt: skip
def test_questions_about_paths_ask_for_no_operation(text):
    assert not [plan for plan in plans_of(question(text)) if plan.needed]


words = st.sampled_from(
    [*NAMES, "How many", "was", "Did", "or", "and", "not", "first", "before 1900", "the oldest", ",", "?", "of",
     "except", "more than 3", "between 1900 and 1910", "who", "\x1b[31m", "\x00", '"}', "’"]
)  # fmt: skip


@pytest.mark.parametrize("asked", ["pages has", "metres above the sea is", "kilograms were", "Feet were"])
def test_what_is_measured_is_not_counted(answerer, asked):
    answer = answerer.ask(f"How many {asked} taught by Ann?")
    assert (answer.abstained, answer.reason, answer.answers) == (True, NO_RELATION, ())


def test_a_number_that_a_fact_has_is_given_in_whatever_unit(answerer):
    assert [found.text for found in answerer.ask("How many metres high is Ben Nevis?").answers] == ["1345"]


@given(st.lists(words, max_size=12).map(" ".join))
def test_whatever_is_asked_topics_stay_where_their_words_stand(text):
    for plan in plans_of(question(text)):
        assert plan.make not in (Count, Ask) or len(plan.parts) == 1
        for part in sought(plan):
            assert all(part.text[slice(*topic.span)] == topic.text for topic in part.topics)


@given(st.text("ab ", min_size=1, max_size=20), st.data())
def test_an_edit_moves_the_topics_behind_it(text, data):
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=2)) if len(text) > 1 else {0, 1})
    topics = tuple(Topic(text[n : n + 1], (n, n + 1)) for n in range(len(text)))
    new = edited(Question("1", text, topics), ((places[0], places[1]), "xyz"))
    assert new.text == text[: places[0]] + "xyz" + text[places[1] :]
    assert [topic.text for topic in new.topics] == list(text[: places[0]] + text[places[1] :])
    assert all(new.text[slice(*topic.span)] == topic.text for topic in new.topics)


@pytest.mark.parametrize(
    "unit", [" ", ",", " , ", "or ", "and who ", "not ", "the ", "before ", "between 1900 and ", "?"]
)
def test_long_questions_of_one_word_cost_no_more_than_their_length(unit):
    text = "Was Ann" + unit * (9_000 // len(unit)) + "Ben first"
    assert isinstance(plans_of(question(text)), list)


def of_several(text: str, *names: str, asked: str) -> Question:
    """Some of `names`, which stand together in the text."""
    said = " and ".join(names)
    start, place = text.index(said), text.index(asked)
    several = Topic(said, (start, start + len(said)), tuple(Candidate(n, entity_iri(n), 1.0) for n in names), True)
    return Question(
        "1", text, (several, Topic(asked, (place, place + len(asked)), question(asked).topics[0].candidates))
    )


def test_some_of_several_that_are_on_a_path_are_less_in_doubt_than_the_path(answerer):
    asked = of_several("Which of Ben and Dan were born in Kiel?", "Ben", "Dan", asked="Kiel")
    some, all_of_them = answerer.answer([asked, Question("2", "Who was born in Kiel?")])
    assert [found.text for found in some.answers] == ["Ben"]
    assert all_of_them.answers[0].score == pytest.approx(0.9)
    assert some.answers[0].score == pytest.approx(0.9**0.5)


def test_a_name_that_begins_with_an_article_is_among_those_that_are_asked_about():
    asked = of_several("Which of The Deluge and Potop were made in Kiel?", "The Deluge", "Potop", asked="Kiel")
    assert asked_among(asked) is asked.topics[0]
    assert asked_among(of_several("Which of the Deluge and Potop were in Kiel?", "Deluge", "Potop", asked="Kiel"))
    assert asked_among(question("Which people of Kiel taught Ann?")) is None

"""From predictions to answers, over a small graph and a predictor that follows programs word by word.

A question's text is its program: `>taught <taught-0` walks `taught` forwards, then backwards, and leaves step 0 out.
The predictor runs it with plain sets; the query that comes with the answer must give exactly the same set.
"""

import re
from functools import reduce
from itertools import pairwise

import numpy as np
import pyoxigraph as ox
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.answerer import Answerer
from kgqa.answer.calibration import Calibration
from kgqa.answer.records import answer_record
from kgqa.graph.subgraph import TripleTable
from kgqa.ids import ASSERTED
from kgqa.reason.paths import Branch, RelationChoice
from kgqa.reason.predict import Prediction
from kgqa.types import Candidate, Passage, Provenance, Question, RankedPassage, Topic

E, R = "urn:kgqa:entity:", "urn:kgqa:relation:"


class ToyBase:
    """The reading side of a knowledge base over triples given as (head, relation, tail) of short names."""

    def __init__(self, facts):
        terms = sorted({E + name for head, _, tail in facts for name in (head, tail)})
        relations = sorted({R + relation for _, relation, _ in facts})
        columns = [[terms.index(E + h), relations.index(R + r), terms.index(E + t)] for h, r, t in sorted(facts)]
        rows = np.array(columns, dtype=np.int64).reshape(-1, 3)
        names = [term.removeprefix(E) for term in terms], [term.removeprefix(R) for term in relations]
        self.table = TripleTable(rows[:, 0], rows[:, 1], rows[:, 2], terms, names[0], relations, names[1])
        self.store = ox.Store()
        for h, r, t in facts:
            nodes = (ox.NamedNode(E + h), ox.NamedNode(R + r), ox.NamedNode(E + t))
            self.store.add(ox.Quad(*nodes, ox.NamedNode(ASSERTED)))
        self.asked = 0

    def triples(self):
        return self.table

    def provenance(self, triples):
        self.asked += len(triples)
        return [[Provenance("doc", " ".join(triple), (0, 9))] for triple in triples]

    def query(self, sparql):
        return [tuple(node.value for node in row) for row in self.store.query(sparql)]


class ToyLinker:
    """Every given topic stands for the entity of its name, or, of `A/B`, for either with like probability."""

    def link(self, questions):
        return [self._link(question) for question in questions]

    def _link(self, question):
        topics = tuple(t if t.candidates else self._resolved(t) for t in question.topics)
        return Question(question.question_id, question.text, topics, question.answers)

    def _resolved(self, topic):
        names = topic.text.split("/")
        return Topic(topic.text, topic.span, tuple(Candidate(topic.text, E + name, 1 / len(names)) for name in names))


class ToyPredictor:
    """Runs the program that a question's text is; several topics are walked alike and must all hold."""

    def __init__(self, table):
        self.table = table
        self.edges = set(zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True))

    def embed(self, texts):
        return torch.eye(len(texts), 8)

    def predict(self, questions):
        return [self._predict(question) for question in questions]

    def _predict(self, question):
        hops = [self._hop(word) for word in question.text.split()]
        starts = [{self.table.entities.index(c.iri) for c in t.candidates} for t in question.topics]
        walks = [self._walk(start, hops) for start in starts]
        found = sorted(reduce(set.intersection, (walk[-1] for walk in walks))) if walks else []
        if not found:
            return Prediction()
        branches = tuple(
            Branch(t, tuple(choices for choices, _ in hops), tuple(out for _, out in hops)) for t in question.topics
        )
        path = self._path(found[0], walks[0], hops)
        return Prediction(found, [1 / (n + 1) for n in range(len(found))], branches, [path], 1.0)

    def _hop(self, word):
        *relations, out = re.sub(r"-(?=\d)", "|-", word).split("|") if "-" in word else [*word.split("|"), ""]
        choices = tuple(RelationChoice(self.table.relation_terms.index(R + r[1:]), r[0] == "<", 1.0) for r in relations)
        return choices, tuple(int(digit) for digit in out.strip("-"))

    def _walk(self, start, hops):
        reached = [start]
        for choices, out in hops:
            wanted, here = {(c.index, c.inverse) for c in choices}, reached[-1]
            after = {t for h, r, t in self.edges if (r, False) in wanted and h in here}
            after |= {h for h, r, t in self.edges if (r, True) in wanted and t in here}
            reached.append(after.difference(*(reached[step] for step in out)))
        return reached

    def _path(self, answer, reached, hops):
        steps = []
        for before, (choices, _) in zip(reversed(reached[:-1]), reversed(hops), strict=True):
            wanted = {(c.index, c.inverse) for c in choices}
            step = next(
                (h, r, t, inverse)
                for h, r, t in sorted(self.edges)
                for inverse in (False, True)
                if (r, inverse) in wanted and (h if inverse else t) == answer and (t if inverse else h) in before
            )
            answer = step[2] if step[3] else step[0]
            steps.append(step)
        return steps[::-1]


FACTS = {
    ("Bohr", "taught", "Pauli"),
    ("Born", "taught", "Pauli"),
    ("Born", "taught", "Fermi"),
    ("Fermi", "born", "Rome"),
}


def ask(facts, text, *names, **options):
    kb = ToyBase(facts)
    answerer = Answerer(kb, ToyPredictor(kb.table), ToyLinker(), **options)
    question = Question("q", text, tuple(Topic(name, (0, 0)) for name in names))
    return kb, next(answerer.answer([question]))


def test_an_answer_has_names_sentences_and_a_query():
    kb, answer = ask(FACTS, "<taught >taught-0", "Pauli")
    record = answer_record(answer)
    assert [found["text"] for found in record["answers"]] == ["Fermi"]
    assert [(step["head_text"], step["tail_text"], step["inverse"]) for step in record["paths"][0]] == [
        ("Born", "Pauli", True),
        ("Born", "Fermi", False),
    ]
    assert record["paths"][0][0]["sentence"] == f"{E}Born {R}taught {E}Pauli"
    assert kb.query(record["sparql"]) == [(E + "Fermi",)]


def test_evidence_that_was_given_is_said_in_words_and_marked():
    kb = ToyBase(FACTS)
    kb.provenance = lambda triples: [[Provenance("facts.tsv", "", (2, 3))] for _ in triples]
    question = Question("q", ">taught", (Topic("Bohr", (0, 4)),))
    record = answer_record(next(Answerer(kb, ToyPredictor(kb.table), ToyLinker()).answer([question])))
    ((step,),) = record["paths"]
    assert (step["sentence"], step["extractor"], step["start"]) == ("Bohr taught Pauli", "given", 2)


def test_a_path_hangs_together_from_topic_to_answer():
    _, answer = ask(FACTS, "<taught >taught >born", "Pauli")
    (path,) = answer.paths
    walked = [(step.tail, step.head) if step.inverse else (step.head, step.tail) for step in path]
    assert walked[0][0] == answer.topics[0].candidates[0].iri
    assert walked[-1][1] == answer.answers[0].iri
    assert all(first[1] == second[0] for first, second in pairwise(walked))


def test_two_topics_must_both_hold():
    kb, answer = ask(FACTS, ">taught", "Bohr", "Born")
    assert {found.text for found in answer.answers} == {"Pauli"}
    assert kb.query(answer.sparql) == [(E + "Pauli",)]


@pytest.mark.parametrize(("names", "reason"), [((), "no such entity"), (("Rome",), "not in the knowledge base")])
def test_abstaining_says_why_and_answers_nothing(names, reason):
    _, answer = ask(FACTS, ">taught", *names)
    assert (answer.abstained, answer.reason, answer.answers, answer.sparql) == (True, reason, (), "")


@pytest.mark.parametrize(
    ("topic", "program", "reason"),
    [
        ("Bohr/Born", ">taught", "ambiguous: did you mean Bohr or Born"),
        ("Bohr/Born/Fermi", ">taught", "ambiguous: did you mean Bohr or Born"),  # Fermi taught nobody
        ("Bohr/Rome", ">taught", ""),  # one reading alone has an answer
        ("Pauli/Fermi", "<taught >born", ""),  # none has
    ],
)
def test_a_name_of_two_entities_is_asked_back_about_where_it_matters(topic, program, reason):
    _, answer = ask(FACTS, program, topic)
    assert (answer.reason if answer.reason.startswith("ambiguous") else "") == reason
    assert answer.abstained == bool(answer.reason)
    assert not reason or (answer.answers, bool(answer.withheld)) == ((), True)


def test_it_is_not_asked_back_where_that_is_not_wanted_or_both_readings_say_the_same():
    _, answer = ask(FACTS, ">taught", "Bohr/Born", ambiguous_from=2)
    assert {found.text for found in answer.answers} == {"Pauli", "Fermi"}
    _, answer = ask(FACTS | {("Bohr", "born", "Rome"), ("Born", "born", "Rome")}, ">born", "Bohr/Born")
    assert {found.text for found in answer.answers} == {"Rome"}


def test_entities_of_one_name_are_told_apart_by_their_iris():
    kb = ToyBase(FACTS)
    answerer = Answerer(kb, ToyPredictor(kb.table), ToyLinker())
    answerer.text_of = lambda term: "Niels"
    question = Question("q", ">taught", (Topic("Bohr/Born", (0, 0)),))
    assert next(answerer.answer([question])).reason == f"ambiguous: did you mean Niels <{E}Bohr> or Niels <{E}Born>"


def test_what_is_too_doubtful_is_withheld_and_scores_are_calibrated():
    halved = Calibration((0.0, 1.0), (0.0, 0.5))
    _, answer = ask(FACTS, ">taught", "Born", calibration=halved)
    assert [found.score for found in answer.answers] == [0.5, 0.25]  # the toy's weights are 1 and 1/2
    _, answer = ask(FACTS, ">taught", "Born", calibration=halved, abstain_below=1.0)
    assert (answer.abstained, answer.reason, answer.answers) == (True, "not in the knowledge base", ())
    assert [found.score for found in answer.withheld] == [0.5, 0.25]
    assert (answer.paths, answer.sparql) == ((), "")


def test_answers_come_in_order_in_batches_and_evidence_is_looked_up_once():
    kb = ToyBase(FACTS)
    answerer = Answerer(kb, ToyPredictor(kb.table), ToyLinker(), batch_size=3)
    read = []

    def questions():
        for number in range(10):
            read.append(number)
            yield Question(str(number), "<taught", (Topic("Fermi", (0, 5)),))

    stream = answerer.answer(questions())
    assert next(stream).question.question_id == "0"
    assert len(read) == 3
    assert [answer.question.question_id for answer in stream] == [str(number) for number in range(1, 10)]
    assert kb.asked == 1


class ToyRetriever:
    """Finds a passage for each question, named after it, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def passages(self, questions, k):
        self.asked.append(([question.question_id for question in questions], k))
        return [(RankedPassage(Passage(question.question_id, (0, 1), "x"), 0.5),) * k for question in questions]


def mixed():
    """Ten questions, of which the odd ones are about nobody."""
    return [Question(str(n), "<taught", (Topic("Fermi", (0, 5)),) if n % 2 == 0 else ()) for n in range(10)]


@pytest.mark.parametrize("wanted", [0, 1, 3])
def test_what_is_abstained_from_comes_with_passages_and_stays_abstained(wanted):
    kb, retriever = ToyBase(FACTS), ToyRetriever()
    options = {"retriever": retriever, "fallback_passages": wanted, "batch_size": 5}
    answers = list(Answerer(kb, ToyPredictor(kb.table), ToyLinker(), **options).answer(mixed()))
    assert [answer.question.question_id for answer in answers] == list(map(str, range(10)))
    for answer in answers:
        assert answer.abstained == bool(int(answer.question.question_id) % 2)
        names = [found.passage.doc_id for found in answer.passages]
        assert names == [answer.question.question_id] * (wanted if answer.abstained else 0)
    assert retriever.asked == ([(["1", "3"], wanted), (["5", "7", "9"], wanted)] if wanted else [])


def test_without_an_abstention_nothing_is_retrieved():
    kb, retriever = ToyBase(FACTS), ToyRetriever()
    answerer = Answerer(kb, ToyPredictor(kb.table), ToyLinker(), retriever=retriever)
    assert not any(answer.passages for answer in answerer.answer(mixed()[::2]))
    assert retriever.asked == []


NODES, RELATIONS = "abcdef", "xyz"
GRAPHS = st.sets(
    st.tuples(st.sampled_from(NODES), st.sampled_from(RELATIONS), st.sampled_from(NODES)), min_size=4, max_size=20
)


@st.composite
def programs(draw):
    """A walkable graph, a program over its relations, and the topics that it starts at."""
    facts = draw(GRAPHS)
    directed = st.sampled_from(sorted({sign + r for _, r, _ in facts for sign in "<>"}))
    words = []
    for hop in range(draw(st.integers(1, 3))):
        choices = draw(st.lists(directed, min_size=1, max_size=2, unique=True))
        out = draw(st.lists(st.integers(0, hop), max_size=2, unique=True))
        words.append("|".join(choices) + ("-" + "".join(map(str, out)) if out else ""))
    topics = draw(st.lists(st.sampled_from(sorted({h for h, _, _ in facts})), min_size=1, max_size=2, unique=True))
    return facts, " ".join(words), topics


@settings(deadline=None)
@given(programs())
def test_the_query_gives_exactly_the_answer_set(program):
    facts, text, topics = program
    kb, answer = ask(facts, text, *topics)
    if not answer.abstained:
        rows = kb.query(answer.sparql)
        assert len(rows) == len(set(rows))
        assert {term for (term,) in rows} == {found.iri for found in answer.answers}

"""Questions of a graph's own: names stand where topics say, answers hold in the graph, some have none."""

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.examples import Vocabulary, example
from kgqa.reason.made import made_questions
from kgqa.reason.tokens import PLACEHOLDER


def test_a_question_reads_as_if_a_user_had_asked_it(toy: TripleTable) -> None:
    made = made_questions(toy, 200, max_hops=2, seed=0)
    vocabulary = Vocabulary(toy)
    assert len({question.question_id for question in made}) == len(made) == 200
    assert {bool(question.answers) for question in made} == {True, False}
    for question in made:
        assert PLACEHOLDER not in question.text
        for topic in question.topics:
            (candidate,) = topic.candidates
            assert question.text[slice(*topic.span)] == topic.text == candidate.text
            assert toy.entity_texts[toy.entities.index(candidate.iri)] == candidate.text
        one = example(question, vocabulary)
        assert len(one.topics) == len(question.topics) == one.text.count(PLACEHOLDER)
        assert len(one.answers or ()) == len(question.answers or ())


def test_the_same_seed_makes_the_same_questions(toy: TripleTable) -> None:
    first, again, other = (made_questions(toy, 50, max_hops=2, seed=seed) for seed in (3, 3, 4))
    assert first == again != other

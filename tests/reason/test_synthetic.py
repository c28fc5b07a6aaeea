"""Made questions: their answers follow from the graph, a seed makes the same ones, poor graphs end the draw."""

import numpy as np

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.synthetic import Graph, PathQuestions, shapes
from kgqa.reason.tokens import PLACEHOLDER


def test_answers_are_reachable_from_every_topic(toy: TripleTable) -> None:
    neighbours = {i: set() for i in range(len(toy.entities))}
    for head, tail in zip(toy.heads.tolist(), toy.tails.tolist(), strict=True):
        neighbours[head].add(tail)
        neighbours[tail].add(head)

    def within(start: int, hops: int) -> set[int]:
        reached, last = set(), {start}
        for _ in range(hops):
            last = set().union(*(neighbours[e] for e in last))
            reached |= last
        return reached

    made = list(PathQuestions(Graph(toy), max_hops=2, seed=0).draw(200))
    assert len(made) == 200
    assert any(len(one.topics) == 2 for one in made)
    for one in made:
        assert one.answers
        assert one.text.count(PLACEHOLDER) == len(one.topics)
        for ((entity, weight),) in one.topics:
            assert weight == 1
            assert set(one.answers) <= within(entity, 2)


def test_one_hop_questions_name_the_relation_that_gives_their_answers(toy: TripleTable) -> None:
    facts = list(zip(toy.heads.tolist(), toy.relations.tolist(), toy.tails.tolist(), strict=True))
    for one in PathQuestions(Graph(toy), max_hops=1, seed=1).draw(100):
        if len(one.topics) == 1 and "itself" not in one.text:
            ((entity, _),) = one.topics[0]
            named = [r for r, text in enumerate(toy.relation_texts) if text.removesuffix(" by") in one.text]
            forward = {t for h, r, t in facts if h == entity and r in named}
            inverse = {h for h, r, t in facts if t == entity and r in named}
            assert set(one.answers) in (forward - {entity}, inverse - {entity})


def test_the_same_seed_makes_the_same_questions(toy: TripleTable) -> None:
    first, again, other = ([*PathQuestions(Graph(toy), max_hops=3, seed=s).draw(50)] for s in (3, 3, 4))
    assert first == again != other


def test_a_graph_without_facts_gives_no_question() -> None:
    none = np.array([], dtype=np.int64)
    empty = TripleTable(none, none, none, ["a"], ["a"], [], [])
    assert list(PathQuestions(Graph(empty), max_hops=3, seed=0).draw(5)) == []


def test_verbs_and_nouns_are_phrased_as_such() -> None:
    assert "who directed {inner}" in shapes("directed by", forward=True)
    assert "those that {inner} directed" in shapes("directed by", forward=False)
    assert "what genre {inner} has" in shapes("has genre", forward=True)
    assert "those whose genre is {inner}" in shapes("has genre", forward=False)
    assert all(
        "{inner}" in shape and "knows" in shape for way in (True, False) for shape in shapes("knows", forward=way)
    )

"""Questions in the words of others: the path read off an answer is the only one, and what is made follows it."""

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.examples import Example
from kgqa.reason.rewording import Rewordings
from kgqa.reason.synthetic import Graph
from kgqa.reason.tokens import PLACEHOLDER


def asked(toy: TripleTable, text: str, topic: str, *answers: str) -> Example:
    at = toy.entity_texts.index
    return Example(text, (((at(topic), 1.0),),), tuple(sorted(map(at, answers))))


def reworded(toy: TripleTable, *examples: Example, seed: int = 0) -> Rewordings:
    return Rewordings(Graph(toy), examples, max_hops=2, seed=seed)


def test_a_path_is_read_off_only_where_no_other_is_as_short(toy: TripleTable) -> None:
    relation = toy.relation_texts.index
    born = asked(toy, f"where was {PLACEHOLDER} born", "anna", "berlin")
    others = asked(toy, f"who else got what {PLACEHOLDER} got", "anna", "carl")
    taught = asked(toy, f"who was born where {PLACEHOLDER} was", "anna", "dora")  # or is taught by whom she taught
    (wording,) = reworded(toy, born).wordings
    assert (wording.path, wording.without_topic) == ((relation("born in"),), None)
    two_paths = asked(toy, f"what has to do with {PLACEHOLDER}", "carl", "anna")  # her pupil, or who got the same prize
    assert [one.path for one in reworded(toy, two_paths).wordings] == [(relation("teacher of") + 4,)]
    (wording,) = reworded(toy, others).wordings
    assert wording.without_topic
    assert wording.path == (relation("received"), relation("received") + 4)
    assert not reworded(toy, taught).wordings
    assert not reworded(toy, asked(toy, f"{PLACEHOLDER}?", "prize", "berlin")).wordings


def test_what_is_made_follows_the_path_or_has_no_answer(toy: TripleTable) -> None:
    graph = Graph(toy)
    examples = [
        asked(toy, f"where was {PLACEHOLDER} born", "anna", "berlin"),
        asked(toy, f"what did {PLACEHOLDER} get", "anna", "prize"),  # dora, who is like her, got nothing
    ]
    made = list(reworded(toy, *examples).draw(300))
    assert len(made) == 300
    kinds = {"elsewhere": 0, "unanswerable": 0, "nested": 0}
    for one in made:
        ((topic, _),) = one.topics[0]
        path = (toy.relation_texts.index("received" if "what did" in one.text else "born in"),)
        assert one.text.count(PLACEHOLDER) == 1
        if one.text in {example.text for example in examples}:
            assert set(one.answers or ()) == graph.follow({topic}, path)
            kinds["elsewhere" if one.answers else "unanswerable"] += 1
        else:
            reached = {graph.num_entities} | set().union(
                *(graph.follow(graph.step({topic}, r), path) for r in graph.leaving({topic}))
            )
            assert set(one.answers or ()) <= reached
            assert one.answers
            kinds["nested"] += 1
    assert min(kinds.values()) > 10, kinds


def test_a_seed_makes_the_same_questions_and_nothing_comes_of_nothing(toy: TripleTable) -> None:
    born = asked(toy, f"where was {PLACEHOLDER} born", "anna", "berlin")
    assert list(reworded(toy, born).draw(20)) == list(reworded(toy, born).draw(20))
    assert list(reworded(toy).draw(5)) == []

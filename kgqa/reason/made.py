"""Questions that a graph asks of itself, for whoever has none: a reasoner can start from them and be measured on some.

They are walks phrased with the relations' texts (kgqa.reason.synthetic), and the same words asked of other entities,
some of which have no answer (kgqa.reason.rewording).
"""

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.examples import Example
from kgqa.reason.rewording import Rewordings
from kgqa.reason.synthetic import Graph, PathQuestions
from kgqa.reason.tokens import PLACEHOLDER
from kgqa.types import Candidate, Question, Topic

_REWORDED = 0.4
"""Share that asks again in the words of the rest; a quarter of that has no answer."""


def made_questions(table: TripleTable, count: int, *, max_hops: int, seed: int) -> list[Question]:
    """Up to `count` questions with their topics and answers, the same for the same seed; fewer from a small graph."""
    graph = Graph(table)
    walks = list(PathQuestions(graph, max_hops=max_hops, seed=seed).draw(count - round(count * _REWORDED)))
    reworded = Rewordings(graph, walks, max_hops=max_hops, seed=seed).draw(count - len(walks))
    return [_question(table, f"made-{number}", one) for number, one in enumerate([*walks, *reworded])]


def _question(table: TripleTable, question_id: str, one: Example) -> Question:
    """The example with its topics' names where placeholders were."""
    text, *rest = one.text.split(PLACEHOLDER)
    topics = []
    for after, ((entity, _),) in zip(rest, one.topics, strict=True):
        name, start = table.entity_texts[entity], len(text)
        text += name + after
        candidate = Candidate(name, table.entities[entity], 1.0)
        topics.append(Topic(name, (start, start + len(name)), (candidate,)))
    answers = tuple(table.entities[answer] for answer in one.answers or ())
    return Question(question_id, text, tuple(topics), answers)

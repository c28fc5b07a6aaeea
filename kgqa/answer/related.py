"""Answers to "what is Kim to Ann?" and "how are Kim and Ann related?": relations, proved by the path between the two.

stated                                     brother (said of Ann), proved by a query for what joins them
else derived by rules of the graph         grandfather (said of Ann), from (Ann, father, Lee), (Lee, father, Kim)
else                                       no answer, and the path for what it is worth
"""

from collections.abc import Callable, Mapping

from kgqa.answer.cues import asked_to_each_other
from kgqa.answer.evidence import Evidence
from kgqa.answer.explain import explain
from kgqa.answer.operations import known
from kgqa.graph.between import between_query, facts_query
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.relatedness import Found, Relatedness
from kgqa.types import Answer, Candidate, Question, Step

_FOLLOWS = 0.5
"""Share among what rules allow from which a relation is said to follow."""


class Related:
    """Of one graph; what rules it has is learned when they are first asked for."""

    def __init__(
        self, table: TripleTable, evidence: Evidence, index: Mapping[str, int], text_of: Callable[[str], str]
    ) -> None:
        """index: where the terms stand in the table."""
        self._table, self._evidence, self._index, self._text_of = table, evidence, index, text_of
        self._graph = Relatedness(table)

    def answer(self, question: Question) -> Answer | None:
        """None where the question, its topics linked, does not ask what two entities of the graph are to each other.

        A derived relation that is only one of several is withheld; the path between the two is shown with it.
        """
        pair = asked_to_each_other(question)
        ends = [[self._index[term] for term in known(topic).terms if term in self._index] for topic in pair or ()]
        if not ends or not all(ends) or ends[0][0] == ends[1][0]:
            return None
        one, other = ends[0][0], ends[1][0]
        found = self._graph.between(one, other)
        candidates = tuple(self._candidate(*relation, other) for relation in found.relations)
        given = tuple(one for one in candidates if found.is_stated or one.score > _FOLLOWS)
        paths = self._evidence.of([found.path] if found.path else [])
        return Answer(
            question,
            question.topics,
            given,
            abstained=not given,
            reason="" if given else self._why_not(paths),
            paths=paths,
            sparql=self._proof(found, one, other, paths) if given else "",
            operation="composed by rules" if given and not found.is_stated else "",
            withheld=() if given else candidates,
        )

    def _candidate(self, relation: int, inverse: bool, sure: float, other: int) -> Candidate:
        of = f" (said of {self._table.entity_texts[other]})" if inverse else ""
        return Candidate(self._table.relation_texts[relation] + of, self._table.relation_terms[relation], sure)

    def _why_not(self, paths: tuple[tuple[Step, ...], ...]) -> str:
        joined = f"what joins them is that {explain(paths[0], self._text_of)}" if paths else "nothing near joins them"
        return f"no relation of the two is stated or follows: {joined}"

    def _proof(self, found: Found, one: int, other: int, paths: tuple[tuple[Step, ...], ...]) -> str:
        if found.is_stated:
            return between_query(self._table.entities[one], self._table.entities[other])
        return facts_query([(step.head, step.relation, step.tail) for step in paths[0]])

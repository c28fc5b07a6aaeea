"""Questions made from a graph's own paths, phrased with the relations' own texts.

They teach what any graph can teach: that a relation's text is to be followed, in which direction, in which order when
phrases are nested, and that two topics joined by "and" must both hold. They need no question of a user's, so a reasoner
can start from them alone, and a handful of real questions then only has to teach their wording.
"""

import random
from collections.abc import Iterator, Sequence

import numpy as np

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.examples import Example
from kgqa.reason.tokens import PLACEHOLDER

# How a noun phrase grows by one hop. Forward: from the head {inner} to the tail; inverse: from the tail to the head.
FORWARD = (
    "what {inner} {relation}",
    "the thing that {inner} {relation}",
    "{inner} {relation} what",
    "the {relation} of {inner}",
)
INVERSE = (
    "who {relation} {inner}",
    "the one that {relation} {inner}",
    "those {relation} {inner}",
    "what {relation} {inner}",
)
QUESTION = ("{phrase}?", "which is {phrase}?", "name {phrase}", "{phrase}")
BOTH = ("{first} and {second}", "{first} and also {second}", "{first} and at the same time {second}")
EXCEPT_TOPIC = "{phrase} other than itself"

_MAX_ANSWERS = 30
"""A longer list is not what people ask for, and says little about the path."""

_INTERSECTIONS = 0.2
"""Share of questions with two topics."""


class PathQuestions:
    """Draws questions from one graph; the same seed gives the same questions."""

    def __init__(self, table: TripleTable, *, max_hops: int, seed: int) -> None:
        self.num_relations = len(table.relation_texts)
        self.texts = table.relation_texts
        self.max_hops = max_hops
        self.random = random.Random(seed)
        source = np.concatenate([table.heads, table.tails])
        relation = np.concatenate([table.relations, table.relations + self.num_relations])
        target = np.concatenate([table.tails, table.heads])
        order = np.lexsort((relation, source))
        self._relation, self._target = relation[order], target[order]
        self._offsets = np.concatenate([[0], np.bincount(source, minlength=len(table.entities)).cumsum()])

    def draw(self, count: int) -> Iterator[Example]:
        """`count` questions, or fewer where the graph has hardly any path (a hundred draws in a row failed)."""
        failures = 0
        while count and failures < 100 and len(self._target):
            made = self._intersection() if self.random.random() < _INTERSECTIONS else self._path()
            failures = 0 if made else failures + 1
            if made:
                count -= 1
                yield made

    def _path(self) -> Example | None:
        topic = self.random.randrange(len(self._offsets) - 1)
        path, answers = self._walk(topic, self.random.randint(1, self.max_hops))
        phrase = self._phrase(path)
        if topic in answers and self.random.random() < 0.5:
            answers, phrase = answers - {topic}, EXCEPT_TOPIC.format(phrase=phrase)
        return self._example(phrase, (topic,), answers) if path else None

    def _intersection(self) -> Example | None:
        """Two walks out of one entity, turned round: it answers them both."""
        answer = self.random.randrange(len(self._offsets) - 1)
        topics, phrases, answers = [], [], None
        for _ in range(2):
            path, ends = self._walk(answer, self.random.randint(1, max(1, self.max_hops - 1)))
            if not ends:
                return None
            topic = self.random.choice(sorted(ends))
            back = [(relation + self.num_relations) % (2 * self.num_relations) for relation in reversed(path)]
            found = self._follow(topic, back)
            answers = found if answers is None else answers & found
            topics.append(topic)
            phrases.append(self._phrase(back))
        if topics[0] == topics[1]:
            return None
        both = self.random.choice(BOTH).format(first=phrases[0], second=phrases[1])
        return self._example(both, topics, answers or set())

    def _example(self, phrase: str, topics: Sequence[int], answers: set[int]) -> Example | None:
        if not 0 < len(answers) <= _MAX_ANSWERS:
            return None
        text = self.random.choice(QUESTION).format(phrase=phrase)
        return Example(text, tuple(((topic, 1.0),) for topic in topics), tuple(sorted(answers)))

    def _phrase(self, path: Sequence[int]) -> str:
        phrase = PLACEHOLDER
        for relation in path:
            shape = self.random.choice(FORWARD if relation < self.num_relations else INVERSE)
            phrase = shape.format(inner=phrase, relation=self.texts[relation % self.num_relations])
        return phrase

    def _walk(self, start: int, num_hops: int) -> tuple[list[int], set[int]]:
        """Random relations that lead somewhere from `start`, and the entities that they lead to."""
        entities: set[int] = {start}
        path: list[int] = []
        for _ in range(num_hops):
            one = self.random.choice(sorted(entities))
            choices = np.unique(self._relation[self._offsets[one] : self._offsets[one + 1]]).tolist()
            if path and len(choices) > 1 and self.random.random() < 0.7:
                # Straight back the way one came is a rare thing to ask.
                choices = [r for r in choices if r != (path[-1] + self.num_relations) % (2 * self.num_relations)]
            if not choices:
                return [], set()
            path.append(self.random.choice(choices))
            entities = self._step(entities, path[-1])
            if len(entities) > 10 * _MAX_ANSWERS:
                return [], set()
        return path, entities

    def _follow(self, start: int, path: Sequence[int]) -> set[int]:
        entities = {start}
        for relation in path:
            entities = self._step(entities, relation)
        return entities

    def _step(self, entities: set[int], relation: int) -> set[int]:
        reached: set[int] = set()
        for entity in entities:
            begin, end = self._offsets[entity], self._offsets[entity + 1]
            first, last = np.searchsorted(self._relation[begin:end], [relation, relation + 1])
            reached.update(self._target[begin + first : begin + last].tolist())
        return reached

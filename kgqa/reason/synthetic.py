"""Questions made from a graph's own paths, phrased with the relations' own texts.

They teach what any graph can teach: that a relation's text is to be followed, in which direction, in which order when
phrases are nested, and that two topics joined by "and" must both hold. They need no question of a user's, so a reasoner
can start from them alone, and a handful of real questions then only has to teach their wording.
"""

import random
from collections.abc import Iterable, Iterator, Sequence

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
# The same where a relation is called by a verb with "by" ("directed by"), or a noun with a word before ("has genre").
BY_FORWARD = ("who {verb} {inner}", "the one who {verb} {inner}", "by whom {inner} was {verb}")
BY_INVERSE = (
    "what {inner} {verb}",
    "those that {inner} {verb}",
    "those {verb} by {inner}",
    "what was {verb} by {inner}",
)
NOUN_FORWARD = ("the {noun} of {inner}", "what {noun} {inner} has", "the {noun} {inner} is in")
NOUN_INVERSE = ("those with the {noun} {inner}", "what has {inner} as {noun}", "those whose {noun} is {inner}")
QUESTION = ("{phrase}?", "which is {phrase}?", "name {phrase}", "{phrase}")
BOTH = ("{first} and {second}", "{first} and also {second}", "{first} and at the same time {second}")
WITHOUT_TOPIC = ("{phrase}", "{phrase} other than itself")
WITH_TOPIC = "{phrase}, itself included"

MAX_ANSWERS = 30
"""A longer list is not what people ask for, and says little about the path."""

_LINKS = frozenset({"has", "have", "had", "in", "of", "with", "is", "was"})
"""Words that only tie a noun to what it is of."""

_INTERSECTIONS = 0.2
"""Share of questions with two topics."""

_INCLUDED = 0.25
"""Share of walks coming back to their topic that ask for it too."""


class Graph:
    """A graph to walk about in: edges by entity and directed relation; r walked backward is `num_relations + r`."""

    def __init__(self, table: TripleTable) -> None:
        self.num_entities, self.num_relations = len(table.entities), len(table.relation_texts)
        self.relation_texts = table.relation_texts
        source = np.concatenate([table.heads, table.tails])
        relation = np.concatenate([table.relations, table.relations + self.num_relations])
        target = np.concatenate([table.tails, table.heads])
        order = np.lexsort((relation, source))
        self._relation, self._target = relation[order], target[order]
        self._offsets = np.concatenate([[0], np.bincount(source, minlength=self.num_entities).cumsum()])
        by_relation = np.unique(np.stack([relation, source]), axis=1)
        self._having = by_relation[1]
        self._having_from = np.searchsorted(by_relation[0], np.arange(2 * self.num_relations + 1))

    def leaving(self, entities: Iterable[int]) -> list[int]:
        """The directed relations that lead on from any of `entities`, ascending."""
        found: set[int] = set()
        for entity in entities:
            found.update(self._relation[self._offsets[entity] : self._offsets[entity + 1]].tolist())
        return sorted(found)

    def having(self, relation: int) -> list[int]:
        """The entities from which a directed relation leads on, ascending."""
        having: list[int] = self._having[self._having_from[relation] : self._having_from[relation + 1]].tolist()
        return having

    def inverse(self, relation: int) -> int:
        """The same relation walked the other way."""
        return (relation + self.num_relations) % (2 * self.num_relations)

    def step(self, entities: Iterable[int], relation: int) -> set[int]:
        """Where a directed relation leads from `entities`."""
        reached: set[int] = set()
        for entity in entities:
            begin, end = self._offsets[entity], self._offsets[entity + 1]
            first, last = np.searchsorted(self._relation[begin:end], [relation, relation + 1])
            reached.update(self._target[begin + first : begin + last].tolist())
        return reached

    def follow(self, entities: set[int], path: Sequence[int], *, without: int | None = None) -> set[int]:
        """Where a path leads, if it never enters the entity `without`."""
        for relation in path:
            entities = self.step(entities, relation) - {without}
        return entities

    def walk(self, draw: random.Random, start: int, num_hops: int) -> tuple[list[int], set[int]]:
        """Random relations that lead somewhere from `start`, and where; nothing at a dead end or a crowd."""
        entities: set[int] = {start}
        path: list[int] = []
        for _ in range(num_hops):
            choices = self.leaving({draw.choice(sorted(entities))})
            if path and len(choices) > 1 and draw.random() < 0.7:
                # Straight back the way one came is a rare thing to ask.
                choices = [relation for relation in choices if relation != self.inverse(path[-1])]
            if not choices:
                return [], set()
            path.append(draw.choice(choices))
            entities = self.step(entities, path[-1])
            if len(entities) > 10 * MAX_ANSWERS:
                return [], set()
        return path, entities


def phrase(draw: random.Random, graph: Graph, path: Sequence[int]) -> str:
    """A noun phrase for where `path` leads, around a placeholder for where it begins."""
    words = PLACEHOLDER
    for relation in path:
        text, forward = graph.relation_texts[relation % graph.num_relations], relation < graph.num_relations
        words = draw.choice(shapes(text, forward=forward)).replace("{inner}", words)
    return words


def shapes(text: str, *, forward: bool) -> list[str]:
    """The phrases that a relation's text gives, with {inner} for what the phrase grows around."""
    first, _, rest = text.partition(" ")
    found = [shape.replace("{relation}", text) for shape in (FORWARD if forward else INVERSE)]
    if text.endswith(" by"):
        found += [shape.replace("{verb}", text[:-3]) for shape in (BY_FORWARD if forward else BY_INVERSE)]
    elif rest and first in _LINKS:
        found += [shape.replace("{noun}", rest) for shape in (NOUN_FORWARD if forward else NOUN_INVERSE)]
    return found


class PathQuestions:
    """Draws questions from one graph; the same seed gives the same questions."""

    def __init__(self, graph: Graph, *, max_hops: int, seed: int) -> None:
        self.graph, self.max_hops = graph, max_hops
        self.random = random.Random(seed)

    def draw(self, count: int) -> Iterator[Example]:
        """`count` questions, or fewer where the graph has hardly any path (a hundred draws in a row failed)."""
        failures = 0
        while count and failures < 100 and self.graph.num_entities:
            made = self._intersection() if self.random.random() < _INTERSECTIONS else self._path()
            failures = 0 if made else failures + 1
            if made:
                count -= 1
                yield made

    def _path(self) -> Example | None:
        topic = self.random.randrange(self.graph.num_entities)
        path, answers = self.graph.walk(self.random, topic, self.random.randint(1, self.max_hops))
        if not path:
            return None
        words = phrase(self.random, self.graph, path)
        without = self.graph.follow({topic}, path, without=topic)
        if without != answers:
            # Who asks for the films of X's director knows X already: the topic is left out unless it is asked for.
            if self.random.random() < _INCLUDED:
                words = WITH_TOPIC.format(phrase=words)
            else:
                answers, words = without, self.random.choice(WITHOUT_TOPIC).format(phrase=words)
        return self._example(words, (topic,), answers)

    def _intersection(self) -> Example | None:
        """Two walks out of one entity, turned round: it answers them both."""
        answer = self.random.randrange(self.graph.num_entities)
        topics, phrases, answers = [], [], None
        for _ in range(2):
            path, ends = self.graph.walk(self.random, answer, self.random.randint(1, max(1, self.max_hops - 1)))
            if not ends:
                return None
            topic = self.random.choice(sorted(ends))
            back = [self.graph.inverse(relation) for relation in reversed(path)]
            found = self.graph.follow({topic}, back)
            answers = found if answers is None else answers & found
            topics.append(topic)
            phrases.append(phrase(self.random, self.graph, back))
        if topics[0] == topics[1]:
            return None
        both = self.random.choice(BOTH).format(first=phrases[0], second=phrases[1])
        return self._example(both, topics, answers or set())

    def _example(self, words: str, topics: Sequence[int], answers: set[int]) -> Example | None:
        if not 0 < len(answers) <= MAX_ANSWERS:
            return None
        text = self.random.choice(QUESTION).format(phrase=words)
        return Example(text, tuple(((topic, 1.0),) for topic in topics), tuple(sorted(answers)))

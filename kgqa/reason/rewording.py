"""Questions that people asked, asked again of other entities.

Training from answers alone leaves open which path a question means, and a path that gives the right answers for one
topic by chance is learned as readily as the right one. Where exactly one shortest path gives a question's answers, the
same words can be asked of another topic, with the answers that the path gives there: a path that was right by chance
is now wrong. Of a topic where the path leads nowhere, the words make a question without an answer. And the topic itself
can be a phrase ("where was [the teacher of X] born"), which teaches real words in longer questions than anyone asked.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kgqa.reason.examples import Example
from kgqa.reason.synthetic import MAX_ANSWERS, Graph, phrase
from kgqa.reason.tokens import PLACEHOLDER

_MOST_EXAMPLES = 2_000
"""Of which the path is looked for; more say the same again."""

_MOST_STEPS = 5_000
"""Entities stepped from in looking for one path, after which it is given up: milliseconds."""

_UNANSWERABLE, _NESTED = 0.25, 0.25
"""Shares of what is drawn; the rest has another topic and answers."""


class Wording(NamedTuple):
    """A question's text with one placeholder, and the one path that it can mean."""

    text: str
    topic: int
    path: tuple[int, ...]
    """Directed relations."""
    without_topic: bool | None
    """The path may not lead back to the topic; None where the answers are the same either way."""


class Rewordings:
    """Draws questions in the words of `examples` over one graph; the same seed gives the same questions."""

    def __init__(self, graph: Graph, examples: Sequence[Example], *, max_hops: int, seed: int) -> None:
        self.graph, self.max_hops = graph, max_hops
        self.random = random.Random(seed)
        chosen = self.random.sample(examples, min(len(examples), _MOST_EXAMPLES))
        self.wordings = [found for one in chosen if (found := self._wording(one)) is not None]

    def draw(self, count: int) -> Iterator[Example]:
        """`count` questions, or fewer where the wordings fit hardly any other entity (100 draws in a row failed)."""
        failures = 0
        while count and failures < 100 and self.wordings:
            wording, kind = self.random.choice(self.wordings), self.random.random()
            if kind < _UNANSWERABLE:
                made = self._unanswerable(wording)
            else:
                made = self._nested(wording) if kind < _UNANSWERABLE + _NESTED else self._elsewhere(wording)
            failures = 0 if made else failures + 1
            if made:
                count -= 1
                yield made

    def _wording(self, one: Example) -> Wording | None:
        """The example with its path, if there is one that no other explains as shortly."""
        if len(one.topics) != 1 or len(one.topics[0]) != 1 or not one.answers or len(one.answers) > MAX_ANSWERS:
            return None
        topic, answers = one.topics[0][0][0], set(one.answers)
        reached: list[tuple[tuple[int, ...], set[int], set[int]]] = [((), {topic}, {topic})]
        num_steps = 0
        for _ in range(self.max_hops):
            ways = [(path, found, without, self.graph.leaving(found)) for path, found, without in reached]
            num_steps += sum(len(found) * len(relations) for _, found, _, relations in ways)
            if num_steps > _MOST_STEPS:
                return None
            reached = [
                ((*path, relation), self.graph.step(found, relation), self.graph.step(without, relation) - {topic})
                for path, found, without, relations in ways
                for relation in relations
            ]
            fitting = [(path, answers == found, answers == without) for path, found, without in reached]
            fitting = [one for one in fitting if any(one[1:])]
            if fitting:
                (path, with_topic, without_topic), *others = fitting
                either = with_topic and without_topic
                return None if others else Wording(one.text, topic, path, None if either else without_topic)
        return None

    def _elsewhere(self, wording: Wording) -> Example | None:
        """Asked of another entity from which the path leads somewhere."""
        topic = self.random.choice(self.graph.having(wording.path[0]))
        found, without = (self.graph.follow({topic}, wording.path, without=out) for out in (None, topic))
        if wording.without_topic is None and found != without:
            return None
        return self._example(wording.text, topic, without if wording.without_topic else found)

    def _unanswerable(self, wording: Wording) -> Example | None:
        """Asked of an entity like the topic, from which the path leads nowhere."""
        alike = self.random.choice(sorted(self.graph.leaving({wording.topic})))
        topic = self.random.choice(self.graph.having(alike))
        if self.graph.follow({topic}, wording.path, without=topic if wording.without_topic else None):
            return None
        return Example(wording.text, (((topic, 1.0),),), ())

    def _nested(self, wording: Wording) -> Example | None:
        """With a phrase for the topic, of another entity."""
        room = self.max_hops - len(wording.path)
        if not room or wording.without_topic:
            return None
        topic = self.random.randrange(self.graph.num_entities)
        inner, _ = self.graph.walk(self.random, topic, self.random.randint(1, room))
        text = wording.text.replace(PLACEHOLDER, phrase(self.random, self.graph, inner))
        found = self.graph.follow({topic}, [*inner, *wording.path], without=topic)
        return self._example(text, topic, found) if inner else None

    def _example(self, text: str, topic: int, answers: set[int]) -> Example | None:
        if not 0 < len(answers) <= MAX_ANSWERS:
            return None
        return Example(text, (((topic, 1.0),),), tuple(sorted(answers)))

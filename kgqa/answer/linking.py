"""Which entities a question is about: its topics, found by their names, each with the entities it may stand for.

In order: names as they stand, normalised names, names with one typo, and last, for capitalised or quoted words that
nothing else explains, the nearest entity vectors of the long-term memory (see `kgqa.answer.nearest`). Of several
entities those come first that fit the question's other words (see `kgqa.answer.context`). What nothing explains is
returned as a topic without candidates: a question about somebody who is not in the graph is not answered about somebody
else.

Matches compete by weight (see `kgqa.answer.spans`). Those below `SURE` ("fall", though a film is called Fall) are taken
only when there is nothing better and their case agrees.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from rapidfuzz.distance import OSA

from kgqa.answer.common import common_stems, commonness
from kgqa.answer.context import Context
from kgqa.answer.names import NameTable, key_of, tokenise
from kgqa.answer.nearest import NearestNames
from kgqa.answer.spans import (
    EXACT,
    SURE,
    TYPO,
    Match,
    Run,
    Word,
    edge_cost,
    explained,
    find_runs,
    heaviest,
    is_part,
    uncovered,
    weigh,
    widened,
    with_neighbours,
    words_of,
)
from kgqa.derived import Columns
from kgqa.graph.subgraph import TripleTable
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import Embedder, load_embedder
from kgqa.memory.index import IndexOptions
from kgqa.types import Candidate, Question, Topic

log = logging.getLogger(__name__)

_SLIP, _OTHER_CASE, _NO_CAPITALS, _OTHER_FORM = 0.2, 0.1, 0.5, 0.002
"""How likely a name is meant, for each letter that is written otherwise; at least, if case alone differs; if besides
nothing that is written has a capital; at all."""
_MOST_TOKENS = 8  # longer names are looked for as they stand, not with a typo
_LONG_WORD = 5  # a word as long as this that is in no name may be one with a typo, without a capital too


class EntityLinker:
    """Finds the topics of questions. Holds the table of names; the memory, if any, stays the caller's."""

    def __init__(
        self,
        names: NameTable,
        *,
        nearest: NearestNames | None = None,
        context: Context | None = None,
        relation_texts: Sequence[str] = (),
    ) -> None:
        """Use `from_aliases`."""
        self.names = names
        self.nearest, self._context = nearest, context
        self._telling = lru_cache(1 << 16)(partial(commonness, stems=common_stems(list(relation_texts))))

    @classmethod
    def from_aliases(
        cls,
        aliases: Iterable[tuple[str, str]],
        *,
        keys: Iterable[str] | None = None,
        nearest: NearestNames | None = None,
        context: Context | None = None,
        relation_texts: Sequence[str] = (),
    ) -> "EntityLinker":
        """aliases: (name, term) pairs. keys: `key_of` of each name, where it is known.

        nearest: serves what no name explains. context: decides between entities of one name.
        relation_texts: what the graph's relations are called; their words are not taken for names lightly.
        """
        return cls(NameTable(aliases, keys=keys), nearest=nearest, context=context, relation_texts=relation_texts)

    def over(self, aliases: Iterable[tuple[str, str]], table: TripleTable) -> "EntityLinker":
        """The same vectors and settings with other names, of another graph."""
        return EntityLinker.from_aliases(
            aliases, nearest=self.nearest, context=Context(table), relation_texts=table.relation_texts
        )

    def link(self, questions: Sequence[Question]) -> list[Question]:
        """The questions with their topics in the order of the text, each with its candidates, best first.

        Given topics are only resolved, and those that come with candidates stay as they are.
        """
        found = [self._given(question) if question.topics else self._search(question.text) for question in questions]
        topics = self._by_vectors([topic for group in found for topic in group])
        filled = iter(topics)
        return [
            self._in_context(replace(question, topics=tuple(next(filled) for _ in group)), given=question.topics)
            for question, group in zip(questions, found, strict=True)
        ]

    def _in_context(self, question: Question, given: Sequence[Topic]) -> Question:
        """With the candidates of its topics, but for what was given, ranked by the question's words too."""
        context = self._context
        if context is None or all(len(topic.candidates) < 2 for topic in question.topics):
            return question
        topics = [topic if topic in given else context.ranked(question, topic) for topic in question.topics]
        return replace(question, topics=tuple(topics))

    def _given(self, question: Question) -> list[Topic]:
        return [
            topic if topic.candidates else replace(topic, candidates=self._resolve(topic.text))
            for topic in question.topics
        ]

    def _resolve(self, text: str) -> tuple[Candidate, ...]:
        """The entities that a whole text names, exactly, normalised, or with one typo."""
        keys = [key_of(text)]
        if keys[0] not in self.names:
            keys = self.names.typo_keys([token.norm for token in tokenise(text) if token.norm != "the"])
        return self._candidates(text, keys)

    def _candidates(self, surface: str, keys: Sequence[str]) -> tuple[Candidate, ...]:
        """All entities under some keys, with probabilities by how their names agree with what is written."""
        named = [pair for key in keys for pair in self.names.named(key)]
        if len(named) == 1:
            return (Candidate(*named[0], 1.0),)
        weights: dict[str, tuple[float, str]] = {}
        for name, term in named:
            weights[term] = max(weights.get(term, (0.0, "")), (_agreement(surface, name), name))
        total = sum(weight for weight, _ in weights.values())
        ranked = sorted(weights.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple(Candidate(name, term, weight / total) for term, (weight, name) in ranked)

    def _search(self, text: str) -> list[Topic]:
        """The topics of a question that gives none."""
        words = words_of(text, self._telling)
        chosen = heaviest(self._exact_matches(text, words))
        runs = find_runs(words)
        unclear = [run for run in runs if not explained(words, run, chosen)]
        if unclear or not any(match.weight >= SURE for match in chosen):
            typos = (match for run in unclear or [(0, len(words))] for match in self._typo_matches(text, words, run))
            chosen = heaviest([*chosen, *typos])
            chosen = [match for match in chosen if not (_is_doubtful(match) and is_part(words, match, chosen))]
        sure = [match for match in chosen if match.weight >= SURE]
        topics = [self._topic(text, match) for match in sure] + _unknown(text, words, runs, sure)
        if not topics:
            topics = [self._topic(text, match) for match in chosen if match.exact or match.last - match.first > 1][:1]
            topics = topics or self._signs(text)
        return sorted(topics, key=lambda topic: topic.span)

    def _topic(self, text: str, match: Match) -> Topic:
        surface = text[slice(*match.span)]
        return Topic(surface, match.span, self._candidates(surface, match.keys))

    def _signs(self, text: str) -> list[Topic]:
        """A name without letters, standing alone: the film called $."""
        found = (match for match in re.finditer(r"\S+", text) if not tokenise(match.group()))
        topics = (Topic(m.group(), m.span(), self._candidates(m.group(), [m.group()])) for m in found)
        return [topic for topic in topics if topic.candidates][:1]

    def _exact_matches(self, text: str, words: Sequence[Word]) -> Iterator[Match]:
        """Every stretch of the question that is a name once normalised; "the" counts for nothing."""
        places = [place for place, word in enumerate(words) if word.token.norm != "the"]
        for first, last, key in self.names.stretches([words[place].token.norm for place in places]):
            yield self._match(text, words, places[first], places[last - 1] + 1, key)

    def _typo_matches(self, text: str, words: Sequence[Word], region: Run) -> Iterator[Match]:
        """Stretches of a region, which may reach one word beyond it, that are a name but for one typo."""
        first, last = with_neighbours(words, region)
        places = [place for place in range(first, last) if words[place].token.norm != "the"]
        for start, begin in enumerate(places):
            for end in places[start : start + _MOST_TOKENS]:
                part = [words[place] for place in places if begin <= place <= end]
                telling = any(not word.common or (word.upper and begin < end) for word in part)
                if begin < region[1] and region[0] <= end and telling:
                    keys = self.names.typo_keys([word.token.norm for word in part])
                    if keys:
                        yield self._typo_match(text, words, begin, end + 1, keys)

    def _match(self, text: str, words: Sequence[Word], first: int, last: int, key: str) -> Match:
        """Tokens [first, last) as a name, with a "the" or punctuation at its ends that the name has as well."""
        names = [name for name, _ in self.names.named(key)]
        span = widened(text, (words[first].token.start, words[last - 1].token.end), names)
        exact = text[slice(*span)] in names
        weight = weigh(words[first:last]) + (EXACT if exact else -edge_cost(words, first, last))
        return Match(first, last, weight, exact, span, (key,))

    def _typo_match(self, text: str, words: Sequence[Word], first: int, last: int, keys: Sequence[str]) -> Match:
        article = first > 0 and words[first - 1].token.norm == "the" and words[first - 1].upper
        span = words[first - article].token.start, words[last - 1].token.end
        norm = words[first].token.norm
        known = last - first > 1 or norm in self.names.vocabulary or len(norm) < _LONG_WORD
        weight = weigh(words[first:last]) - known * TYPO - edge_cost(words, first, last)
        return Match(first, last, weight, False, span, tuple(keys), typo=True)

    def _by_vectors(self, topics: list[Topic]) -> list[Topic]:
        """Topics without candidates get those whose vectors are near enough."""
        missing = [place for place, topic in enumerate(topics) if not topic.candidates]
        if not missing or self.nearest is None:
            return topics
        filled = list(topics)
        found = self.nearest.candidates([topics[place].text for place in missing])
        for place, candidates in zip(missing, found, strict=True):
            filled[place] = replace(topics[place], candidates=candidates)
        return filled


def open_linker(
    kb: KnowledgeBase,
    *,
    embedder: Embedder | None = None,
    device: str = "auto",
    options: IndexOptions = IndexOptions(),  # noqa: B008 a frozen value
) -> EntityLinker:
    """The linker for the names of a knowledge base; where it was indexed its vectors serve too, searched on `device`
    as `options` say.

    `embedder`: the one that made the vectors; None loads it by its identity. Raises StoreError for another one.
    """
    table, nearest = kb.triples(), None
    if kb.embedder_name:
        memory = kb.memory("entity", device=device, options=options)
        nearest = NearestNames(memory, embedder or load_embedder(kb.embedder_name, device=device))
    keys = kb.derived("keys", lambda: Columns({}, {"key": [key_of(name) for name, _ in kb.aliases()]}))
    return EntityLinker.from_aliases(
        kb.aliases(), keys=keys.texts["key"], nearest=nearest, context=Context(table),
        relation_texts=table.relation_texts,
    )  # fmt: skip


def tell_of_vectors(kb: KnowledgeBase) -> None:
    """Warn where the vectors of a knowledge base do not follow its graph."""
    if not kb.indexed:
        state = "older than its graph" if kb.embedder_name else "not made yet"
        log.warning(
            "the vectors of %s are %s: what they lack is found by its exact name or one typo; run kgqa index kb=%s",
            kb.path, state, kb.path,
        )  # fmt: skip


def _agreement(surface: str, name: str) -> float:
    """How likely a name is meant, up to a factor, by how it agrees with what is written."""
    if name == surface:
        return 1.0
    other_case = _NO_CAPITALS if surface.islower() else _OTHER_CASE
    at_least = other_case if name.casefold() == surface.casefold() else _OTHER_FORM
    return max(at_least, _SLIP ** OSA.distance(surface, name))


def _is_doubtful(match: Match) -> bool:
    """One word of a longer name, or a typo: not believed when the rest of the name is not there."""
    return match.typo or match.last - match.first == 1


def _unknown(text: str, words: Sequence[Word], runs: Sequence[Run], sure: Sequence[Match]) -> list[Topic]:
    """What remains of the runs beside the matches, as topics without candidates."""
    covered = {place for match in sure for place in range(match.first, match.last)}
    left = [part for run in runs for part in uncovered(words, run, covered)]
    spans = [(words[first].token.start, words[last - 1].token.end) for first, last in left]
    return [Topic(text[slice(*span)], span) for span in spans]

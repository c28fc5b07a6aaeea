"""Answering with a trained reasoner: soft reasoning finds the program, the program gives the exact answer set."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import torch

from kgqa.graph.subgraph import TripleTable
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import Embedder
from kgqa.memory.index import IndexOptions
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import ReasonerSettings
from kgqa.reason.examples import Example, Vocabulary, collate, example, known_topics
from kgqa.reason.frontier import Adjacency, Floats, Frontier, Ints, collect, heaviest, select
from kgqa.reason.paths import ALTERNATIVE, Branch, Edge, Walked
from kgqa.reason.priming import Near, Primer
from kgqa.reason.programs import Programs, ends_of, num_walks, run, shortened
from kgqa.reason.reasoner import Reasoner, Walks, confidence
from kgqa.reason.soft import Instructed, instruct, lacking
from kgqa.reason.supposing import Supposing
from kgqa.reason.types import Asked, asked, of_asked_types, passed, shown, types_of
from kgqa.types import Question, Topic

NO_ENTITY = "no such entity"
NO_RELATION = "no such relation"
NOT_KNOWN = "not in the knowledge base"

_CLEAR = 0.8
"""Weight in the first hop from which a question asks for a relation of the graph; below it, for some other one."""

_EQUAL = 0.9
"""Share of the best answer's weight from which another one is as good; of such the one to which most walks lead is
first, and of as many walks the heaviest. Weights differ by how far gates left entities out that are not left out."""

_COUNTS = 0.5
"""A topic whose constraint is weaker than this takes no part in the program."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the reasoner says to one question; indices are those of the graph's table."""

    entity_index: list[int] = field(default_factory=list)
    """The answer set, best first; empty where no walk leads to one."""
    scores: list[float] = field(default_factory=list)
    branches: tuple[Branch, ...] = ()
    paths: list[list[Edge]] = field(default_factory=list)
    """The best path of each branch to each of the first answers, answer by answer."""
    confidence: float = 0.0
    """Of the best answer before anything was decided, in [0, 1]; see `reasoner.confidence`."""
    reason: str = ""
    """Why there is no answer, or would be none if this one is too doubtful."""


class Predictor:
    """A reasoner bound to one graph."""

    def __init__(
        self,
        reasoner: Reasoner,
        settings: ReasonerSettings,
        table: TripleTable,
        *,
        batch_size: int = 256,
        max_paths: int = 10,
        primer: Primer | None = None,
    ) -> None:
        """primer: finds what a reasoner of these settings is handed; None where it is handed nothing."""
        self.reasoner = reasoner.eval()
        self.primer, self.entities, self.entity_texts = primer, table.entities, table.entity_texts
        self.settings = settings
        self.batch_size, self.max_paths = batch_size, max_paths
        self.vocabulary, self.types = Vocabulary(table), types_of(table)
        self.adjacency = Adjacency(table)
        with torch.inference_mode():
            self.relation_texts = table.relation_texts
            self.relations = reasoner.relation_features(table.relation_texts)

    @classmethod
    def load(
        cls,
        path: Path,
        kb: KnowledgeBase,
        *,
        encoder: str | None = None,
        batch_size: int = 256,
        max_paths: int = 10,
        embedder: Embedder | None = None,
        passages: Near | None = None,
        device: str = "auto",
        options: IndexOptions = IndexOptions(),  # noqa: B008 a frozen value
    ) -> "Predictor":
        """The reasoner of a checkpoint over a knowledge base; ModelError where it cannot be loaded.

        embedder, passages, device, options: how the facts and passages are looked for that it is handed, if any; see
        `Primer.open`.
        """
        reasoner, settings = checkpoint.load(path, encoder=encoder)
        primer = Primer.open(
            kb, num_facts=settings.num_facts, num_passages=settings.num_passages, passages=passages, embedder=embedder,
            trained_with=settings.embedder, device=device, options=options,
        )  # fmt: skip
        return cls(reasoner, settings, kb.triples(), batch_size=batch_size, max_paths=max_paths, primer=primer)

    def over(self, table: TripleTable) -> "Predictor":
        """The same reasoner bound to another graph."""
        return Predictor(
            self.reasoner, self.settings, table, batch_size=self.batch_size, max_paths=self.max_paths,
            primer=self.primer,
        )  # fmt: skip

    def supposing(self, facts: Sequence[tuple[int, int, int]]) -> "Predictor":
        """The same reasoner where some more facts (head, relation, tail) of known entities are supposed; it gives the
        path of its best answer alone."""
        supposed = copy(self)
        supposed.max_paths = 1
        supposed.adjacency = Supposing(self.adjacency, facts)
        return supposed

    def lacking(self, questions: Sequence[Question]) -> list[list[tuple[int, int]]]:
        """For each question, its topics linked, what its first hop asks for and finds nothing of: entities of the graph
        with a directed relation, the likeliest first."""
        found: list[list[tuple[int, int]]] = [[] for _ in questions]
        known = [(index, example(question, self.vocabulary)) for index, question in enumerate(questions)]
        known = [(index, one) for index, one in known if one.topics]
        for begin in range(0, len(known), self.batch_size):
            part = known[begin : begin + self.batch_size]
            said = self.instruct(self.walks([one for _, one in part]))
            for walk, question in enumerate(said.question.tolist()):
                found[part[question][0]] += lacking(said.soft, walk)
        return found

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction a question, in order; the questions' topics are linked."""
        predictions: list[Prediction] = [Prediction(reason=NO_ENTITY)] * len(questions)
        known = [(index, example(question, self.vocabulary)) for index, question in enumerate(questions)]
        known = [(index, one) for index, one in known if one.topics]
        for begin in range(0, len(known), self.batch_size):
            part = known[begin : begin + self.batch_size]
            topics = [known_topics(questions[index], self.vocabulary) for index, _ in part]
            for (index, _), prediction in zip(part, self._predict([one for _, one in part], topics), strict=True):
                predictions[index] = prediction
        return predictions

    def _predict(self, examples: list[Example], topics: list[list[Topic]]) -> Iterator[Prediction]:
        said = self.instruct(self.walks(examples))
        weights = self._answers(said.soft, said, said.stops, said.constraint)
        best, weight = heaviest(weights, len(examples))
        sure = confidence(*map(torch.from_numpy, (weight, said.stops, said.question))).tolist()
        programs = self._programs(said, best, topics)
        wanted = self._asked(programs, said, best)
        hard = run(programs, self.vocabulary.by_term, self.adjacency, said.soft.exclude)
        programs = shortened(programs, hard)
        ends, counts = ends_of(programs, num_hops=len(said.stops), num_walks=len(said.question))
        found = self._answers(hard, said, ends, counts)
        if self.types is not None and any(wanted):
            found = of_asked_types(found, wanted, self.types)
        score = self.adjacency.weights_at(weights, found.row, found.entity)
        is_as_good = score >= _EQUAL * weight[found.row]
        led = np.where(is_as_good, num_walks(hard, ends, said.question, found), 0)
        order = np.lexsort((-score, -led, ~is_as_good, found.row))
        border = np.searchsorted(found.row, np.arange(len(examples) + 1)).tolist()
        entities, scores = found.entity[order].tolist(), score[order].tolist()
        answers = [entities[first:last] for first, last in pairwise(border)]
        paths = self._paths(hard, programs, wanted, [some[: self.max_paths] for some in answers])
        for q, program in enumerate(programs):
            if not program:
                yield Prediction(confidence=sure[q], reason=_why_not(said, q))
                continue
            part = [*accumulate(reversed(scores[border[q] : border[q + 1]]), max)][::-1]  # none less than one after it
            branches = (*program.values(), *(one.branch for one in wanted[q]))
            yield Prediction(answers[q], part, branches, paths[q], sure[q], _why_not(said, q))

    def walks(self, examples: Sequence[Example]) -> Walks:
        """A batch of examples with at least one topic each, with what the reasoner is handed."""
        if self.primer is None:
            return collate(examples).walks
        examples = self.primer.near(examples, self.entity_texts)
        return collate(examples, self.primer.handed(examples)).walks

    @torch.inference_mode()
    def embed(self, texts: list[str]) -> torch.Tensor:
        """What the reasoner sees of texts, of relations above all: unit rows `[n, D]`."""
        return self.reasoner.relation_features(texts)

    def instruct(self, walks: Walks) -> Instructed:
        """What the network says about walks, and where that leads."""
        return instruct(self.reasoner, walks, self.relations, self.adjacency, self.types)

    def _answers(self, walked: Walked, said: Instructed, stops: Floats, constraint: Floats) -> Frontier:
        """Weights of a batch's answers, with questions as rows: what all counting topics of a question agree on."""
        parts = [
            step._replace(weight=step.weight * stop[step.row])
            for step, stop in zip(self._filtered(walked, said), stops, strict=True)
        ]
        row, entity, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
        ended = collect(row, entity, weight, self.adjacency.num_entities)
        # The walk that counts most counts fully: outside of what it reached nothing is an answer.
        num_walks = np.diff(said.first_walk)
        strength = constraint - 1e-6 * np.arange(len(constraint))
        order = np.lexsort((-strength, said.question))
        main = order[said.first_walk[:-1]]
        is_main = np.zeros(len(constraint), dtype=bool)
        is_main[main] = True
        kept = is_main[ended.row]
        answers = Frontier(said.question[ended.row[kept]], ended.entity[kept], ended.weight[kept])
        for rank in range(1, int(num_walks.max(initial=1))):
            has_other = num_walks > rank
            other = order[np.where(has_other, said.first_walk[:-1] + rank, 0)]
            there = self.adjacency.weights_at(ended, other[answers.row], answers.entity)
            counted = np.where(has_other, constraint[other], 0)[answers.row]
            answers = answers._replace(weight=(answers.weight * (1 - counted * (1 - there))).astype(np.float32))
        return select(answers, answers.weight > 0)

    def _filtered(self, walked: Walked, said: Instructed) -> list[Frontier]:
        """What each hop of soft walks reached, as far as it is of a type that is asked for."""
        if said.filters is None or self.types is None or walked is not said.soft:
            return walked.reached[1:]
        return [passed(step, said.filters, self.types, t) for t, step in enumerate(walked.reached[1:])]

    def _asked(self, programs: Programs, said: Instructed, best: Ints) -> list[list[Asked]]:
        """For each question the types that its answers are to be of."""
        if said.filters is None or self.types is None:
            return [[] for _ in programs]
        return [
            [
                one
                for walk, branch in program.items()
                if (one := asked(said.filters, self.types, self.entities, step=len(branch.relations) - 1,
                                 walk=walk, answer=int(best[q])))
            ]
            for q, program in enumerate(programs)
        ]  # fmt: skip

    def _programs(self, said: Instructed, best: Ints, topics: list[list[Topic]]) -> Programs:
        """For each question, by walk, the branches that lead to its best answer (-1: none, and no branches); a topic
        that hardly counts gives none."""
        walk = np.flatnonzero((said.constraint >= _COUNTS) & (best[said.question] >= 0))
        answer = best[said.question[walk]]
        ends = [
            stop[walk] * self.adjacency.weights_at(step, walk, answer)
            for stop, step in zip(said.stops, self._filtered(said.soft, said), strict=True)
        ]
        found = said.soft.back(walk, answer, np.argmax(ends, axis=0) + 1)
        programs: Programs = [{} for _ in topics]
        broken = {int(said.question[w]) for w, back in zip(walk, found, strict=True) if back is None}
        for w, back in zip(walk.tolist(), found, strict=True):
            q = int(said.question[w])
            if back is not None and q not in broken:
                (head, _, tail, inverse), _ = back[0]
                meant = self._meant(topics[q][w - int(said.first_walk[q])], tail if inverse else head)
                programs[q][w] = said.soft.program(meant, w, back)
        return programs

    def _meant(self, topic: Topic, start: int) -> Topic:
        """The topic without the candidates that are far less likely than the one the best walk started from."""
        score = max(c.score for c in topic.candidates if self.vocabulary.by_term.get(c.iri) == start)
        likely = (c for c in topic.candidates if c.score >= ALTERNATIVE * score and c.iri in self.vocabulary.by_term)
        return replace(topic, candidates=tuple(likely))

    def _paths(
        self, hard: Walked, programs: Programs, wanted: list[list[Asked]], answers: list[list[int]]
    ) -> list[list[list[Edge]]]:
        """For each question, for each of some answers and each branch the path that leads there."""
        ends = [
            (q, walk, answer, len(branch.relations))
            for q, program in enumerate(programs)
            for answer in answers[q]
            for walk, branch in program.items()
        ]
        question, *where = np.array(ends, dtype=np.int64).reshape(-1, 4).T
        paths: list[list[list[Edge]]] = [[] for _ in programs]
        for q, back in zip(question.tolist(), hard.back(*where), strict=True):
            if back is not None:
                paths[q].append([edge for edge, _ in back])
        for q, some in enumerate(wanted):
            if self.types is not None and some:
                paths[q] += [shown(self.types, one, answer) for answer in answers[q] for one in some]
                paths[q].sort(key=lambda path, rank=answers[q]: rank.index(_end(path)))  # type: ignore[misc]
        return paths


def _end(path: list[Edge]) -> int:
    head, _, tail, inverse = path[-1]
    return head if inverse else tail


def _why_not(said: Instructed, q: int) -> str:
    """The wording asks for no relation that the graph has, or for one that does not lead on from here."""
    walks = slice(said.first_walk[q], said.first_walk[q + 1])
    counts = said.constraint[walks] >= _COUNTS
    return NO_RELATION if said.clear[walks][counts].min() < _CLEAR else NOT_KNOWN

"""Answering with a trained reasoner: soft reasoning finds the program, the program gives the exact answer set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kgqa.graph.subgraph import TripleTable
from kgqa.knowledge_base import KnowledgeBase
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import ReasonerSettings
from kgqa.reason.data import Example, Vocabulary, collate, example
from kgqa.reason.follow import EdgeIndex, edge_index, follow
from kgqa.reason.paths import Backtracker, Branch, Edge, branch
from kgqa.reason.reasoner import Reasoner, Reasoning, Walks, combine
from kgqa.types import Question, Topic

NO_ENTITY = "no such entity"
NO_RELATION = "no such relation"
NOT_KNOWN = "not in the knowledge base"

_COUNTS = 0.5
"""A topic whose constraint is weaker than this takes no part in the program."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the reasoner says to one question; indices are those of the graph's table."""

    entity_index: list[int] = field(default_factory=list)
    """The answer set, best first; empty when the reasoner abstains."""
    scores: list[float] = field(default_factory=list)
    branches: tuple[Branch, ...] = ()
    paths: list[list[Edge]] = field(default_factory=list)
    """The best path of each branch to each of the first answers, answer by answer."""
    confidence: float = 0.0
    """Weight of the best answer before anything was decided, in [0, 1]."""
    reason: str = ""
    """Why there is no answer."""


class Predictor:
    """A reasoner bound to one graph."""

    def __init__(
        self,
        reasoner: Reasoner,
        settings: ReasonerSettings,
        table: TripleTable,
        *,
        batch_size: int = 64,
        max_paths: int = 10,
    ) -> None:
        self.reasoner = reasoner.eval()
        self.settings = settings
        self.batch_size, self.max_paths = batch_size, max_paths
        self.vocabulary = Vocabulary(table)
        self.edges: EdgeIndex = edge_index(table)
        self.backtracker = Backtracker(self.edges)
        with torch.inference_mode():
            self.relations = reasoner.relation_features(table.relation_texts)

    @classmethod
    def load(
        cls, path: Path, kb: KnowledgeBase, *, encoder: str | None = None, batch_size: int = 64, max_paths: int = 10
    ) -> "Predictor":
        """The reasoner of a checkpoint over a knowledge base; ModelError where it cannot be loaded."""
        reasoner, settings = checkpoint.load(path, encoder=encoder)
        return cls(reasoner, settings, kb.triples(), batch_size=batch_size, max_paths=max_paths)

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction a question, in order; the questions' topics are linked."""
        predictions: list[Prediction] = [Prediction(reason=NO_ENTITY)] * len(questions)
        known = [(index, example(question, self.vocabulary)) for index, question in enumerate(questions)]
        known = [(index, one) for index, one in known if one.topics]
        for start in range(0, len(known), self.batch_size):
            part = known[start : start + self.batch_size]
            topics = [_known_topics(questions[index], self.vocabulary) for index, _ in part]
            for (index, _), prediction in zip(part, self._predict([one for _, one in part], topics), strict=True):
                predictions[index] = prediction
        return predictions

    @torch.inference_mode()
    def _predict(self, examples: list[Example], topics: list[list[Topic]]) -> Iterator[Prediction]:
        walks = collate(examples).walks
        soft = self.reasoner(walks, self.edges, self.relations)
        best = soft.answers.max(0)
        walk_of = np.concatenate([[0], np.bincount(walks.question.numpy(), minlength=len(examples)).cumsum()])
        programs: list[tuple[Branch, ...]] = []
        for q, (confidence, answer) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
            given_up = confidence <= max(self.settings.abstain_below, 0.0)
            numbers = range(walk_of[q], walk_of[q + 1])
            programs.append(() if given_up else self._program(answer, soft, numbers, topics[q]))
        hard = _Hard.run(programs, walks, soft, walk_of, self.edges)
        for q, program in enumerate(programs):
            confidence = float(best.values[q])
            if not program:
                yield Prediction(confidence=confidence, reason=_why_not(soft, range(walk_of[q], walk_of[q + 1])))
                continue
            found = hard.answers[:, q].nonzero()[:, 0]
            scores = soft.answers[found, q]
            order = scores.argsort(descending=True, stable=True)
            answers = found[order].tolist()
            yield Prediction(
                answers,
                scores[order].tolist(),
                program,
                [path for answer in answers[: self.max_paths] for path in hard.paths(answer, q, self.backtracker)],
                confidence,
            )

    def _program(self, answer: int, soft: Reasoning, walks: range, topics: list[Topic]) -> tuple[Branch, ...]:
        """The branches that lead to the best answer; a topic that hardly counts gives none."""
        branches = []
        for walk, topic in zip(walks, topics, strict=True):
            if soft.constraint[walk] < _COUNTS:
                continue
            reached = [_column(step, walk) for step in soft.reached]
            relations = [_row(hop.relations, walk) for hop in soft.hops]
            ends = [float(stop[walk]) * reached[t + 1][answer] for t, stop in enumerate(soft.stops)]
            num_hops = int(np.argmax(ends)) + 1
            back = self.backtracker.back(answer, reached[:num_hops], relations[:num_hops])
            if back is None:
                return ()
            branches.append(branch(topic, back, relations, [_row(hop.exclude, walk) for hop in soft.hops]))
        return tuple(branches)


@dataclass(frozen=True, slots=True)
class _Hard:
    """The programs of a batch, run with weights of 0 and 1."""

    answers: Tensor  # [E, Q] bool
    reached: list[NDArray[np.float32]]  # per step [E, B]
    relations: list[NDArray[np.float32]]  # per hop [B, 2R]
    walks_of: list[list[tuple[int, int]]]  # per question its walks (number, hops)

    @classmethod
    def run(
        cls,
        programs: list[tuple[Branch, ...]],
        walks: Walks,
        soft: Reasoning,
        walk_of: NDArray[np.int64],
        edges: EdgeIndex,
    ) -> "_Hard":
        relations = [torch.zeros_like(hop.relations) for hop in soft.hops]
        exclude = [torch.zeros_like(hop.exclude) for hop in soft.hops]
        ends = torch.zeros_like(soft.stops)
        counts = torch.zeros(len(walks.texts))
        walks_of: list[list[tuple[int, int]]] = []
        for q, program in enumerate(programs):
            numbers = [w for w in range(walk_of[q], walk_of[q + 1]) if soft.constraint[w] >= _COUNTS]
            walks_of.append([(w, len(b.relations)) for w, b in zip(numbers, program, strict=False)])
            for (walk, num_hops), one in zip(walks_of[q], program, strict=True):
                counts[walk], ends[num_hops - 1, walk] = 1, 1
                for t in range(num_hops):
                    for choice in one.relations[t]:
                        relations[t][walk, choice.index + choice.inverse * edges.num_relations] = 1
                    exclude[t][walk, list(one.excluded[t])] = 1
        reached = [(soft.reached[0] > 0).float()]
        ended = torch.zeros_like(reached[0])
        for t, followed in enumerate(relations):
            arrived = (follow(reached[-1], followed.T.contiguous(), edges) > 0).float()
            for step, earlier in enumerate(reached):
                arrived = arrived * (1 - exclude[t][:, step] * earlier)
            reached.append(arrived)
            ended += ends[t] * arrived
        answers, _ = combine(ended, counts, walks.question, walks.num_questions)
        return cls(answers > 0, [r.numpy() for r in reached], [r.numpy() for r in relations], walks_of)

    def paths(self, answer: int, question: int, backtracker: Backtracker) -> Iterator[list[Edge]]:
        """For each branch the path that led to `answer`."""
        for walk, num_hops in self.walks_of[question]:
            back = backtracker.back(
                answer,
                [step[:, walk] for step in self.reached[:num_hops]],
                [hop[walk] for hop in self.relations[:num_hops]],
            )
            if back is not None:
                yield [edge for edge, _ in back]


def _known_topics(question: Question, vocabulary: Vocabulary) -> list[Topic]:
    """The topics that became placeholders, in their order: the same rule as `data.example`."""
    kept, end = [], 0
    for topic in sorted(question.topics, key=lambda topic: topic.span):
        if topic.span[0] >= end and any(c.iri in vocabulary.by_term for c in topic.candidates):
            kept.append(topic)
            end = topic.span[1]
    return kept


def _why_not(soft: Reasoning, walks: range) -> str:
    """No relation was wanted at a hop before the walk would end, or the graph has no such edges."""
    for walk in walks:
        for t, hop in enumerate(soft.hops):
            going_on = float(soft.stops[t:, walk].sum())
            if going_on > 0.5 and float(hop.relations[walk].sum()) < 0.5:
                return NO_RELATION
    return NOT_KNOWN


def _column(tensor: Tensor, index: int) -> NDArray[np.float32]:
    column: NDArray[np.float32] = tensor[:, index].numpy()
    return column


def _row(tensor: Tensor, index: int) -> NDArray[np.float32]:
    row: NDArray[np.float32] = tensor[index].numpy()
    return row

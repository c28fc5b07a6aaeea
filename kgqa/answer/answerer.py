"""Questions to answers with their proof: link, predict, put names, sentences and a query to what was found."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Protocol

from kgqa.answer.linking import open_linker
from kgqa.graph.queries import PathBranch, path_query
from kgqa.knowledge_base import KnowledgeBase
from kgqa.reason.paths import Branch, Edge
from kgqa.reason.predict import NO_ENTITY, NOT_KNOWN, Prediction, Predictor
from kgqa.types import Answer, Candidate, Provenance, Question, Step


class Predicts(Protocol):
    """What an Answerer asks of a reasoner."""

    def predict(self, questions: Sequence[Question]) -> list[Prediction]: ...


class Links(Protocol):
    """What an Answerer asks of an entity linker."""

    def link(self, questions: Sequence[Question]) -> list[Question]: ...


class Answerer:
    """Answers questions over one generation of a knowledge base, which has to stay open meanwhile."""

    def __init__(self, kb: KnowledgeBase, predictor: Predicts, linker: Links, *, batch_size: int = 256) -> None:
        self.kb = kb
        self.batch_size = batch_size
        self._predictor = predictor
        self._linker = linker
        self._table = kb.triples()
        self._text_of = dict(zip(self._table.entities, self._table.entity_texts, strict=True))
        self._text_of |= zip(self._table.relation_terms, self._table.relation_texts, strict=True)
        self._evidence: Callable[[tuple[str, str, str]], Provenance | None] = lru_cache(1 << 17)(self._best_support)

    @classmethod
    def open(
        cls,
        kb: KnowledgeBase,
        checkpoint: str | Path,
        *,
        batch_size: int = 256,
        max_paths: int = 10,
        encoder: str | None = None,
        linker: Links | None = None,
        device: str = "auto",
    ) -> "Answerer":
        """The reasoner of a checkpoint over a knowledge base, with the linker for its names.

        `max_paths`: how many of a question's answers come with their evidence; `encoder`: the kind that the checkpoint
        must have, None takes what it has; `linker`: None opens one with the
        embedder that made the vectors, its encoder and search on `device` (auto | cpu | cuda:N). Raises ModelError
        where the checkpoint cannot be loaded, or where that embedder is not installed.
        """
        predictor = Predictor.load(Path(checkpoint), kb, encoder=encoder, max_paths=max_paths)
        return cls(kb, predictor, linker or open_linker(kb, device=device), batch_size=batch_size)

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        names: dict[str, set[str]] = {}
        for name, term in self.kb.aliases():
            names.setdefault(term, set()).add(name)
        return names

    def names_of(self, term: str) -> set[str]:
        """Every name that an entity goes by."""
        return self._names.get(term, set())

    def text_of(self, term: str) -> str:
        """What a node or a relation of this graph is called."""
        return self._text_of.get(term, term)

    def answer(self, questions: Iterable[Question]) -> Iterator[Answer]:
        """One answer a question, in order; reads `batch_size` questions ahead and keeps no more."""
        stream = iter(questions)
        while batch := list(islice(stream, self.batch_size)):
            linked = self._linker.link(batch)
            for question, found in zip(linked, self._predictor.predict(linked), strict=True):
                yield self._answer(question, found)

    def ask(self, question: str) -> Answer:
        """The answer to one question."""
        return next(self.answer([Question("1", question)]))

    def _answer(self, question: Question, found: Prediction) -> Answer:
        """An answer set with its proof, or an abstention that says why."""
        if not found.entity_index:
            known = any(topic.candidates for topic in question.topics)
            reason = (found.reason or NOT_KNOWN) if known else NO_ENTITY
            return Answer(question, question.topics, (), abstained=True, reason=reason)
        return Answer(
            question,
            question.topics,
            tuple(self._candidate(*pair) for pair in zip(found.entity_index, found.scores, strict=True)),
            abstained=False,
            reason="",
            paths=tuple(tuple(self._step(edge) for edge in path) for path in found.paths),
            sparql=path_query([self._condition(branch) for branch in found.branches]),
        )

    def _candidate(self, index: int, score: float) -> Candidate:
        return Candidate(self._table.entity_texts[index], self._table.entities[index], score)

    def _step(self, edge: Edge) -> Step:
        head, relation, tail, inverse = edge
        triple = self._table.entities[head], self._table.relation_terms[relation], self._table.entities[tail]
        return Step(*triple, self._evidence(triple), inverse)

    def _best_support(self, triple: tuple[str, str, str]) -> Provenance | None:
        supports = self.kb.provenance([triple])[0]
        if not supports:
            return None
        best = supports[0]
        # A given fact stands in no sentence; `extractor` says that these are our words.
        return best if best.sentence else replace(best, sentence=" ".join(map(self.text_of, triple)))

    def _condition(self, branch: Branch) -> PathBranch:
        """A branch of the program in the terms that its query is made of."""
        relations = self._table.relation_terms
        hops = [[(relations[choice.index], choice.inverse) for choice in hop] for hop in branch.relations]
        topics = [candidate.iri for candidate in branch.topic.candidates if candidate.iri in self._text_of]
        return PathBranch(topics, hops, branch.excluded)

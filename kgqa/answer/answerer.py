"""Questions to answers with their proof: link, predict, put names, sentences and a query to what was found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from time import perf_counter

from torch import Tensor

from kgqa.answer.ambiguity import NEARLY_EQUAL, Reading, did_you_mean, readings
from kgqa.answer.calibration import Calibration
from kgqa.answer.compose import Composer, Found, path_of, why_not
from kgqa.answer.evaluate import Evaluator
from kgqa.answer.evidence import Evidence
from kgqa.answer.interfaces import Base, Links, Predicts
from kgqa.answer.linking import open_linker, tell_of_vectors
from kgqa.answer.names import key_of
from kgqa.answer.operations import Plan, plans_of, sought
from kgqa.answer.related import Related
from kgqa.answer.retrieval import Retriever, Retrieves
from kgqa.answer.suggested import Guesser, Suggested
from kgqa.graph.algebra import formula, query
from kgqa.graph.queries import path_query
from kgqa.graph.terms import boolean, text_of
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import Embedder, load_embedder
from kgqa.memory.index import IndexOptions
from kgqa.reason.predict import NO_ENTITY, NOT_KNOWN, Prediction, Predictor
from kgqa.types import Answer, Candidate, Question


class Answerer:
    """Answers questions over one generation of a knowledge base, which has to stay open meanwhile."""

    def __init__(
        self,
        kb: Base,
        predictor: Predicts,
        linker: Links,
        *,
        retriever: Retrieves | None = None,
        fallback_passages: int = 3,
        batch_size: int = 256,
        calibration: Calibration = Calibration(),  # noqa: B008 a frozen value
        abstain_below: float = 0.0,
        ambiguous_from: float = NEARLY_EQUAL,
        max_paths: int = 10,
        operations: bool = True,
        suggest_below: float | None = None,
    ) -> None:
        """calibration: makes probabilities of confidence. abstain_below: the confidence, in [0, 1], up to which an
        answer is withheld. ambiguous_from: the share of the likeliest entity's probability from which another one may
        as well be meant; where they give different answers the question is given back. Above 1: never.
        fallback_passages: how many passages of `retriever` come with a question that is abstained from. max_paths: how
        many answers of an operation (kgqa.answer.operations) come with their evidence. operations: False takes every
        question for one about paths (an ablation). suggest_below: the confidence, in [0, 1], of an answer up to which a
        fact that the graph only suggests (kgqa.answer.suggested) is looked for instead; None: never.
        """
        self.kb = kb
        self.batch_size = batch_size
        self._retriever, self._fallback_passages = retriever, fallback_passages
        self.calibration, self.abstain_below, self.ambiguous_from = calibration, abstain_below, ambiguous_from
        self._predictor = predictor
        self._linker = linker
        self.max_paths, self.operations, self.suggest_below = max_paths, operations, suggest_below
        self._table = kb.triples()
        self._evaluator = Evaluator(self._table)
        self._composer = Composer(self._evaluator, predictor.embed)
        self._text_of = dict(zip(self._table.entities, self._table.entity_texts, strict=True))
        self._text_of |= zip(self._table.relation_terms, self._table.relation_texts, strict=True)
        self._evidence = Evidence(self._table, kb.provenance, self.text_of)
        guesser = Guesser(predictor, self._table)
        self._suggested = Suggested(guesser, self._evidence, calibration, below=suggest_below)
        self._related = Related(self._table, self._evidence, self._evaluator.index, self.text_of)

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
        retriever: Retrieves | None = None,
        fallback_passages: int = 3,
        device: str = "auto",
        target_precision: float | None = None,
        ambiguous_from: float = NEARLY_EQUAL,
        operations: bool = True,
        suggest_below: float | None = None,
        embedder: Embedder | None = None,
        options: IndexOptions = IndexOptions(),  # noqa: B008 a frozen value
    ) -> "Answerer":
        """The reasoner of a checkpoint over a knowledge base, with the linker for its names.

        `max_paths`: how many of a question's answers come with their evidence; `encoder`: the kind that the checkpoint
        must have, None takes what it has; `linker`, `retriever`: None opens them; `embedder`: the one that made the
        vectors, None loads it by its identity onto `device` (auto | cpu | cuda:N), where they are searched as `options`
        say; `target_precision`: share of the answers given, in (0, 1], that shall be right, as far as the dev questions
        tell, None abstains below the threshold that training chose; `fallback_passages`, `ambiguous_from`,
        `operations`, `suggest_below`: see `Answerer`.
        Raises ModelError where the checkpoint cannot be loaded, that precision was never reached, or that embedder is
        not installed.
        """
        missing = linker is None or (retriever is None and fallback_passages > 0)
        if missing and embedder is None and kb.embedder_name:
            embedder = load_embedder(kb.embedder_name, device=device)
        own = Retriever(kb, embedder=embedder, device=device, options=options)
        predictor = Predictor.load(
            Path(checkpoint), kb, encoder=encoder, max_paths=max_paths, embedder=embedder, device=device,
            options=options, passages=own.passage_ids,
        )  # fmt: skip
        if linker is None:
            tell_of_vectors(kb)
            linker = open_linker(kb, embedder=embedder, device=device, options=options)
        calibration = Calibration.load(Path(checkpoint))
        threshold = predictor.settings.abstain_below
        if target_precision is not None:
            threshold = calibration.abstain_below(target_precision)
        return cls(
            kb, predictor, linker, batch_size=batch_size, fallback_passages=fallback_passages,
            retriever=retriever or own, calibration=calibration, abstain_below=threshold,
            ambiguous_from=ambiguous_from, max_paths=max_paths, operations=operations, suggest_below=suggest_below,
        )  # fmt: skip

    def over(self, view: Base) -> "Answerer":
        """The same reasoner and settings over another graph, such as a user's view of this one."""
        table = view.triples()
        return Answerer(
            view, self._predictor.over(table), self._linker.over(view.aliases(), table),
            batch_size=self.batch_size, calibration=self.calibration, abstain_below=self.abstain_below,
            ambiguous_from=self.ambiguous_from, max_paths=self.max_paths, operations=self.operations,
            retriever=self._retriever, fallback_passages=self._fallback_passages, suggest_below=self.suggest_below,
        )  # fmt: skip

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        names: dict[str, set[str]] = {}
        for name, term in self.kb.aliases():
            names.setdefault(term, set()).add(name)
        return names

    def names_of(self, term: str) -> set[str]:
        """Every name that an entity goes by."""
        return self._names.get(term, set())

    @cached_property
    def _terms(self) -> dict[str, set[str]]:
        terms: dict[str, set[str]] = {}
        for name, term in self.kb.aliases():
            terms.setdefault(key_of(name), set()).add(term)
        return terms

    def named(self, name: str) -> list[str]:
        """The entities that go by a name, case, accents and "the" apart."""
        return sorted(self._terms.get(key_of(name), ()))

    def text_of(self, term: str) -> str:
        """What a node or a relation of this graph is called."""
        return self._text_of.get(term, term)

    def answer(self, questions: Iterable[Question]) -> Iterator[Answer]:
        """One answer a question, in order; reads `batch_size` questions ahead and keeps no more."""
        stream = iter(questions)
        while batch := list(islice(stream, self.batch_size)):
            start = perf_counter()
            linked = self._linker.link(batch)
            plans = [plans_of(question) if self.operations else [] for question in linked]
            parts = list(dict.fromkeys(part for group in plans for plan in group for part in sought(plan)))
            predictions = self._predictor.predict([*linked, *parts])
            found_in = dict(zip(parts, predictions[len(linked) :], strict=True))
            self._evidence.look_up(edge for found in predictions for path in found.paths for edge in path)
            asked_back = self._ask_back(linked, predictions[: len(linked)])
            guessed = self._suggested.answers(linked, predictions, sure=self.abstain_below, but=asked_back)
            shared = (perf_counter() - start) / len(batch)
            answers = []
            for number, (question, found) in enumerate(zip(linked, predictions, strict=False)):
                start = perf_counter()
                answer = self._related.answer(question) if self.operations else None
                answer = answer or self._operation(question, plans[number], found_in, found)
                answer = answer or guessed.get(number) or self._answer(question, found, asked_back.get(number, ""))
                answers.append(replace(answer, seconds=shared + perf_counter() - start))
            yield from self._with_passages(answers)

    @property
    def known_terms(self) -> Mapping[str, int]:
        """The nodes of the graph."""
        return self._evaluator.index

    def link(self, questions: Sequence[Question]) -> list[Question]:
        """The questions with their topics and what these may stand for."""
        return self._linker.link(questions)

    def embed(self, texts: list[str]) -> Tensor:
        """Texts as the reasoner sees them: unit rows `[n, D]`."""
        return self._predictor.embed(texts)

    def ask(self, question: str) -> Answer:
        """The answer to one question."""
        return next(self.answer([Question("1", question)]))

    def _ask_back(self, questions: Sequence[Question], predictions: Sequence[Prediction]) -> dict[int, str]:
        """By number of the question, what to ask where a topic may be one entity or another and the answer differs."""
        tried = [
            (number, reading)
            for number, found in enumerate(predictions)
            for reading in readings(questions[number], found.branches, share=self.ambiguous_from)
        ]
        said: dict[int, list[tuple[Reading, list[int]]]] = {}
        found_in = self._predictor.predict([reading.question for _, reading in tried]) if tried else []
        for (number, reading), found in zip(tried, found_in, strict=True):
            if self._is_sure(found):
                said.setdefault(number, []).append((reading, found.entity_index))
        return {number: did_you_mean(answers, self.text_of) for number, answers in said.items()}

    def _is_sure(self, found: Prediction) -> bool:
        return bool(found.entity_index) and found.confidence > self.abstain_below

    def _answer(self, question: Question, found: Prediction, asked_back: str) -> Answer:
        """An answer set with its proof, or an abstention that says why."""
        candidates = tuple(self._candidates(found))
        if asked_back or not self._is_sure(found):
            known = question.topics and all(topic.candidates for topic in question.topics)
            reason = asked_back or ((found.reason or NOT_KNOWN) if known else NO_ENTITY)
            return Answer(question, question.topics, (), abstained=True, reason=reason, withheld=candidates)
        return Answer(
            question,
            question.topics,
            candidates,
            abstained=False,
            reason="",
            paths=self._evidence.of(found.paths),
            sparql=path_query(path_of(self._table, found.branches).branches),
        )

    def _with_passages(self, answers: Sequence[Answer]) -> Iterator[Answer]:
        """The answers; those that are none with the passages in which one may be read."""
        unanswered = [answer.question for answer in answers if answer.abstained]
        if self._retriever is None or not self._fallback_passages or not unanswered:
            yield from answers
            return
        start = perf_counter()
        found = iter(self._retriever.passages(unanswered, self._fallback_passages))
        shared = (perf_counter() - start) / len(unanswered)
        for answer in answers:
            took = answer.seconds + shared
            yield replace(answer, passages=next(found), seconds=took) if answer.abstained else answer

    def _operation(self, question: Question, plans: Sequence[Plan], found: Found, plain: Prediction) -> Answer | None:
        """The answer by an operation that the question asks for; None where it asks for none, or hardly."""
        if not plans:
            return None
        needed = any(plan.needed for plan in plans)
        done = self._composer.compose(plans, found, sure=self.abstain_below)
        is_sure = done is not None and done.confidence > self.abstain_below
        if not needed and (not is_sure or (plans[0].hint is None and self._is_sure(plain))):
            return None
        if done is None:
            reason = why_not(plans, found) if question.topics else NO_ENTITY
            return Answer(question, question.topics, (), abstained=True, reason=reason)
        confidence = self.calibration([done.confidence * score for score in done.scores]).tolist()
        candidates = tuple(
            Candidate(self._said(term), term, probability)
            for term, probability in zip(done.terms, confidence, strict=True)
        )
        if not is_sure:
            return Answer(question, question.topics, (), abstained=True, reason=NOT_KNOWN, withheld=candidates)
        shown = [self._evaluator.index[term] for term in done.terms[: self.max_paths] if term in self._evaluator.index]
        paths = dict.fromkeys(map(tuple, self._evaluator.evidence(done.expression, shown)))
        return Answer(
            question,
            question.topics,
            candidates,
            abstained=False,
            reason="",
            paths=self._evidence.of(path for path in paths if path),
            sparql=query(done.expression),
            operation=formula(done.expression, self.text_of),
        )

    def _said(self, term: str) -> str:
        """What an answer is called; yes and no are said so."""
        return {boolean(True): "yes", boolean(False): "no"}.get(term) or self._text_of.get(term) or text_of(term)

    def _candidates(self, found: Prediction) -> Iterator[Candidate]:
        """The answer set with probabilities: an answer of less weight than the best is as much less to be trusted."""
        best = max(found.scores, default=0.0)
        confidence = [found.confidence * (score / best if best > 0 else 1.0) for score in found.scores]
        for index, probability in zip(found.entity_index, self.calibration(confidence).tolist(), strict=True):
            yield Candidate(self._table.entity_texts[index], self._table.entities[index], probability)

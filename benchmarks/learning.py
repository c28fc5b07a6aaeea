"""What benchmarks of hard splits share: a reasoner trained on some questions over a graph, its scores on others."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from omegaconf import OmegaConf

from kgqa.answer.linking import EntityLinker
from kgqa.answer.suggested import Guesser
from kgqa.config import compose_config
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings, load
from kgqa.reason.examples import Vocabulary, example
from kgqa.reason.predict import Prediction, Predictor
from kgqa.reason.training import TrainingOptions, fit
from kgqa.types import Question


def trained(
    table: TripleTable, linker: EntityLinker, questions: Sequence[Question], *, seed: int, overrides: Sequence[str]
) -> Predictor:
    """A reasoner trained on nothing but these questions and what the graph can make of itself and of them.

    A twentieth is held out to stop by; of few questions they are all looked at themselves.
    """
    cfg = compose_config(["encoder=minilm", *overrides])
    encoder = EncoderSettings(
        cfg.encoder.kind, cfg.encoder.model, cfg.encoder.width, cfg.encoder.num_buckets,
        tuned_layers=cfg.encoder.tuned_layers, lora_rank=cfg.encoder.lora_rank,
        max_tokens=cfg.encoder.max_tokens, window=cfg.encoder.window,
    )  # fmt: skip
    sizes, options = (_plain(part) for part in (cfg.reasoner, cfg.trainer))
    del options["resume"], options["dev_questions"]
    vocabulary = Vocabulary(table)
    examples = [example(question, vocabulary) for question in linker.link(questions)]
    random.Random(seed).shuffle(examples)
    num_dev = min(500, len(examples) // 20)
    with TemporaryDirectory() as folder:
        fit(
            ReasonerSettings(encoder, sizes), table, examples[num_dev:], examples[:num_dev] or examples,
            TrainingOptions(**options), folder=Path(folder), seed=seed,
        )  # fmt: skip
        return Predictor(*load(Path(folder) / "checkpoints" / "best"), table, max_paths=0)


def set_scores(
    predictor: Predictor, linker: EntityLinker, questions: Sequence[Question], guesser: Guesser | None = None
) -> list[float]:
    """hits@1, set F1 and exact sets in percent; what is found counts however doubtful it is. guesser: asked where the
    predictor is not sure."""
    linked, rows = linker.link(questions), []
    predictions = predictor.predict(linked)
    if guesser is not None:
        predictions = list(_guessed(guesser, linked, predictions))
    for one, found in zip(questions, predictions, strict=True):
        gold = {index for name in one.answers or () for index in predictor.vocabulary.entities(name)}
        answers = set(found.entity_index)
        hit = bool(found.entity_index) and found.entity_index[0] in gold
        rows.append((hit, 2 * len(gold & answers) / max(len(gold) + len(answers), 1), answers == gold))
    return [round(100 * value, 2) for value in np.mean(rows, axis=0).tolist()]


_NOT_SURE = 0.7
"""Confidence up to which a guess is taken; chosen on training questions over half of MetaQA's graph."""


def _guessed(
    guesser: Guesser, questions: Sequence[Question], predictions: Sequence[Prediction]
) -> Iterator[Prediction]:
    doubtful = [number for number, found in enumerate(predictions) if found.confidence <= _NOT_SURE]
    guesses = dict(zip(doubtful, guesser.guess([questions[number] for number in doubtful]), strict=True))
    for number, found in enumerate(predictions):
        guess = guesses.get(number)
        yield Prediction([guess.suggestion.end], [1.0], confidence=guess.asked * guess.chance) if guess else found


def _plain(part: Any) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(part, resolve=True))

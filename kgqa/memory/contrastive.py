"""Training of our own sentence encoder on a knowledge base: what belongs together comes closer than what does not.

The loss is InfoNCE (van den Oord et al. 2018) over the candidates of a batch, with s = q . c / temperature:

    - mean_i ( s_ii - log sum_j exp s_ij ),   without the j that are barred for i

once for names and once for facts, whose candidates are composed as their memory composes them.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kgqa.errors import ConfigError, InputError, ModelError
from kgqa.ids import digest
from kgqa.memory.devices import torch_device
from kgqa.memory.hashing import HashingEmbedder
from kgqa.memory.index import flat_search
from kgqa.memory.lessons import Batches, FactBatch, Lessons, NameBatch
from kgqa.memory.noise import slip
from kgqa.memory.text_encoder import SETTINGS, TextEncoder, encoder_name, load_encoder, save_encoder
from kgqa.memory.unfinished import keep, resume
from kgqa.progress import progress

log = logging.getLogger(__name__)

UNFINISHED = "training.safetensors"
"""Weights and optimiser of a training that goes on when it is started again; gone once it is finished."""

_TRIED = 500
"""Names that are written with a slip and looked for at the end, among at most forty times as many."""


@dataclass(frozen=True, slots=True)
class ContrastiveOptions:
    """How to train; defaults and reasons stand in conf/train_embedder.yaml."""

    steps: int
    names: int
    """Of a batch; likewise `facts`."""
    facts: int
    learning_rate: float
    warmup_steps: int
    temperature: float
    max_names: int
    checkpoint_steps: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0:
                raise ConfigError(f"training.{name} is {value}; it must be greater than 0")


def fit(
    lessons: Lessons,
    sizes: Mapping[str, int],
    options: ContrastiveOptions,
    *,
    folder: Path,
    seed: int,
    device: str = "auto",
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Trains an encoder of these sizes (arguments of `TextEncoder`) and writes it to `folder`; returns its identity,
    the last loss, and the share of names with a slip whose own vector is the nearest, beside that of hashing.

    An interrupted training goes on from its last checkpoint and ends with the weights of an uninterrupted one; a
    finished one of the same lessons, options and seed is left as it is. Raises InputError where there is nothing to
    learn or another encoder in the folder, ModelError when the loss stops being a number.
    """
    if len(lessons.entities) < 2 or len(lessons.facts) == 0:
        raise InputError("the knowledge base has no facts to learn from; build it with pipelines/extract.py first")
    training = _identity(lessons, sizes, options, seed)
    if (folder / SETTINGS).is_file():
        return _finished(folder, training)
    torch.manual_seed(seed)
    encoder = TextEncoder(**sizes).to(torch_device(device))
    batches = Batches(lessons, options.max_names, seed)
    loss = _train(encoder, batches, options, folder / UNFINISHED, training)
    scores = {"embedder": encoder_name(encoder.eval()), "loss": loss, **_typo_recall(encoder, batches, seed)}
    save_encoder(encoder, folder, sizes=sizes, about={**(about or {}), "training": training, "scores": scores})
    (folder / UNFINISHED).unlink(missing_ok=True)
    return scores


def _finished(folder: Path, training: str) -> dict[str, Any]:
    """The scores of an encoder that was trained before, if the training was this one."""
    _, about = load_encoder(folder)
    if about.get("training") != training:
        raise InputError(
            f"{folder} holds an encoder that was trained on other lessons or with other options, and knowledge bases "
            "may be indexed with it; give another folder as out=DIR, or remove that one"
        )
    log.info("%s is trained already, from the same lessons, options and seed", folder)
    scores: dict[str, Any] = about["scores"]
    return scores


def _identity(lessons: Lessons, sizes: Mapping[str, int], options: ContrastiveOptions, seed: int) -> str:
    texts = (*lessons.entities, *lessons.relations, *(f"{text}\t{which}" for text, which in lessons.aliases))
    asked = (f"{text}\t{which}" for text, which in lessons.questions)
    counts = [len(lessons.entities), len(lessons.relations), len(lessons.aliases)]
    settings = json.dumps([dict(sizes), asdict(options), seed, counts], sort_keys=True)
    return digest(settings, *texts, *asked, digest(lessons.facts.astype("<i8").tobytes().hex()))


def _train(
    encoder: TextEncoder, batches: Batches, options: ContrastiveOptions, unfinished: Path, training: str
) -> float:
    """All steps that are left; returns the last loss."""
    # No decay: vectors are scaled to length 1, and the n-grams that training never met are to stay as they are.
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=options.learning_rate, weight_decay=0.0, fused=True)
    found = resume(unfinished, encoder, optimizer, training=training)
    first, value = (int(found["step"]), float(found["loss"])) if found else (0, float("nan"))
    with progress("training", options.steps - first) as advance:
        for step in range(first, options.steps):
            optimizer.param_groups[0]["lr"] = options.learning_rate * _rate(step, options)
            loss = _names_loss(encoder, batches.names(step, options.names), options.temperature)
            loss = loss + _facts_loss(encoder, batches, batches.facts(step, options.facts), options.temperature)
            value = loss.item()
            if not np.isfinite(value):
                raise ModelError(f"the loss of step {step} is {value}; lower training.learning_rate")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            advance(1)
            if (step + 1) % options.checkpoint_steps == 0:
                loss_then = {"loss": repr(value)}
                keep(unfinished, encoder, optimizer, training=training, step=step + 1, about=loss_then)
    return value


def _rate(step: int, options: ContrastiveOptions) -> float:
    """Linear warm-up, then linear decay to a fiftieth."""
    return min(1.0, (step + 1) / options.warmup_steps) * max(0.02, 1 - step / options.steps)


def contrast(queries: Tensor, candidates: Tensor, barred: NDArray[np.bool_], temperature: float) -> Tensor:
    """InfoNCE of unit rows: queries `[n, W]` belong to the first n candidates `[C, W]`; `barred: [n, C]`."""
    scores = queries @ candidates.T / temperature
    scores = scores.masked_fill(torch.from_numpy(barred).to(scores.device), -torch.inf)
    return F.cross_entropy(scores, torch.arange(len(queries), device=scores.device))


def _names_loss(encoder: TextEncoder, batch: NameBatch, temperature: float) -> Tensor:
    return contrast(encoder(batch.queries), encoder(batch.names), batch.barred, temperature)


def _facts_loss(encoder: TextEncoder, batches: Batches, batch: FactBatch, temperature: float) -> Tensor:
    lessons = batches.lessons
    entities, ends = np.unique(batch.facts[:, [0, 2]], return_inverse=True)
    relations, between = np.unique(batch.facts[:, 1], return_inverse=True)
    of_entities = encoder([lessons.entities[entity] for entity in entities.tolist()])[ends.reshape(-1, 2)]
    of_relations = encoder([lessons.relations[relation] for relation in relations.tolist()])[between.ravel()]
    composed = F.normalize(of_entities.sum(1) + of_relations, dim=-1)
    return contrast(encoder(batch.queries), composed, batch.barred, temperature)


@torch.inference_mode()
def _typo_recall(encoder: TextEncoder, batches: Batches, seed: int) -> dict[str, float]:
    """The share of names with one slip whose nearest name is their own, by this encoder and by hashing."""
    draw = Random(seed)
    entities = draw.sample(batches.pool.tolist(), min(len(batches.pool), 40 * _TRIED))
    names = [batches.lessons.entities[entity] for entity in entities]
    tried = [slip(name, draw) for name in names[:_TRIED]]

    def own(texts: list[str]) -> NDArray[np.float32]:
        parts = [encoder(texts[start : start + 256]).cpu().numpy() for start in range(0, len(texts), 256)]
        return np.concatenate(parts)

    recalls = []
    for embed in (own, HashingEmbedder().embed):
        _, nearest = flat_search(embed(names), embed(tried), 1)
        recalls.append(
            float(np.mean([names[row].casefold() == names[i].casefold() for i, (row,) in enumerate(nearest)]))
        )
    return {"typo_recall": recalls[0], "typo_recall_hashing": recalls[1]}

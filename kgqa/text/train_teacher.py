"""Train the teacher of the shipped pipeline, and have it label all text that may train.

Seeded, and resumed after the last finished epoch. What it leaves is what train_nlp.py trains the pipeline on.
"""

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import spacy
import torch
from safetensors.torch import load_file
from torch import nn

from kgqa.ids import digest
from kgqa.text import checkpoint
from kgqa.text.piece_embed import write_table
from kgqa.text.piece_training import distil
from kgqa.text.teacher import Labels, Lesson, Teacher, batch_of, lesson
from kgqa.text.teacher_corpus import Group, docs_of
from kgqa.text.teacher_labels import batches, labelled
from kgqa.text.treebank import write_docs

LOG = logging.getLogger(__name__)
STATE = "teacher.safetensors"
DOCS = "taught.spacy"
TABLE = "pieces.safetensors"
_WARM_UP = 0.06
"""Share of the steps until the full learning rate."""
_MOST_NORM = 1.0
_LABEL_PIECES = 16_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    epochs: int
    seed: int
    batch_pieces: int
    """Word pieces of a step, padding included."""
    encoder_rate: float
    """Highest learning rate of the pretrained encoder."""
    head_rate: float
    """The same of what is new."""
    dropout: float


def fit(
    tokenizer: Any, encoder: nn.Module, groups: Sequence[Group], recipe: Recipe, work_dir: Path, *, device: torch.device
) -> tuple[Teacher, Labels]:
    """A teacher trained on what the groups have; its state is kept in `work_dir` after each epoch.

    `tokenizer`, `encoder`: of load_minilm of kgqa/memory/pretrained.py. On a GPU matrix products are in bfloat16.
    """
    torch.manual_seed(recipe.seed)
    labels = Labels.of(groups)
    teacher = Teacher(encoder, labels, dropout=recipe.dropout).to(device)
    lessons = [one for one in as_lessons(tokenizer, groups, labels) if one is not None and _teaches(one)]
    optimizer = torch.optim.AdamW(_rates(teacher, recipe), weight_decay=0.01)
    identity = digest(repr(recipe), repr(labels), str(len(lessons)))[:16]
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / STATE).with_suffix(".json").write_text(json.dumps(asdict(labels)), encoding="utf-8")
    done = checkpoint.resume(work_dir / STATE, identity, teacher, optimizer)
    for epoch in range(done, recipe.epochs):
        torch.manual_seed(recipe.seed * 1000 + epoch)
        plan = list(batches(_jittered(lessons, random.Random(f"{recipe.seed}-{epoch}")), recipe.batch_pieces))
        random.Random(f"{recipe.seed}-{epoch}").shuffle(plan)
        total = _pass(teacher, optimizer, lessons, plan, recipe, epoch)
        checkpoint.keep(work_dir / STATE, identity, teacher, optimizer, epoch + 1)
        LOG.info("teacher: epoch %d of %d, loss %.3f a batch", epoch + 1, recipe.epochs, total / len(plan))
    return teacher.eval(), labels


def load(state: Path, encoder: nn.Module, device: torch.device) -> tuple[Teacher, Labels]:
    """What `fit` kept in `work_dir / STATE`, for use."""
    kept = json.loads(state.with_suffix(".json").read_text(encoding="utf-8"))
    labels = Labels(**{name: tuple(values) for name, values in kept.items()})
    teacher = Teacher(encoder, labels, dropout=0.0)
    weights = {name[4:]: value for name, value in load_file(state).items() if name.startswith("net.")}
    teacher.load_state_dict(weights)
    return teacher.to(device).eval(), labels


def as_lessons(tokenizer: Any, groups: Sequence[Group], labels: Labels) -> list[Lesson | None]:
    """The groups as numbers, in order."""
    places = {piece: place for place, piece in enumerate(tokenizer.pieces)}
    return [lesson(group, places, labels) for group in groups]


def prepare(
    tokenizer: Any, encoder: nn.Module, groups: Sequence[Group], recipe: Recipe, work_dir: Path, *, device: torch.device
) -> dict[str, int]:
    """Leave in `work_dir` what the pipeline learns from: DOCS, and TABLE, the word pieces' vectors; return counts.

    With `recipe.epochs` 0 there is no teacher: documents as they were given, vectors of the encoder as it is.
    """
    taught = list(groups)
    if recipe.epochs:
        teacher, labels = fit(tokenizer, encoder, groups, recipe, work_dir, device=device)
        lessons = as_lessons(tokenizer, groups, labels)
        taught = labelled(teacher, labels, groups, lessons, batch_pieces=_LABEL_PIECES)
    encoder.to("cpu").requires_grad_(False)
    write_table(work_dir / TABLE, distil(tokenizer, encoder))
    vocab = spacy.blank("en").vocab
    num_docs, num_words = write_docs((doc for group in taught for doc in docs_of(vocab, group)), work_dir / DOCS)
    return {"documents": num_docs, "words": num_words}


def _teaches(one: Lesson) -> bool:
    return any(bool((values >= 0).any()) for values in one.targets.values())


def _rates(teacher: Teacher, recipe: Recipe) -> list[dict[str, Any]]:
    encoder = list(teacher.encoder.parameters())
    known = {id(one) for one in encoder}
    new = [one for one in teacher.parameters() if id(one) not in known]
    return [
        {"params": encoder, "lr": recipe.encoder_rate, "highest": recipe.encoder_rate},
        {"params": new, "lr": recipe.head_rate, "highest": recipe.head_rate},
    ]


def _jittered(lessons: Sequence[Lesson], rng: random.Random) -> list[int]:
    """Sizes, a little off, so that each epoch's batches differ."""
    return [round(len(one.pieces) * (1 + 0.1 * rng.random())) for one in lessons]


def _pass(
    teacher: Teacher,
    optimizer: torch.optim.Optimizer,
    lessons: Sequence[Lesson],
    plan: Sequence[Sequence[int]],
    recipe: Recipe,
    epoch: int,
) -> float:
    device = next(teacher.parameters()).device
    teacher.train()
    total = torch.zeros((), device=device)
    for step, places in enumerate(plan):
        _set_rate(optimizer, (epoch * len(plan) + step) / (recipe.epochs * len(plan)))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = teacher.loss(batch_of([lessons[place] for place in places], device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(teacher.parameters(), _MOST_NORM)
        optimizer.step()
        total += loss.detach()
    return float(total)


def _set_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["highest"] * min(1.0, share / _WARM_UP, (1 - share) / (1 - _WARM_UP))

"""Training of a reader of stories from questions and answers; what supports an answer is never looked at."""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch.nn import functional as F

from kgqa.errors import ConfigError, InputError, ModelError
from kgqa.ids import digest
from kgqa.memory.devices import torch_device
from kgqa.memory.unfinished import keep, resume
from kgqa.runs import append_metrics
from kgqa.stories.babi import Story
from kgqa.stories.batches import Lexicon, StoryBatch, StorySet
from kgqa.stories.checkpoint import build, load_reader, save_reader
from kgqa.stories.reader import StoryReader

log = logging.getLogger(__name__)

UNFINISHED = "last.safetensors"


@dataclass(frozen=True, slots=True)
class StoryTraining:
    """How to train; defaults and reasons stand in conf/task/babi.yaml."""

    steps: int
    batch_questions: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    max_norm: float
    dev_fraction: float
    evaluate_every: int
    patience: int
    max_sentences: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0 and name != "weight_decay":
                raise ConfigError(f"task.training.{name} is {value}; it must be greater than 0")


def fit(
    stories: Sequence[Story],
    sizes: Mapping[str, Any],
    options: StoryTraining,
    *,
    folder: Path,
    seed: int,
    device: str = "cpu",
) -> dict[str, float]:
    """Train a reader of these sizes; the best one by the held-out stories' mean error stays in `folder`/best.

    A training that was interrupted goes on from `folder`/last.safetensors when it is started again with the same
    stories, sizes, options and seed, and ends with the weights of an uninterrupted one. Returns the dev error, in
    percent, and how many steps were done. device: auto | cpu | cuda:N. Raises ModelError when the loss stops being a
    number.
    """
    lexicon = Lexicon.of(stories)
    train, dev = _divided(stories, options.dev_fraction, seed)
    sets = [_numbered(part, lexicon, sizes, options) for part in (train, dev)]
    training = digest(
        json.dumps([dict(sizes), asdict(options), seed, len(stories)], sort_keys=True),
        *(text for story in stories for text in (*story.sentences, *(one.text for one in story.questions))),
    )
    torch.manual_seed(seed)
    reader = build(sizes, lexicon).to(torch_device(device))
    optimizer = torch.optim.AdamW(
        reader.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
    )
    first, best, since = 0, 100.0, 0
    if found := resume(folder / UNFINISHED, reader, optimizer, training=training):
        first, best, since = int(found["step"]), float(found["best"]), int(found["since"])
    for step, batch in _steps(sets[0], options, seed, first):
        if since >= options.patience:
            break
        _advance(reader, optimizer, batch, options, seed, step)
        if (step + 1) % options.evaluate_every and step + 1 < options.steps:
            continue
        errors = task_errors(reader, sets[1], options.batch_questions)
        dev_error, first = mean(errors), step + 1
        since = since + 1 if dev_error >= best else 0
        if dev_error < best:
            best = dev_error
            about = {"step": step + 1, "dev_errors": errors, "max_sentences": options.max_sentences}
            save_reader(reader, folder / "best", sizes=sizes, lexicon=lexicon, about=about)
        log.info("step %d: dev error %.2f %%, best %.2f %%", step + 1, dev_error, best)
        append_metrics(folder.parent, {"step": step + 1, "dev_error": dev_error, "dev_errors": errors})
        kept = {"best": repr(best), "since": str(since)}
        keep(folder / UNFINISHED, reader, optimizer, training=training, step=step + 1, about=kept)
    return {"dev_error": best, "steps": first}


def evaluate(folder: Path, stories: Sequence[Story], *, batch_questions: int, device: str = "cpu") -> dict[int, float]:
    """The error of each task, in percent, by the reader in `folder`."""
    reader, lexicon, about = load_reader(folder)
    reader.to(torch_device(device))
    max_words, max_sentences = about["sizes"]["max_words"], about["max_sentences"]
    data = StorySet(stories, lexicon, max_sentences=max_sentences, max_words=max_words)
    return task_errors(reader, data, batch_questions)


@torch.inference_mode()
def task_errors(reader: StoryReader, data: StorySet, batch_questions: int) -> dict[int, float]:
    """The share of wrong answers of each task, in percent."""
    reader.eval()
    wrong, asked = Counter[int](), Counter[int]()
    device = next(reader.parameters()).device
    for batch in data.batches(batch_questions):
        missed = reader(batch.to(device)).argmax(-1).cpu() != batch.answer
        asked.update(batch.task.tolist())
        wrong.update(batch.task[missed].tolist())
    reader.train()
    return {task: 100 * wrong[task] / asked[task] for task in sorted(asked)}


def mean(errors: Mapping[int, float]) -> float:
    """Over the tasks."""
    return sum(errors.values()) / len(errors)


def _steps(data: StorySet, options: StoryTraining, seed: int, first: int) -> Iterator[tuple[int, StoryBatch]]:
    """From step number `first` on; each epoch has an order of its own."""
    step, epoch = 0, 0
    while step < options.steps:
        for batch in data.batches(options.batch_questions, seed=seed + 1000 * epoch):
            if first <= step < options.steps:
                yield step, batch
            step += 1
        epoch += 1


def _advance(
    reader: StoryReader,
    optimizer: torch.optim.Optimizer,
    batch: StoryBatch,
    options: StoryTraining,
    seed: int,
    step: int,
) -> None:
    """One step of the optimiser. What dropout leaves out depends on seed and step alone, so that a resumed training
    gives what an uninterrupted one gives.
    """
    torch.manual_seed(seed * 1_000_003 + step)
    # Linear warm-up, then linear decay to a fiftieth.
    rate = min(1.0, (step + 1) / options.warmup_steps) * max(0.02, 1 - step / options.steps)
    optimizer.param_groups[0]["lr"] = options.learning_rate * rate
    batch = batch.to(next(reader.parameters()).device)
    loss = F.cross_entropy(reader(batch), batch.answer)
    if not torch.isfinite(loss):
        raise ModelError(f"the loss of step {step} is {loss.item()}; lower task.training.learning_rate")
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(reader.parameters(), options.max_norm)
    optimizer.step()


def _divided(stories: Sequence[Story], share: float, seed: int) -> tuple[list[Story], list[Story]]:
    """Training and dev stories; of each task the same share is held out."""
    shuffled = list(stories)
    Random(seed).shuffle(shuffled)
    by_task: dict[int, list[Story]] = defaultdict(list)
    for story in shuffled:
        by_task[story.task].append(story)
    dev = [story for some in by_task.values() for story in some[: round(share * len(some))]]
    train = [story for some in by_task.values() for story in some[round(share * len(some)) :]]
    if not train or not dev:
        raise InputError(f"{len(stories)} stories are too few to hold a share of {share} out; give more")
    return train, dev


def _numbered(stories: Sequence[Story], lexicon: Lexicon, sizes: Mapping[str, Any], options: StoryTraining) -> StorySet:
    return StorySet(stories, lexicon, max_sentences=options.max_sentences, max_words=sizes["max_words"])

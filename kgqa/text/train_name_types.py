"""Train the second look at names (name_types.py) on a pipeline that is trained, in about three minutes on one core.

The lessons are the names of the training documents, what the pipeline takes for names there, and wrong extents of both,
which are none. Nothing else of the pipeline is changed by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from torch import nn
from torch.nn import functional as F

from kgqa.errors import InputError
from kgqa.text.name_types import NAME, features, padded
from kgqa.text.nlp_corpus import ENTITY_LABELS
from kgqa.text.relation_net import Floats, Ints
from kgqa.text.train_nlp import save_pipeline

LABELS = ("", *ENTITY_LABELS)
REACH = 2
"""Words that a wrong extent may begin or end off the right one."""
_BATCH = 512


@dataclass(frozen=True)
class Recipe:
    """`hidden`: width of the layer; `wrong_extents`: so many for each name; `learning_rate` falls to a fiftieth."""

    epochs: int
    hidden: int
    dropout: float
    learning_rate: float
    weight_decay: float
    wrong_extents: int
    seed: int


@dataclass(frozen=True, slots=True)
class Lessons:
    """Spans `[starts, ends)` `[N]` among `rows`, and what each is: a place in LABELS, `[N]`."""

    rows: Floats
    starts: Ints
    ends: Ints
    types: Ints


def train_names(pipeline: Path, *, train_docs: Path, recipe: Recipe) -> dict[str, int]:
    """Trains on the documents of `train_docs` and writes the pipeline at `pipeline` again, with the component last;
    returns counts. InputError where one of the two is missing."""
    for path in (pipeline, train_docs):
        if not path.exists():
            raise InputError(f"{path}: not there; run train_extractor with parts=[teacher,pipeline]")
    nlp = spacy.load(pipeline)
    if NAME in nlp.pipe_names:
        nlp.remove_pipe(NAME)
    docs = [doc for doc in DocBin().from_disk(train_docs).get_docs(nlp.vocab) if doc.has_annotation("ENT_IOB")]
    lessons = lessons_of(nlp, docs, wrong_extents=recipe.wrong_extents, seed=recipe.seed)
    component = nlp.add_pipe(NAME, config={"labels": list(LABELS)})
    component.weights = fit(lessons, recipe)
    return {"name_lessons": len(lessons.types), "bytes": save_pipeline(nlp, pipeline)}


def lessons_of(nlp: Language, docs: Sequence[Doc], *, wrong_extents: int, seed: int) -> Lessons:
    """What the documents' names teach, beside what `nlp` takes for names in their words."""
    with nlp.select_pipes(enable=["tok2vec", "ner"]):
        read = list(nlp.pipe(Doc(nlp.vocab, [t.text for t in d], [bool(t.whitespace_) for t in d]) for d in docs))
    rows, places = padded(read)
    rng = np.random.default_rng(seed)
    spans = [
        (start + place, end + place, label)
        for given, found, place in zip(docs, read, places.tolist(), strict=True)
        for start, end, label in _spans(given, found, wrong_extents, rng)
    ]
    starts, ends, types = np.array(spans).T
    return Lessons(rows, starts, ends, types)


def _spans(given: Doc, found: Doc, wrong_extents: int, rng: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """First word, end and type of the spans of a document; of words of which nothing is known there is none."""
    right = {(name.start, name.end): LABELS.index(name.label_) for name in given.ents}
    unknown = np.array([token.ent_iob == 0 for token in given])
    for start, end in sorted({*right, *((name.start, name.end) for name in found.ents)}):
        others = [
            (first, last)
            for first in range(max(start - REACH, 0), start + REACH + 1)
            for last in range(max(end - REACH, first + 1), min(end + REACH, len(given)) + 1)
            if (first, last) != (start, end)
        ]
        chosen = rng.permutation(len(others))[:wrong_extents]
        for first, last in [(start, end), *(others[place] for place in chosen)]:
            label = right.get((first, last), 0)
            if label or not unknown[first:last].any():
                yield first, last, label


def fit(lessons: Lessons, recipe: Recipe) -> dict[str, Floats]:
    """The weights of `NameTypes`, by cross-entropy over all lessons."""
    torch.manual_seed(recipe.seed)
    width = features(lessons.rows, lessons.starts[:1], lessons.ends[:1]).shape[1]
    net = nn.ModuleDict({"hidden": nn.Linear(width, recipe.hidden), "output": nn.Linear(recipe.hidden, len(LABELS))})
    dropout = nn.Dropout(recipe.dropout)
    optimizer = torch.optim.AdamW(net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * -(-len(lessons.types) // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.02, 1 - step / steps))
    for _ in range(recipe.epochs):
        order = torch.randperm(len(lessons.types)).numpy()
        for first in range(0, len(order), _BATCH):
            chosen = order[first : first + _BATCH]
            seen = torch.from_numpy(features(lessons.rows, lessons.starts[chosen], lessons.ends[chosen]))
            scores = net["output"](dropout(F.relu(net["hidden"](dropout(seen)))))
            loss = F.cross_entropy(scores, torch.from_numpy(lessons.types[chosen]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return {name: weight.numpy() for name, weight in net.state_dict().items()}

"""The last part of training the English pipeline: given trees weigh more, at a rate that falls to nothing.

Most of what train_nlp.py trains on are sentences whose trees a teacher drew. They teach much while the pipeline knows
little, and in the end the given ones teach more: a few hundred steps over all of these and a part of the others.
"""

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from kgqa.text.treebank import write_docs

_WARMUP = 30
"""Steps until the rate is at its highest."""
_WORDS = 1000
"""Of a step."""


@dataclass(frozen=True)
class Finish:
    """`steps`: how many, none for 0; `rate`: the highest learning rate; `others`: words of documents whose trees were
    not given, for each word of one whose tree was."""

    steps: int
    rate: float
    others: float


def finish(best: Path, *, train_docs: Path, dev_docs: Path, recipe: Finish, seed: int, work_dir: Path) -> Path:
    """Trains the pipeline at `best` on, on the documents chosen from `train_docs`; returns the folder of the result."""
    work_dir.mkdir(parents=True, exist_ok=True)
    docs = list(DocBin().from_disk(train_docs).get_docs(spacy.blank("en").vocab))
    write_docs(_chosen(docs, recipe.others, seed), work_dir / "finish.spacy")
    nlp = init_nlp(_config(best, work_dir / "finish.spacy", dev_docs, recipe))
    _know_lemmas(nlp)
    train(nlp, work_dir, stdout=sys.stdout, stderr=sys.stderr)
    return work_dir / "model-last"


def _chosen(docs: list[Doc], others: float, seed: int) -> list[Doc]:
    """All that have given trees, which alone have lemmas, and some of the others, shuffled."""
    trees = [doc for doc in docs if doc.has_annotation("LEMMA")]
    rest = [doc for doc in docs if not doc.has_annotation("LEMMA")]
    random.Random(seed).shuffle(rest)
    most, num_words, chosen = others * sum(map(len, trees)), 0, trees
    for doc in rest:
        if num_words > most:
            break
        chosen.append(doc)
        num_words += len(doc)
    random.Random(seed + 1).shuffle(chosen)
    return chosen


def _config(best: Path, docs: Path, dev_docs: Path, recipe: Finish) -> Any:
    """That of the pipeline, which starts from its weights. Those are not averaged: the rate falls to nothing."""
    config = load_config(best / "config.cfg", interpolate=False)
    for name in config["components"]:
        config["components"][name] = {"source": str(best)}
    config["paths"] = {"train": str(docs), "dev": str(dev_docs), "pieces": None}
    training = config["training"]
    training |= {"max_epochs": 0, "max_steps": recipe.steps, "eval_frequency": 200}
    training["batcher"]["size"] = _WORDS
    training["optimizer"] |= {
        "use_averages": False,
        "learn_rate": {
            "@schedules": "warmup_linear.v1", "warmup_steps": _WARMUP, "total_steps": recipe.steps,
            "initial_rate": recipe.rate,
        },
    }  # fmt: skip
    return config


def _know_lemmas(nlp: Language) -> None:
    """spaCy's lemmatizer, read from a file, no longer knows which edit is which label, and would learn that all words
    are their lemmas."""
    lemmatizer: Any = nlp.get_pipe("trainable_lemmatizer")
    lemmatizer.tree2label = {tree: label for label, tree in enumerate(lemmatizer.labels)}

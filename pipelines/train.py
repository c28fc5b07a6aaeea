"""Train the reasoner on questions over a knowledge base: from answers alone, no path and no hop count needed. The best
one by dev set F1 is left in the run's folder under checkpoints/best; an interrupted run goes on with trainer.resume=.
"""

import random
import sys
import warnings
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from kgqa.answer.answerer import Answerer
from kgqa.answer.calibration import calibrate
from kgqa.answer.linking import EntityLinker, tell_of_vectors
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import default_embedder_kind
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings, load
from kgqa.reason.examples import Vocabulary, example
from kgqa.reason.made import made_questions
from kgqa.reason.predict import Predictor
from kgqa.reason.training import TrainingOptions, fit
from kgqa.types import Question

from .parts import linker_of, primer_of, questions_of, server_of
from .stage import stage
from .train_stories import train_stories


@stage(
    "train",
    needs={"kb": "the folder of the knowledge base", "qa.train": "a file of questions with their answers"},
    example="kgqa train kb=kb/mine qa=files qa.train=train.jsonl",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Link the questions' topics, train, calibrate; or, with task=babi, train the reader of stories."""
    if cfg.task.kind == "babi":
        return train_stories(cfg, run_folder)
    kind = cfg.encoder.kind if cfg.encoder.kind != "auto" else default_encoder()
    keys = cfg.encoder
    encoder = EncoderSettings(
        kind, keys.model, keys.width, keys.num_buckets, tuned_layers=keys.tuned_layers, lora_rank=keys.lora_rank,
        max_tokens=keys.max_tokens, window=keys.window,
    )  # fmt: skip
    sizes = OmegaConf.to_container(cfg.reasoner, resolve=True)
    options = OmegaConf.to_container(cfg.trainer, resolve=True)
    resume = options.pop("resume")
    num_dev = options.pop("dev_questions")
    _leave_out_false_alarms()
    with KnowledgeBase.open(cfg.kb, server=server_of(cfg)) as kb:
        tell_of_vectors(kb)
        linker = linker_of(cfg, kb)
        primer = primer_of(cfg, kb)
        settings = ReasonerSettings(encoder, sizes)
        settings = settings.handed(primer.embedder) if primer else settings
        train, dev = _questions(cfg, kb, linker)
        dev = random.Random(cfg.seed).sample(dev, min(len(dev), num_dev))
        vocabulary = Vocabulary(kb.triples())
        examples = ([example(question, vocabulary) for question in questions] for questions in (train, dev))
        scores = fit(
            settings, kb.triples(), *examples, TrainingOptions(**options),
            folder=run_folder, seed=cfg.seed, resume=Path(resume) if resume else None,
            about={"generation": kb.generation, "seed": cfg.seed}, primer=primer,
        )  # fmt: skip
        if rank_zero_only.rank == 0:  # of several processes one is enough
            best = run_folder / "checkpoints" / "best"
            answerer = Answerer(kb, Predictor(*load(best), kb.triples(), max_paths=0, primer=primer), linker)
            scores |= calibrate(answerer.answer(dev), answerer.names_of, best)
    return scores


def _leave_out_false_alarms() -> None:
    """The run's folder holds our files, and Lightning deletes none of them; small data gives few steps."""
    for message in ("Experiment logs directory", ".*LeafSpec", "The number of training batches"):
        warnings.filterwarnings("ignore", message)


def default_encoder() -> str:
    """MiniLM where it is installed, else our own."""
    return "minilm" if default_embedder_kind() == "minilm" else "transformer"


def _questions(cfg: DictConfig, kb: KnowledgeBase, linker: EntityLinker) -> tuple[list[Question], list[Question]]:
    """Training and dev questions with linked topics; dev is held out of train where no file is given."""

    def read(files: str | list[str] | None) -> list[Question]:
        return linker.link(questions_of(cfg, files))

    train, dev = read(cfg.qa.train), read(cfg.qa.dev)
    if count := cfg.qa.get("made"):
        train += made_questions(kb.triples(), count, max_hops=cfg.reasoner.max_hops, seed=cfg.seed)
    if not dev:
        random.Random(cfg.seed).shuffle(train)
        num_dev = round(len(train) * cfg.qa.dev_fraction)
        train, dev = train[num_dev:], train[:num_dev]
    return train, dev


if __name__ == "__main__":
    sys.exit(main())

"""Ctrl-C in the middle of every stage: exit code 130, one message, and what was committed before is what is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kgqa.knowledge_base import KnowledgeBase
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from pipelines import extract, index

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CORPUS = ("corpus=facts", "corpus.path=facts.txt")
QUESTION = {"question": "Who taught Pauli?", "answers": ["Bohr"]}
SMALL = ("encoder=transformer", "encoder.width=32", "reasoner.width=32", "reasoner.num_heads=2", "trainer.max_epochs=2")
TRAINING = ("qa=files", "qa.train=q.jsonl", "qa.dev=q.jsonl", *SMALL)
STAGES = {
    "extract": ("kgqa.expand.writer:write_generation", *CORPUS),
    "index": ("kgqa.expand.vectors:apply_delta", "embedder=hashing", "embedder.width=32"),
    "expand": ("kgqa.expand.vectors:apply_delta", *CORPUS),
    "train_embedder": ("kgqa.memory.contrastive:_names_loss", "out=own", "training.steps=2"),
    "train": (
        "kgqa.reason.training:ReasonerTraining.training_step",
        "qa=files",
        "qa.train=q.jsonl",
        "qa.dev=q.jsonl",
        *SMALL,
    ),
    "export": ("kgqa.export:_restorable", "out=a.nq.gz"),
    "answer": ("kgqa.answer.batch:score", "questions=q.jsonl", "out=a.jsonl", "checkpoint=random"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An indexed knowledge base, changed facts beside it, questions, and a reasoner with random weights."""
    monkeypatch.chdir(tmp_path)
    Path("facts.txt").write_text("Bohr|taught|Pauli\n")
    assert extract.main([*CORPUS, "kb=kb", "name=before"]) == 0
    assert index.main(["kb=kb", "embedder=hashing", "name=before"]) == 0
    Path("facts.txt").write_text("Bohr|taught|Gamow\nBohr|taught|Klein\n")
    Path("q.jsonl").write_text(json.dumps(QUESTION) + "\n")
    settings = ReasonerSettings(
        EncoderSettings("transformer", width=32, num_buckets=64), {"width": 32, "num_heads": 2, "num_slots": 4}
    )
    torch.manual_seed(0)
    checkpoint.save(settings.build(), settings, tmp_path / "random", about={})
    return tmp_path


def state() -> tuple[str, list[str], int]:
    """What a reader sees."""
    with KnowledgeBase.open("kb") as kb:
        return kb.generation, kb.triples().entity_texts, len(kb.memory("entity", device="cpu"))


@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupt_leaves_the_last_committed_state(folder, stage):
    before = state()
    point, *arguments = STAGES[stage]
    run = subprocess.run(
        [sys.executable, str(ROOT / "tests/pipelines/interrupted.py"), stage, point, "kb=kb", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 130, run.stderr
    assert "interrupted; what was committed before stays" in run.stderr
    assert "Traceback" not in run.stderr
    (manifest,) = folder.glob(f"runs/default/{stage}-*/manifest.json")
    assert json.loads(manifest.read_text())["status"] == "interrupted"
    assert state() == before
    assert not list(folder.glob("a.*"))
    assert not list(folder.glob(".*.tmp"))
    assert extract.main([*CORPUS, "kb=kb", "name=after"]) == 0
    assert state()[1] == ["Bohr", "Gamow", "Klein"]

"""A knowledge base on disk and a reasoner with random weights, for the tests of answering."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings

PEOPLE = ("Bohr", "Born", "Pauli", "Fermi", "Hahn", "Wu", "Dirac")
FACTS = [
    *(f"{teacher}|taught|{pupil}" for teacher, pupil in pairwise(PEOPLE)),
    *(f"{person}|born in|{place}" for person, place in zip(PEOPLE, ["Rome", "Kiel", "Rome", "Graz"] * 2, strict=False)),
    "Rome|in|Italy",
    "Graz|in|Austria",
    "Kiel|in|Germany",
    'Bohr|said|"<b>"; DROP ALL',
]


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    """A folder with a knowledge base `kb` and a checkpoint `random`."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "facts.txt").write_text("\n".join(FACTS), encoding="utf-8")
    expand(folder / "kb", Corpus(folder / "facts.txt", "facts"), Settings())
    torch.manual_seed(0)
    sizes = {"width": 32, "num_heads": 2, "num_slots": 4}
    settings = ReasonerSettings(EncoderSettings("transformer", width=32, num_buckets=512), sizes)
    checkpoint.save(settings.build(), settings, folder / "random", about={})
    return folder

"""An encoder of one's own from the command line: trained, indexed with, found again, never mixed with another."""

import json
from pathlib import Path

import numpy as np
import pytest

from kgqa.config import compose_config
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import load_embedder
from kgqa.memory.text_encoder import TransformerEmbedder
from pipelines import compact, expand, extract, index, parts, train_embedder

FACTS = ("corpus=facts", "corpus.path=facts.txt")
SMALL = (
    "training.steps=2", "training.names=8", "training.facts=4",
    "sizes.width=16", "sizes.num_buckets=64", "sizes.num_heads=2",
)  # fmt: skip
QUESTION = {"question": "Who taught Pauli?", "answers": ["Bohr"]}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("facts.txt").write_text("Bohr|taught|Pauli\nPauli|taught|Stern\n")
    Path("q.jsonl").write_text(json.dumps(QUESTION) + "\n")
    assert extract.main([*FACTS, "kb=kb"]) == 0


def train(*more: str) -> int:
    return train_embedder.main(["kb=kb", "out=own", "device=cpu", *SMALL, *more])


def embedder_name(kb: str = "kb") -> str | None:
    with KnowledgeBase.open(kb) as base:
        return base.embedder_name


def counted(monkeypatch) -> list[str]:
    """The texts that go through the encoder from here on."""
    texts, real = [], TransformerEmbedder.embed
    monkeypatch.setattr(TransformerEmbedder, "embed", lambda self, asked: (texts.extend(asked), real(self, asked))[1])
    return texts


def test_a_knowledge_base_is_indexed_and_searched_with_its_own_encoder(capsys):
    assert train("qa=files", "qa.train=q.jsonl") == 0
    shown = capsys.readouterr().err
    assert "num_entities 3, num_aliases 0, num_facts 2, num_questions 1, embedder transformer-" in shown
    own = ["embedder=transformer", "embedder.model=own", "embedder.device=cpu"]
    assert index.main(["kb=kb", *own]) == 0
    embedder = load_embedder("transformer", model="own", device="cpu")
    assert embedder_name() == embedder.name
    with KnowledgeBase.open("kb") as kb:
        assert parts.linker_of(compose_config(own), kb).nearest.embedder.name == embedder.name
        scores, _ = kb.memory("entity", device="cpu").search(embedder.embed(["Bohr"]), 1)
        np.testing.assert_allclose(scores, 1, atol=0.01)
    Path("facts.txt").write_text("Bohr|taught|Pauli\nBohr|taught|Gamow\n")
    assert expand.main([*FACTS, "kb=kb"]) == 2
    assert "no model is given; set embedder=transformer embedder.model=FOLDER" in capsys.readouterr().err
    assert expand.main([*FACTS, "kb=kb", "embedder.model=own", "embedder.device=cpu"]) == 0
    Path("facts.txt").write_text("Bohr|taught|Pauli\n")
    assert expand.main([*FACTS, "kb=kb", "embedder=hashing"]) == 2
    assert embedder_name() == embedder.name


def test_training_again_is_refused_where_it_would_replace_an_encoder(capsys):
    assert train() == 0
    weights = Path("own/encoder.safetensors").read_bytes()
    assert train() == 0
    assert "num_questions 0" in capsys.readouterr().err
    assert train("seed=1") == 2
    assert "give another folder as out=DIR" in capsys.readouterr().err
    assert Path("own/encoder.safetensors").read_bytes() == weights
    assert train_embedder.main(["kb=kb"]) == 2
    assert "out: no value; it is the folder to write the encoder to" in capsys.readouterr().err


def test_a_second_index_of_the_same_texts_calls_the_encoder_not_once(monkeypatch):
    assert train() == 0
    own = ["embedder=transformer", "embedder.model=own", "embedder.device=cpu", "embedder.cache=cache"]
    texts = counted(monkeypatch)
    assert index.main(["kb=kb", *own]) == 0
    assert sorted(texts) == ["Bohr", "Pauli", "Stern", "taught"]
    texts.clear()
    assert extract.main([*FACTS, "kb=other"]) == 0
    assert index.main(["kb=other", *own]) == 0
    assert texts == []
    with KnowledgeBase.open("kb") as kb, KnowledgeBase.open("other") as other:
        for kind in ("entity", "relation", "fact"):
            one, two = kb.memory(kind, device="cpu"), other.memory(kind, device="cpu")
            np.testing.assert_array_equal(one.get(one.ids()), two.get(two.ids()))


def test_product_codes_and_their_bound_are_reached_from_the_command_line():
    assert index.main(["kb=kb", "embedder=hashing", "memory=pq", "memory.min_rows=1"]) == 0
    options = parts.options_of(compose_config(["memory=pq", "memory.min_recall=0.5", "memory.gpu_float16=true"]))
    assert (options.kind, options.min_recall, options.gpu_float16, options.list_factor) == ("pq", 0.5, True, 0)
    assert compact.main(["kb=kb", "memory=pq", "memory.min_recall=0.5"]) == 0
    assert embedder_name() == "hashing-v1-256"

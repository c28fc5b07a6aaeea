"""Our own encoder: unit rows, one text one vector, an identity that follows the weights, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.errors import ConfigError, ModelError
from kgqa.memory.cache import CachedEmbedder
from kgqa.memory.embedder import load_embedder
from kgqa.memory.text_encoder import TextEncoder, TransformerEmbedder, encoder_name, load_encoder, save_encoder

SIZES = {"width": 64, "num_buckets": 1024, "num_layers": 2, "num_heads": 2, "max_words": 6}
TEXTS = ["Peter Fonda", "", "who directed the film that Peter Fonda starred in", "a b", "千と千尋の神隠し"]


def shaken(seed: int = 0) -> TextEncoder:
    """An encoder whose layers do something, as after training."""
    torch.manual_seed(seed)
    encoder = TextEncoder(**SIZES)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("encoders") / "mine"
    save_encoder(shaken(), path, sizes=SIZES, about={"seed": 3})
    return path


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_unit_rows_that_do_not_depend_on_the_batch(texts):
    encoder = shaken()
    with torch.inference_mode():
        together = encoder(texts)
        torch.testing.assert_close(together.norm(dim=1), torch.ones(len(texts)))
        for text, vector in zip(texts, together, strict=True):
            torch.testing.assert_close(encoder([text])[0], vector, atol=1e-5, rtol=0)
            torch.testing.assert_close(encoder([text.upper().lower()])[0], encoder([text.upper()])[0])


def test_before_training_it_sees_names_as_hashing_does():
    torch.manual_seed(0)
    encoder = TextEncoder().eval()
    with torch.inference_mode():
        name, slip, order, other = encoder(["Peter Fonda", "Pter Fonda", "Fonda, Peter", "Peter Jackson"])
    assert name @ slip > name @ other
    torch.testing.assert_close(name, order)


def test_words_after_the_last_one_that_is_read_do_not_count():
    encoder = shaken()
    with torch.inference_mode():
        torch.testing.assert_close(encoder(["a b c d e f"]), encoder(["a b c d e f g h"]))
        assert not torch.allclose(encoder(["a b c d e f"]), encoder(["a b c d e g"]))


def test_what_is_saved_is_what_is_loaded(folder):
    encoder, about = load_encoder(folder)
    embedder = TransformerEmbedder(folder, device="cpu", dtype="float32", batch_size=2)
    assert about == {"seed": 3}
    assert embedder.name == encoder_name(encoder) == encoder_name(shaken())
    assert embedder.width == 64
    with torch.inference_mode():
        np.testing.assert_allclose(embedder.embed(TEXTS), shaken()(TEXTS).numpy(), atol=1e-5)
    assert embedder.embed([]).shape == (0, 64)


def test_the_identity_follows_weights_and_sizes(folder, tmp_path):
    save_encoder(shaken(1), tmp_path / "other", sizes=SIZES, about={})
    save_encoder(shaken(), tmp_path / "shorter", sizes=SIZES | {"max_words": 5}, about={})
    names = {
        TransformerEmbedder(path, device="cpu").name for path in (folder, tmp_path / "other", tmp_path / "shorter")
    }
    assert len(names) == 3
    assert all(name.startswith("transformer-") and name.endswith("-64") for name in names)


def test_products_in_bfloat16_give_nearly_the_same_vectors(folder):
    exact, rough = (TransformerEmbedder(folder, device="cpu", dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert exact.name == rough.name
    vectors = rough.embed(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    similar = (vectors * exact.embed(TEXTS)).sum(1)
    assert (similar > 0.99).all()
    assert (similar < 1 - 1e-8).any()


def test_loading_by_kind_by_identity_and_from_a_cache(folder, tmp_path):
    found = load_embedder("transformer", model=str(folder), device="cpu")
    assert load_embedder(found.name, model=str(folder), device="cpu").name == found.name
    with pytest.raises(
        ModelError, match=r"'transformer-0123-64' are asked for, here it is 'transformer-.*pipelines/index"
    ):
        load_embedder("transformer-0123-64", model=str(folder))
    for kind in ("auto", "hashing"):
        with pytest.raises(ConfigError, match=r"is not for embedder .*set embedder=transformer or embedder=hf"):
            load_embedder(kind, model=str(folder))
    cached = [load_embedder("transformer", model=str(folder), device="cpu", cache=str(tmp_path)) for _ in range(2)]
    assert all(isinstance(embedder, CachedEmbedder) for embedder in cached)
    np.testing.assert_allclose(cached[0].embed(TEXTS), found.embed(TEXTS), atol=1e-6)
    cached[1]._encode = None  # is not asked any more
    np.testing.assert_array_equal(cached[1].embed(TEXTS), cached[0].embed(TEXTS))


def test_encoders_that_are_none(folder, tmp_path):
    with pytest.raises(ModelError, match=r"no encoder in .*encoder\.json is missing.*train_embedder"):
        load_encoder(tmp_path)
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights, settings_file = copy / "encoder.safetensors", copy / "encoder.json"
    good = settings_file.read_text()
    for change, message in (
        ({"format": 2}, "newer than 1; update kgqa"),
        ({"sizes": SIZES | {"width": 32}}, "is damaged .*restore it or train it again"),
        ({"sizes": SIZES | {"depth": 2}}, "is damaged"),
        ({"sizes": SIZES | {"num_heads": 7}}, "is damaged"),
    ):
        settings_file.write_text(json.dumps(json.loads(good) | change))
        with pytest.raises(ModelError, match=message):
            load_encoder(copy)
    settings_file.write_text(good)
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="is damaged"):
        load_encoder(copy)
    weights.unlink()
    with pytest.raises(ModelError, match=r"encoder\.safetensors"):
        load_encoder(copy)


@pytest.mark.parametrize("bad", [{"num_heads": 5}, {"num_buckets": 0}, {"num_layers": -1}, {"max_words": 0}])
def test_sizes_that_do_not_fit_are_refused(bad):
    with pytest.raises(ConfigError, match="cannot be built"):
        TextEncoder(**(SIZES | bad))
    with pytest.raises(ConfigError, match="batch_size is 0"):
        TransformerEmbedder(None, batch_size=0)

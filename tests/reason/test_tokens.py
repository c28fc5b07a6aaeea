"""Pretrained token encoders, tiny and random: the frozen part stays, the tuned part learns, texts are kept apart."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch

from kgqa.errors import ModelError
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings
from kgqa.reason.tokens import PLACEHOLDER, PretrainedTokens

transformers = pytest.importorskip("transformers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "where", "was", "born", "taught"]
TEXTS = [f"who taught {PLACEHOLDER}", "born", f"where was {PLACEHOLDER} born who taught {PLACEHOLDER}"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of three layers, as a user's own model would lie on disk."""
    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    transformers.BertModel(config).save_pretrained(path, safe_serialization=True)
    transformers.BertTokenizer(str(path / "vocab.txt")).save_pretrained(path)
    return path


def encoder(folder: Path, tuned_layers: int, lora_rank: int = 0) -> PretrainedTokens:
    built = EncoderSettings("hf", str(folder), tuned_layers=tuned_layers, lora_rank=lora_rank).build()
    assert isinstance(built, PretrainedTokens)
    return built.eval()


@pytest.mark.parametrize("tuned_layers", [1, 3])
def test_tuned_layers_begin_as_the_model_had_them(folder: Path, tuned_layers: int) -> None:
    frozen, tuned = encoder(folder, 0)(TEXTS), encoder(folder, tuned_layers)(TEXTS)
    torch.testing.assert_close(tuned.states[tuned.mask], frozen.states[frozen.mask], atol=5e-3, rtol=0)  # float16 kept
    assert tuned.topic_rank.tolist() == frozen.topic_rank.tolist()
    assert [row.count(1) + row.count(2) for row in tuned.topic_rank.tolist()] == [1, 0, 2]


def test_frozen_layers_go_where_the_module_goes(folder: Path) -> None:
    """To a GPU; here to float64, which comes by the same way. What was remembered before is not mixed with it."""
    tokens = encoder(folder, 1)
    tokens(TEXTS)
    tokens.double()
    assert {part.dtype for part in tokens._model[0].parameters()} == {torch.float64}
    assert not tokens._known
    assert not any("word_embeddings" in name for name, _ in tokens.named_parameters())


def test_other_texts_of_a_batch_change_nothing(folder: Path) -> None:
    tokens = encoder(folder, 2)
    together, alone = tokens(TEXTS), tokens(TEXTS[:1])
    length = int(alone.mask.sum())
    torch.testing.assert_close(together.states[0, :length], alone.states[0])


@pytest.mark.parametrize("rows_are_alike", [None, False], ids=["as this machine multiplies", "filled up"])
@pytest.mark.parametrize("tuned_layers", [0, 1])
def test_what_is_remembered_of_a_text_is_the_same_to_the_last_bit_whatever_came_with_it(
    folder: Path, tuned_layers: int, rows_are_alike: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a batch is answered alike by a process that has seen others before it, and by one that has not."""
    many = [" ".join(WORDS[5 + (n + k) % 5] for k in range(1 + n % 9)) for n in range(90)]
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    torch.manual_seed(0)
    config = transformers.BertConfig(  # as wide as models are, so that padding shows in the last bits
        vocab_size=len(WORDS), hidden_size=384, num_hidden_layers=2, num_attention_heads=12, intermediate_size=384
    )
    model = transformers.BertModel(config).eval()
    together, alone = (
        PretrainedTokens(tokenizer, deepcopy(model), name="wide", tuned_layers=tuned_layers) for _ in range(2)
    )
    if tuned_layers:
        together.finish()
        alone.finish()
    if rows_are_alike is not None:
        monkeypatch.setattr(PretrainedTokens, "_rows_are_alike", rows_are_alike)
    with torch.no_grad():
        together(many)
        for text in many:
            alone([text])
    for text in many:
        assert torch.equal(together._known[text][0], alone._known[text][0])


def test_the_last_layers_learn_and_the_rest_is_not_written(folder: Path, tmp_path: Path) -> None:
    settings = ReasonerSettings(
        EncoderSettings("hf", str(folder), tuned_layers=1), {"width": 16, "num_heads": 2, "num_slots": 3}
    )
    reasoner = settings.build()
    tokens = reasoner.token_encoder
    assert isinstance(tokens, PretrainedTokens)
    tokens(TEXTS).states.square().sum().backward()
    assert all(parameter.grad is not None for parameter in tokens.tuned[0].parameters())
    assert sum("token_encoder" in name for name in reasoner.state_dict()) == len(tokens.tuned.state_dict())
    with torch.no_grad():
        for parameter in tokens.parameters():
            parameter.add_(0.1)
    checkpoint.save(reasoner, settings, tmp_path, about={})
    again, _ = checkpoint.load(tmp_path)
    torch.testing.assert_close(again.token_encoder(TEXTS).states, tokens.eval()(TEXTS).states)


def test_a_model_without_such_layers_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"it has 3 layers; set encoder\.tuned_layers=0"):
        encoder(folder, 4)


@pytest.mark.parametrize("tuned_layers", [0, 1])
def test_updates_of_low_rank_begin_as_the_frozen_encoder(folder: Path, tuned_layers: int) -> None:
    updated = encoder(folder, tuned_layers, lora_rank=2)
    assert len(updated.updates) == 2 * (3 - tuned_layers)  # queries and values of the layers that are not tuned
    tokenizer, model = updated.tokenizer, transformers.BertModel.from_pretrained(folder).eval()
    together = updated(TEXTS)
    for row, text in enumerate(TEXTS):  # nothing is added: but for padding it would be the same to the last bit
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            expected = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            torch.testing.assert_close(together.states[row, : ids.shape[1]], expected[0])
            if not tuned_layers:
                assert torch.equal(updated([text]).states, expected)
    assert together.topic_rank.tolist() == encoder(folder, 0)(TEXTS).topic_rank.tolist()


def test_updates_of_low_rank_learn_alone_and_are_all_that_is_written(folder: Path, tmp_path: Path) -> None:
    settings = ReasonerSettings(
        EncoderSettings("hf", str(folder), lora_rank=2), {"width": 16, "num_heads": 2, "num_slots": 3}
    )
    reasoner = settings.build()
    tokens = reasoner.token_encoder
    assert isinstance(tokens, PretrainedTokens)
    before = {name: weight.clone() for name, weight in tokens._model[0].named_parameters()}
    for _ in range(2):  # the first step leaves A as it is, since B is zero
        optimizer = torch.optim.SGD(tokens.parameters(), lr=0.1)
        tokens(TEXTS).states.pow(3).sum().backward()
        optimizer.step()
    assert all(weight.grad is not None and weight.grad.any() for weight in tokens.parameters())
    after = dict(tokens._model[0].named_parameters())
    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        f"encoder.layer.{layer}.attention.self.{part}.{factor}"
        for layer in range(3)
        for part in ("query", "value")
        for factor in ("down", "up")
    }
    written = {name: weight.shape for name, weight in reasoner.state_dict().items() if "token_encoder" in name}
    assert sorted(set(written.values())) == [(2, 16), (16, 2)]
    assert len(written) == 12
    checkpoint.save(reasoner, settings, tmp_path, about={})
    again, read = checkpoint.load(tmp_path)  # merged, and remembered in float16
    assert read == settings
    torch.testing.assert_close(again.token_encoder(TEXTS).states, tokens.eval()(TEXTS).states, atol=5e-3, rtol=0)
    assert again.token_encoder._known
    assert all(torch.equal(again.state_dict()[name], reasoner.state_dict()[name]) for name in written)

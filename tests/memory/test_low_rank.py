"""Low-rank updates: what they compute, and that merged they compute the same."""

from types import SimpleNamespace

import pytest
import torch

from kgqa.errors import ConfigError, ModelError
from kgqa.memory.bert import Bert
from kgqa.memory.low_rank import adapt, merge


def test_an_update_adds_its_product_and_merged_layers_compute_the_same() -> None:
    """On the BERT that MiniLM is loaded as: h = W_0 x + B A x by hand, then without updates."""
    torch.manual_seed(0)
    config = SimpleNamespace(
        vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=12, type_vocab_size=1, layer_norm_eps=1e-6,
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
    )  # fmt: skip
    model = Bert(config).eval()
    for table in (part for part in model.modules() if isinstance(part, torch.nn.Embedding)):
        torch.nn.init.normal_(table.weight)
    frozen = model.encoder.layer[0].attention.self["query"]
    ids = torch.arange(8).view(2, 4)
    before = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    updates = adapt(model, 3, "tiny")
    assert len(updates) == 4
    assert torch.equal(model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state, before)
    with torch.no_grad():
        for weight in updates.parameters():
            weight.normal_()
    x, one = torch.randn(5, 8), updates[0]
    torch.testing.assert_close(one(x), x @ (frozen.weight + one.up @ one.down).T + frozen.bias)
    updated = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    assert not torch.allclose(updated, before, atol=0.01)
    merge(model)
    assert model.encoder.layer[0].attention.self["query"] is frozen
    merged = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    torch.testing.assert_close(merged, updated, atol=1e-4, rtol=1e-4)


def test_the_frozen_layer_goes_where_its_update_goes() -> None:
    updates = adapt(torch.nn.ModuleDict({"query": torch.nn.Linear(3, 3)}), 2, "tiny")
    one = updates.to(torch.float64)[0]
    assert one(torch.ones(1, 3, dtype=torch.float64)).dtype == torch.float64


def test_a_model_without_such_projections_and_a_negative_rank_are_refused() -> None:
    other = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert not adapt(other, 0, "plain")
    with pytest.raises(ModelError, match="plain has no linear layers called query and value"):
        adapt(other, 4, "plain")
    with pytest.raises(ConfigError, match=r"encoder\.lora_rank is -1"):
        adapt(other, -1, "plain")

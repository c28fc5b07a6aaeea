"""Block-sparse attention against dense attention with the same mask, in values and gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from kgqa.memory.layers import EncoderLayer
from kgqa.memory.near_attention import near


def pairs(mask: Tensor, is_global: Tensor, window: int) -> Tensor:
    """[n, L, L]: who sees whom, pair by pair."""
    n, length = mask.shape
    visible = torch.zeros(n, length, length, dtype=torch.bool)
    for text in range(n):
        for i in range(length):
            for j in range(length):
                is_near = abs(i - j) <= window or is_global[text, i] or is_global[text, j]
                visible[text, i, j] = mask[text, j] and is_near
    return visible


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 23), min_size=1, max_size=3), window=st.integers(1, 7), seed=st.integers(0, 99))
def test_tokens_see_what_dense_attention_with_the_same_mask_sees(lengths: list[int], window: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    n, longest = len(lengths), max(lengths)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    is_global = torch.rand(n, longest, generator=draw) < 0.15
    visible = pairs(mask, is_global & mask, window)
    parts = [torch.randn(n, 2, longest, 4, generator=draw, dtype=torch.float64) for _ in range(3)]
    seen = near(mask, is_global, window)
    if seen is None:
        assert torch.equal(visible, mask[:, None, :].expand_as(visible))
        return
    given_, expected = ([part.clone().requires_grad_() for part in parts] for _ in range(2))
    found = seen.attend(*given_)
    # What fills up sees nothing that counts; it is left out here as it is later.
    dense = F.scaled_dot_product_attention(
        *expected, attn_mask=(visible | torch.eye(longest, dtype=torch.bool))[:, None]
    )
    kept = mask[:, None, :, None].expand_as(dense)
    torch.testing.assert_close(found[kept], dense[kept])
    assert found.isfinite().all()
    found[kept].pow(2).sum().backward()
    dense[kept].pow(2).sum().backward()
    for one, other in zip(given_, expected, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_what_is_far_away_is_seen_through_layers_or_by_way_of_a_global_token(num_layers: int) -> None:
    torch.manual_seed(0)
    layers = [EncoderLayer(8, num_heads=2, dropout=0.0).double() for _ in range(num_layers)]
    mask, none = torch.ones(1, 20, dtype=torch.bool), torch.zeros(1, 20, dtype=torch.bool)
    topic = none.clone()
    topic[0, 10] = True
    for is_global, reached in ((none, [*range(2 * num_layers + 1)]), (topic, None)):
        states = torch.randn(1, 20, 8, dtype=torch.float64)
        changed = states.clone()
        changed[0, 0] = torch.randn(8)
        seen = near(mask, is_global, 2)
        for layer in layers:
            states, changed = layer(states, mask, seen), layer(changed, mask, seen)
        differ = (states - changed).abs().amax(-1)[0] > 1e-12
        if reached is not None:
            assert differ.nonzero().flatten().tolist() == reached
        else:  # the topic sees the first token, two layers on all see that
            assert differ[10]
            assert differ.all() == (num_layers > 1)

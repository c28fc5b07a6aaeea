"""The network in numpy gives what the trained one in torch gives, whatever else is in the batch."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.text.mention_tags import PRONOUN, TAGS
from kgqa.text.relation_net import Asked, Ends, RelationNet, Tokens
from kgqa.text.relation_training import Example, Pairs, TrainedNet, padded

WIDTH, PROPERTIES = 6, 5


def nets() -> tuple[TrainedNet, RelationNet]:
    torch.manual_seed(0)
    trained = TrainedNet(WIDTH, (9, 4, 4), PROPERTIES, hidden=16, dropout=0.3).eval()
    return trained, RelationNet({name: value.numpy() for name, value in trained.state_dict().items()})


TRAINED, NET = nets()


def passage(length: int, seed: int) -> tuple[Example, Pairs]:
    rng = np.random.default_rng(seed)
    tokens = Tokens(
        rng.normal(size=(length, WIDTH)).astype(np.float32),
        rng.integers(0, 4, (length, 3)),
        np.sort(rng.integers(0, 7, length)),
    )
    starts = rng.integers(0, length, 4)
    ends = np.minimum(length, starts + rng.integers(1, 4, 4))
    kinds = rng.integers(0, PRONOUN + 1, 4)
    mentions = [(int(s), int(e), int(k)) for s, e, k in zip(starts, ends, kinds, strict=True)]
    pairs = np.array([(one, other) for one in range(4) for other in range(4) if one != other])
    nothing = np.zeros((len(pairs), PROPERTIES), np.float32)
    example = Example(tokens, ["w"] * length, np.zeros(length, np.int64), mentions, {})
    return example, Pairs(mentions, pairs, nothing, nothing)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 99)), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_both_networks_agree_in_any_company(sizes: list[tuple[int, int]]) -> None:
    batch = [passage(*size) for size in sizes]
    vectors, classes, mask, _ = padded([example for example, _ in batch])
    with torch.inference_mode():
        hidden = TRAINED.encode(vectors, classes, mask)
        scores = TRAINED.pair_scores(hidden, mask, [(example.tokens, pairs) for example, pairs in batch]).numpy()
        tags = TRAINED.tags(hidden).numpy()
    ours = NET.encode([example.tokens for example, _ in batch])
    ours_tags = NET.tag_scores(ours)
    asked = [Asked(one, example.tokens, *of(pairs)) for one, (example, pairs) in zip(ours, batch, strict=True)]
    ours_scores = NET.pair_scores(asked)
    for row, (example, pairs) in enumerate(batch):
        length = len(example.words)
        np.testing.assert_allclose(ours[row], hidden[row, :length].numpy(), atol=1e-4)
        np.testing.assert_allclose(ours_tags[row], tags[row, :length], atol=1e-4)
        np.testing.assert_allclose(ours_scores[row], scores[12 * row : 12 * row + 12], atol=1e-4)
        (alone,) = NET.encode([example.tokens])
        np.testing.assert_array_equal(alone, ours[row])  # to the last bit
        np.testing.assert_array_equal(NET.pair_scores([Asked(alone, example.tokens, *of(pairs))])[0], ours_scores[row])
    assert tags.shape[2] == len(TAGS)


def of(pairs: Pairs) -> tuple[Ends, npt.NDArray[np.int64]]:
    return Ends(*np.array(pairs.mentions).T), pairs.pairs


def test_a_head_and_a_tail_are_told_apart() -> None:
    example, pairs = passage(9, 3)
    (hidden,) = NET.encode([example.tokens])
    ends, _ = of(pairs)
    there, back = (
        NET.pair_scores([Asked(hidden, example.tokens, ends, np.array([pair]))])[0] for pair in ([0, 1], [1, 0])
    )
    assert there != pytest.approx(back)

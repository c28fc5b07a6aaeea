"""Vectors of word pieces: every piece by itself, three layers beside each other, in eight bits."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kgqa.text.piece_training import WIDTH, distil, principal
from kgqa.text.wordpieces import PieceVectors

PIECES = ["[CLS]", "[SEP]", "[UNK]", *(f"p{number}" for number in range(700))]


class Tokenizer:
    pieces = PIECES


class Model:
    """Its layer n adds n to what the piece itself is."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.embeddings = SimpleNamespace(word_embeddings=torch.nn.Embedding(len(PIECES), WIDTH + 6))

    def states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Iterator[torch.Tensor]:
        assert attention_mask.all()
        assert (input_ids[:, 0] == 0).all()
        assert (input_ids[:, 2] == 1).all()
        states = self.embeddings.word_embeddings(input_ids)
        yield from (states + layer for layer in range(7))


def test_every_piece_has_its_row() -> None:
    pieces, table, scale = distil(Tokenizer(), Model())
    assert pieces == PIECES
    assert table.shape == (len(PIECES), 3 * WIDTH)
    assert np.abs(table).max() == 127
    rows = PieceVectors(pieces, table, scale).rows(["p5", "p600"])
    first, *others = np.split(rows, 3, axis=1)
    for other in others:  # a constant added changes no principal component, but for its sign
        np.testing.assert_allclose(np.abs(other), np.abs(first), atol=0.1)


def test_principal_components_keep_distances() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    reduced = principal(rows, 8)
    assert reduced.std() == pytest.approx(1, abs=1e-3)
    before, after = (np.linalg.norm(one[:-1] - one[1:], axis=1) for one in (rows, reduced))
    np.testing.assert_allclose(after / before, (after / before).mean(), rtol=1e-3)
    assert principal(rows, 3) == pytest.approx(reduced[:, :3] / reduced[:, :3].std(), abs=1e-3)

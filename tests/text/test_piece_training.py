"""Vectors of word pieces: every piece by itself, three layers beside each other, in eight bits."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kgqa.text.piece_training import WIDTH, distil, principal
from kgqa.text.wordpieces import PieceVectors

PIECES = ["[CLS]", "[SEP]", "[UNK]", *(f"p{number}" for number in range(700))]


class Tokenizer:
    cls_token_id, sep_token_id = 0, 1

    def get_vocab(self) -> dict[str, int]:
        return {piece: place for place, piece in reversed(list(enumerate(PIECES)))}


class Model(torch.nn.Module):
    """Its layer n adds n to what the piece itself is."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = torch.nn.Embedding(len(PIECES), WIDTH + 6)

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.words

    def forward(self, input_ids: torch.Tensor, output_hidden_states: bool) -> SimpleNamespace:
        assert output_hidden_states
        assert (input_ids[:, 0] == 0).all()
        assert (input_ids[:, 2] == 1).all()
        states = self.words(input_ids)
        return SimpleNamespace(hidden_states=[states + layer for layer in range(7)])


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

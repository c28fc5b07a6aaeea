"""The table of wordpieces.py, made from all-MiniLM-L6-v2."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_LAYERS = (0, 3, -1)
"""Of the hidden states: the embedding table, after the third layer, after the last."""
WIDTH = 64
"""Principal components of each layer."""
_BATCH = 512


def distil(tokenizer: Any, model: Any) -> tuple[list[str], npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Pieces, table [pieces, 3 * WIDTH] and scale [3 * WIDTH] of what load_minilm of
    kgqa/memory/pretrained.py gives; about a minute."""
    pieces = tokenizer.pieces
    layers = _states(model, len(pieces), pieces.index("[CLS]"), pieces.index("[SEP]"))
    table = np.concatenate([principal(layer, WIDTH) for layer in layers], axis=1)
    scale = np.abs(table).max(axis=0) / 127
    return pieces, np.round(table / scale).astype(np.int8), scale.astype(np.float32)


def _states(model: Any, num_pieces: int, first: int, last: int) -> list[npt.NDArray[np.float32]]:
    """[pieces, width] for each layer: what the model makes of each piece by itself."""
    found: list[list[torch.Tensor]] = [[] for _ in _LAYERS]
    found[0].append(model.embeddings.word_embeddings.weight.detach())
    with torch.inference_mode():
        for start in range(0, num_pieces, _BATCH):
            batch = torch.tensor([[first, piece, last] for piece in range(start, min(start + _BATCH, num_pieces))])
            states = list(model.states(batch, torch.ones_like(batch)))
            for rows, layer in zip(found[1:], _LAYERS[1:], strict=True):
                rows.append(states[layer][:, 1])
    return [torch.cat(rows).numpy() for rows in found]


def principal(rows: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """The rows on their `width` principal components, scaled to unit variance over all."""
    centred = rows - rows.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    reduced = centred @ vectors[:, ::-1][:, :width]
    return np.asarray(reduced / reduced.std(), np.float32)

"""Our own sentence encoder: hashed subwords, Transformer layers, a weighted mean; trained on a knowledge base, 9 MB.

    encoder.safetensors    weights, float32
    encoder.json           format, sizes, and what it was trained on

Before training it is a random projection of a text's n-grams, as good with names as the hashing embedder (Johnson and
Lindenstrauss 1984): the layers begin as the identity, the mean as a plain one. Training only has to improve on that.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.artifacts import write_atomic, write_json
from kgqa.errors import ConfigError, ModelError
from kgqa.memory.devices import autocast, computed_in, torch_device, weights_hash
from kgqa.memory.layers import EncoderLayer, SubwordBag
from kgqa.memory.ngrams import plain_words

FORMAT = 1
WEIGHTS, SETTINGS = "encoder.safetensors", "encoder.json"

Vectors = NDArray[np.float32]


class TextEncoder(nn.Module):
    """Texts to unit vectors. Case, accents and punctuation are dropped; what is learned is which pieces count."""

    NGRAMS = (1, 2, 3, 4)
    """Letters and pairs too: of a short word with a slip little else is left."""
    NUM_PLACES = 32

    def __init__(
        self,
        *,
        width: int = 128,
        num_buckets: int = 16_384,
        num_layers: int = 1,
        num_heads: int = 4,
        max_words: int = 256,
    ) -> None:
        """num_buckets: vectors that the n-grams share. max_words: what comes after is cut. Raises ConfigError for sizes
        that do not fit together."""
        super().__init__()
        if min(width, num_buckets, num_heads, max_words) < 1 or num_layers < 0 or width % num_heads:
            raise ConfigError(
                f"an encoder of width {width} with {num_heads} heads, {num_buckets} buckets, {num_layers} layers and "
                f"{max_words} words cannot be built; sizes are at least 1 and the width a multiple of num_heads"
            )
        self.width, self.max_words = width, max_words
        self.bag = SubwordBag(num_buckets, width, mode="sum", lengths=self.NGRAMS)
        self.place = nn.Embedding(self.NUM_PLACES, width)
        layers = [EncoderLayer(width, num_heads=num_heads, dropout=0.0) for _ in range(num_layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        nn.init.normal_(self.bag.weight, std=width**-0.5)
        added = [part for layer in layers for part in (layer.out, layer.feed_forward[-1])]
        for parameter in (parameter for part in (self.place, self.score, *added) for parameter in part.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """n >= 1 texts -> `[n, width]`, rows of length 1; other texts of the batch do not matter."""
        vocabulary: dict[str, int] = {}
        rows = [
            [vocabulary.setdefault(word, len(vocabulary)) for word in plain_words(text)[: self.max_words] or [""]]
            for text in texts
        ]
        words = self.bag(list(vocabulary))
        index = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=-1)
        index = index.to(words.device)
        mask = index >= 0
        place = torch.arange(index.shape[1], device=words.device).clamp(max=self.NUM_PLACES - 1)
        states = F.embedding(index.clamp(min=0), words) + self.place(place)
        for layer in self.layers:
            states = layer(states, mask)
        # v = unit( sum_i softmax_i(u . norm(s_i)) s_i )
        scores = self.score(self.norm(states)).squeeze(-1).float().masked_fill(~mask, -torch.inf)
        return F.normalize((scores.softmax(-1).unsqueeze(-1) * states.float()).sum(1), dim=-1)


class TransformerEmbedder:
    """A trained `TextEncoder` as an embedder; its identity is the hash of its weights."""

    same_from = 0.85
    """Of 2,000 names that are not there 3 in 100 are then taken for another (docs/benchmarks.md, embedders)."""

    def __init__(self, folder: Path, *, batch_size: int = 256, device: str = "auto", dtype: str = "auto") -> None:
        """folder: what train_embedder wrote. device, dtype: see `kgqa.memory.devices`. Raises ModelError where there is
        no encoder or a damaged one, ConfigError for bad settings."""
        if batch_size < 1:
            raise ConfigError(f"embedder.batch_size is {batch_size}; at least 1")
        self._encoder, _ = load_encoder(folder)
        self._batch_size = batch_size
        self._device = torch_device(device)
        self._encoder.to(self._device)
        self.dtype = computed_in(dtype, self._device)
        self.width = self._encoder.width
        self.name = encoder_name(self._encoder)

    def ask(self, questions: Sequence[str]) -> Vectors:
        """As any other text."""
        return self.embed(questions)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], unit rows; batches are sorted by length."""
        vectors = np.empty((len(texts), self.width), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), self._batch_size):
            batch = order[start : start + self._batch_size]
            with autocast(self._device, self.dtype):
                vectors[batch] = self._encoder([texts[i] for i in batch]).cpu().numpy()
        return vectors


def encoder_name(encoder: TextEncoder) -> str:
    """Identity of the vectors that an encoder makes."""
    return f"transformer-{weights_hash(encoder, str(encoder.max_words))}-{encoder.width}"


def save_encoder(encoder: TextEncoder, folder: Path, *, sizes: Mapping[str, int], about: Mapping[str, Any]) -> None:
    """Writes weights, then settings: a folder with settings holds a whole encoder. `about` is for the reader."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    write_atomic(folder / WEIGHTS, save(weights))
    write_json(folder / SETTINGS, {"format": FORMAT, "sizes": dict(sizes), "about": dict(about)})


def load_encoder(folder: Path) -> tuple[TextEncoder, dict[str, Any]]:
    """The encoder of a folder in evaluation mode, and what it was trained on.

    Raises ModelError where there is none, where it is of a newer format, or damaged.
    """
    try:
        document = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        if document["format"] > FORMAT:
            raise ModelError(f"{folder} has format {document['format']}, newer than {FORMAT}; update kgqa")
        encoder = TextEncoder(**document["sizes"])
        encoder.load_state_dict(load_file(folder / WEIGHTS))
    except FileNotFoundError as error:
        raise ModelError(
            f"no encoder in {folder} ({error.filename or WEIGHTS} is missing); give what train_embedder wrote"
        ) from error
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError, ConfigError) as error:
        first = " ".join(str(error).split())[:200]
        raise ModelError(f"the encoder in {folder} is damaged ({first}); restore it or train it again") from error
    return encoder.eval(), document["about"]

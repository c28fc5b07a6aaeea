"""BERT's encoder (Devlin et al. 2019) for one published model, without the library that knows all others.

Importing that library's BERT takes longer than loading a knowledge base and answering a question; these are the few
lines of it that all-MiniLM-L6-v2 needs. Parameters have their published names, so that its files, and checkpoints whose
last layers were trained, load as they are.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

_NOT_NEEDED = ("pooler.", "embeddings.position_ids")


class WordPieces:
    """A tokenizer, called as those of Hugging Face's transformers are."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self.mask_token_id: int = self._tokenizer.token_to_id("[MASK]")

    @property
    def pieces(self) -> list[str]:
        """All of them, in the order of their ids."""
        return self.convert_ids_to_tokens(range(self._tokenizer.get_vocab_size()))

    def __call__(self, texts: Sequence[str], *, truncation: bool = True, max_length: int) -> dict[str, list[list[int]]]:
        """`input_ids` of each text, between [CLS] and [SEP]; with `truncation` at most `max_length` of them."""
        if truncation:
            self._tokenizer.enable_truncation(max_length)
        else:
            self._tokenizer.no_truncation()
        return {"input_ids": [one.ids for one in self._tokenizer.encode_batch(list(texts))]}

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """What the ids stand for."""
        tokens: list[str] = [self._tokenizer.id_to_token(one) for one in ids]
        return tokens


class Encoded(NamedTuple):
    """What a model gives for a batch of texts."""

    last_hidden_state: Tensor  # [B, L, W]


class Bert(nn.Module):
    """The states of tokens after all layers."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Layers(config)

    def forward(self, *, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """`[B, L]` ids, and `[B, L]` 1 on tokens, 0 on what fills up."""
        for states in self.states(input_ids, attention_mask):
            last = states
        return Encoded(last)

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Iterator[Tensor]:
        """`[B, L, W]`: the embeddings, then what each layer leaves."""
        states = self.embeddings(input_ids)
        yield states
        mask = attention_mask.bool()[:, None, None, :]
        for layer in self.encoder.layer:
            states = layer(states, mask)
            yield states


class _Layers(nn.Module):
    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))


class _Embeddings(nn.Module):
    """Words, places and the one kind of segment that there is."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.word_embeddings = _table(config.vocab_size, config.hidden_size)
        self.position_embeddings = _table(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = _table(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.word_embeddings(ids) + self.token_type_embeddings.weight[0]
        normed: Tensor = self.LayerNorm(states + self.position_embeddings.weight[: ids.shape[1]])
        dropped: Tensor = self.dropout(normed)
        return dropped


def _table(size: int, width: int) -> nn.Embedding:
    """An embedding to be loaded. To draw one, if only for the shape, would bring in torch's compiler, for seconds."""
    table: nn.Embedding = nn.Embedding.from_pretrained(torch.empty(size, width), freeze=False)  # type: ignore[no-untyped-call]
    return table


class _Layer(nn.Module):
    """A post-norm Transformer layer (Vaswani et al. 2017)."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.attention = _Attention(config)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = _Residual(inner, width, config)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """`[B, L, W]`; the mask is what scaled_dot_product_attention takes, of a shape that spreads to [B, H, L, L]."""
        states = self.attention(states, mask)
        out: Tensor = self.output(F.gelu(self.intermediate["dense"](states)), states)
        return out


class _Attention(nn.Module):
    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        width = config.hidden_size
        self.num_heads, self.dropout = config.num_attention_heads, config.attention_probs_dropout_prob
        self.self = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
        self.output = _Residual(width, width, config)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = states.shape
        query, key, value = (
            part(states).view(batch, length, self.num_heads, -1).transpose(1, 2) for part in self.self.values()
        )
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0
        )
        out: Tensor = self.output(attended.transpose(1, 2).reshape(batch, length, width), states)
        return out


class _Residual(nn.Module):
    """LayerNorm(x + dense(y))."""

    def __init__(self, inner: int, width: int, config: SimpleNamespace) -> None:
        super().__init__()
        self.dense = nn.Linear(inner, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, inner: Tensor, states: Tensor) -> Tensor:
        normed: Tensor = self.LayerNorm(self.dropout(self.dense(inner)) + states)
        return normed


def load_bert(folder: Path) -> tuple[WordPieces, Bert]:
    """(tokenizer, model in eval mode) of a folder with config.json, tokenizer.json and model.safetensors."""
    config = SimpleNamespace(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
    weights = load_file(folder / "model.safetensors")
    with torch.device("meta"):  # nothing is drawn that the file would replace
        model = Bert(config)
    model.load_state_dict(
        {name: tensor for name, tensor in weights.items() if not name.startswith(_NOT_NEEDED)}, assign=True
    )
    return WordPieces(folder), model.eval()

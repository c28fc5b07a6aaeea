"""From question texts to token states: a token encoder (MiniLM, any Hugging Face model, or our own hashed subwords),
then the Transformer layers that are trained with the reasoner.

Topics are written into the text as `PLACEHOLDER`, so that what is learned is about wordings, never about entities, and
equal wordings are encoded once.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PLACEHOLDER = "[MASK]"
"""Stands for a topic; a single token of every BERT-like vocabulary."""


class TokenStates(NamedTuple):
    """Features of the tokens of n texts, padded to the longest."""

    states: Tensor  # [n, L, D]
    mask: Tensor  # [n, L] bool, True on tokens
    topic_rank: Tensor  # [n, L] int64: k on the k-th placeholder of the text (from 1), 0 elsewhere


class TokenEncoder(Protocol):
    """Texts in, token features out."""

    name: str
    """Identity, written into checkpoints: another encoder's checkpoint is refused."""
    width: int

    def __call__(self, texts: Sequence[str]) -> TokenStates: ...


def _pad(rows: Sequence[Tensor], ranks: Sequence[Tensor]) -> TokenStates:
    states = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    topic_rank = nn.utils.rnn.pad_sequence(list(ranks), batch_first=True)
    lengths = torch.tensor([len(row) for row in rows], device=states.device)
    mask = torch.arange(states.shape[1], device=states.device) < lengths.unsqueeze(1)
    return TokenStates(states, mask, topic_rank)


class FrozenTokens(nn.Module):
    """Token states of a pretrained model that is not trained; every distinct text is encoded once and remembered.

    `limit` bounds how many texts are remembered (float16: about 10 kB a text at 12 tokens and width 384).
    """

    def __init__(self, tokenizer: Any, model: Any, *, name: str, limit: int = 50_000, max_tokens: int = 256) -> None:
        super().__init__()
        self.name = name
        self.width = int(model.config.hidden_size)
        self.limit = limit
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer
        # In a tuple, so that the frozen weights are neither trained nor written into checkpoints.
        self._model = (model.eval().requires_grad_(False),)
        self._known: dict[str, tuple[Tensor, Tensor]] = {}

    def forward(self, texts: Sequence[str]) -> TokenStates:
        unknown = sorted({text for text in texts if text not in self._known}, key=len)
        if len(self._known) + len(unknown) > self.limit:
            self._known.clear()
            unknown = sorted(set(texts), key=len)
        for start in range(0, len(unknown), 64):
            self._encode(unknown[start : start + 64])
        known = [self._known[text] for text in texts]
        return _pad([states.float() for states, _ in known], [ranks for _, ranks in known])

    @torch.no_grad()
    def _encode(self, texts: list[str]) -> None:
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt")
        states = self._model[0](**tokens).last_hidden_state
        is_topic = tokens["input_ids"] == self.tokenizer.mask_token_id
        ranks = is_topic.cumsum(-1) * is_topic
        for row, text in enumerate(texts):
            length = int(tokens["attention_mask"][row].sum())
            self._known[text] = states[row, :length].half(), ranks[row, :length]


_WORD = re.compile(r"\[MASK\]|\w+|[^\w\s]")


class HashedTokens(nn.Module):
    """Words as the mean of their hashed character n-grams: trained, no vocabulary, nothing to download.

    The n-grams are those of Bojanowski et al. 2017 ("Enriching word vectors with subword information"): the word itself
    and its pieces of 3 to 5 characters between `<` and `>`.
    """

    def __init__(self, *, width: int = 128, num_buckets: int = 8192, max_tokens: int = 256) -> None:
        super().__init__()
        self.name = f"transformer-{width}x{num_buckets}"
        self.width = width
        self.num_buckets = num_buckets
        self.max_tokens = max_tokens
        self.bag = nn.EmbeddingBag(num_buckets, width, mode="mean")
        self._known: dict[str, list[int]] = {}

    def _buckets(self, word: str) -> list[int]:
        if word not in self._known:
            marked = f"<{word}>"
            grams = {marked} | {marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)}
            self._known[word] = sorted(zlib.crc32(gram.encode("utf-8", "replace")) % self.num_buckets for gram in grams)
        return self._known[word]

    def forward(self, texts: Sequence[str]) -> TokenStates:
        device = self.bag.weight.device
        words = [_words(text)[: self.max_tokens] or [""] for text in texts]
        flat = [self._buckets(word) for row in words for word in row]
        offsets = torch.tensor([0] + [len(buckets) for buckets in flat[:-1]], device=device).cumsum(0)
        vectors = self.bag(torch.tensor([b for buckets in flat for b in buckets], device=device), offsets)
        ranks = []
        for row in words:
            is_topic = torch.tensor([word == PLACEHOLDER for word in row], device=device)
            ranks.append(is_topic.cumsum(0) * is_topic)
        return _pad(vectors.split([len(row) for row in words]), ranks)


def _words(text: str) -> list[str]:
    return [word if word == PLACEHOLDER else word.lower() for word in _WORD.findall(text)]


def pooled(tokens: TokenStates) -> Tensor:
    """Mean of the token states that are no placeholder, unit length: `[n, D]`."""
    kept = (tokens.mask & (tokens.topic_rank == 0)).unsqueeze(-1).to(tokens.states.dtype)
    return F.normalize((tokens.states * kept).sum(1) / kept.sum(1).clamp(min=1), dim=-1)


class EncoderLayer(nn.Module):
    """A pre-norm Transformer encoder layer (Vaswani et al. 2017; normalisation first as in Xiong et al. 2020)."""

    def __init__(self, width: int, *, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """`[n, L, W], [n, L] -> [n, L, W]`."""
        n, length, width = states.shape
        projected = self.query_key_value(self.attention_norm(states))
        query, key, value = projected.view(n, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        # softmax(Q K^T / sqrt(d_k)) V
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :], dropout_p=self.dropout if self.training else 0.0
        )
        states = states + self.out(attended.transpose(1, 2).reshape(n, length, width))
        updated: Tensor = states + self.feed_forward(states)
        return updated


class QuestionEncoder(nn.Module):
    """Token features to contextual states, told which placeholder is the topic that is walked from.

    A token's place is told by its distance from that topic, not from the beginning: what stands next to the topic tends
    to be followed first, wherever the two stand.
    """

    FARTHEST = 16

    def __init__(self, token_width: int, *, width: int, num_layers: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(token_width, width)
        self.role = nn.Embedding(3, width)  # 0 a word, 1 this walk's topic, 2 another topic
        self.distance = nn.Embedding(2 * self.FARTHEST + 1, width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(width, num_heads=num_heads, dropout=dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: TokenStates, topic_rank: Tensor) -> Tensor:
        """`topic_rank: [n]`, which placeholder is meant, from 1; returns `[n, L, W]`."""
        is_topic = tokens.topic_rank == topic_rank.unsqueeze(1)
        role = (tokens.topic_rank > 0).long() * (2 - is_topic.long())
        place = torch.arange(role.shape[1], device=role.device)
        topic_place = is_topic.long().argmax(dim=1, keepdim=True)
        distance = (place - topic_place).clamp(-self.FARTHEST, self.FARTHEST) + self.FARTHEST
        states = self.project(tokens.states) + self.role(role) + self.distance(distance)
        states = self.dropout(states)
        for layer in self.layers:
            states = layer(states, tokens.mask)
        normed: Tensor = self.norm(states)
        return normed


def summary(states: Tensor, tokens: TokenStates, topic_rank: Tensor) -> Tensor:
    """The question as its walk sees it: mean over all tokens beside the state of the topic, `[n, 2W]`."""

    def mean(kept: Tensor) -> Tensor:
        weights = kept.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)

    is_topic = tokens.mask & (tokens.topic_rank == topic_rank.unsqueeze(1))
    return torch.cat([mean(tokens.mask), mean(is_topic)], dim=-1)

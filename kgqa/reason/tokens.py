"""From question texts to token states: MiniLM, any Hugging Face model, or our own hashed subwords.

Topics are written into the text as `PLACEHOLDER`, so that what is learned is about wordings, never about entities, and
equal wordings are encoded once.
"""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import cycle, islice
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.errors import ModelError
from kgqa.memory import low_rank
from kgqa.memory.layers import SubwordBag

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

    def pieces(self, text: str) -> list[str]:
        """What the tokens of a text stand for, in order, to be looked at."""
        ...


def _pad(rows: Sequence[Tensor], ranks: Sequence[Tensor]) -> TokenStates:
    states = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    topic_rank = nn.utils.rnn.pad_sequence(list(ranks), batch_first=True)
    lengths = torch.tensor([len(row) for row in rows], device=states.device)
    mask = torch.arange(states.shape[1], device=states.device) < lengths.unsqueeze(1)
    return TokenStates(states, mask, topic_rank)


_AT_ONCE = 16
"""Texts of one length that go through the frozen layers at once: more are hardly cheaper."""

_FILLED_UP_TO = 4
"""So many go, the last ones repeated, where a text's states would depend on how many go with it."""

_TOGETHER = 12
"""Texts of a like length that go through trained layers at once: padding is then little of the work."""


class PretrainedTokens(nn.Module):
    """Token states of a pretrained model, whose last `tuned_layers` layers are trained with the reasoner.

    The layers below stay as they are, and what they say of a text is remembered: however often a text comes, it goes
    through them once. `limit` bounds how many texts are remembered (float16: about 10 kB a text at 12 tokens and
    width 384). Once training is over, `finish` lets the same be said of all layers. Of `lora_rank` 1 or more the layers
    below have low-rank updates that are trained as well (see `kgqa.memory.low_rank`); until then nothing is remembered.
    """

    def __init__(
        self,
        tokenizer: Any,
        model: Any,
        *,
        name: str,
        tuned_layers: int = 0,
        lora_rank: int = 0,
        limit: int = 50_000,
        max_tokens: int = 256,
    ) -> None:
        """ModelError where the model has fewer layers, keeps them elsewhere than BERT and its kin, or ends before
        `max_tokens`."""
        super().__init__()
        places = getattr(model.config, "max_position_embeddings", None) or 0
        if 0 < places < max_tokens:
            raise ModelError(f"{name} has {places} places for tokens; set encoder.max_tokens={places} or less")
        self.name = name
        self.width = int(model.config.hidden_size)
        self.limit = limit
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer
        # In a tuple, so that the frozen weights are neither trained nor written into checkpoints.
        self._model = (model.eval().requires_grad_(False),)
        self.tuned = _cut(model, tuned_layers, name) if tuned_layers else nn.ModuleList()
        self.updates = low_rank.adapt(model, lora_rank, name)
        self._known: dict[str, tuple[Tensor, Tensor]] = {}
        self._is_finished = False

    def finish(self) -> None:
        """The last layers will change no more: what they say of a text is remembered as well, of a fifth as many texts
        (float32: about 20 kB each)."""
        self.eval()
        self._known.clear()
        low_rank.merge(self._model[0])
        self._is_finished, self.limit = True, self.limit // 5

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """The frozen layers go where the module goes, though they are no part of it."""
        self._known.clear()
        self._model[0]._apply(fn, recurse)
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    def forward(self, texts: Sequence[str]) -> TokenStates:
        if self.updates and not self._is_finished:
            return self._updated(texts)
        unknown = sorted({text for text in texts if text not in self._known})
        if len(self._known) + len(unknown) > self.limit:
            self._known.clear()
            unknown = sorted(set(texts))
        if unknown:
            self._encode(unknown)
        known = [self._known[text] for text in texts]
        ranks = [ranks for _, ranks in known]
        rows = [states.float() for states, _ in known]
        if self.tuned and not self._is_finished:
            by_length = sorted(range(len(rows)), key=lambda row: len(rows[row]))
            for start in range(0, len(rows), _TOGETHER):
                part = by_length[start : start + _TOGETHER]
                tuned = self._tune(_pad([rows[row] for row in part], [ranks[row] for row in part]))
                for row, states in zip(part, tuned, strict=True):
                    rows[row] = states[: len(rows[row])]
        return _pad(rows, ranks)

    def _updated(self, texts: Sequence[str]) -> TokenStates:
        """All layers as they are now, with a gradient for what is trained; equal texts go through them once."""
        number = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        tokens = [torch.tensor(one, device=self._device) for one in self._ids(list(number))]
        by_length = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        rows = list[Tensor](tokens)
        for start in range(0, len(tokens), _TOGETHER):
            part = by_length[start : start + _TOGETHER]
            ids = _pad([tokens[row] for row in part], [tokens[row] for row in part])
            states = self._model[0](input_ids=ids.states, attention_mask=ids.mask.long()).last_hidden_state
            for row, one in zip(part, self._tune(ids._replace(states=states)), strict=True):
                rows[row] = one[: len(tokens[row])]
        ranks = [self._ranks(ids) for ids in tokens]
        return _pad([rows[number[text]] for text in texts], [ranks[number[text]] for text in texts])

    @property
    def _device(self) -> torch.device:
        found: torch.device = next(self._model[0].parameters()).device
        return found

    def _ids(self, texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = self.tokenizer(texts, truncation=True, max_length=self.max_tokens)["input_ids"]
        return found

    def _ranks(self, ids: Tensor) -> Tensor:
        is_topic: Tensor = ids == self.tokenizer.mask_token_id
        return is_topic.cumsum(-1) * is_topic

    def pieces(self, text: str) -> list[str]:
        """See `TokenEncoder`."""
        ids = self.tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        return list(self.tokenizer.convert_ids_to_tokens(ids))

    def _tune(self, tokens: TokenStates) -> Tensor:
        """The states after the layers that are trained."""
        states, hidden = tokens.states, ~tokens.mask[:, None, None, :]
        mask = states.new_zeros(hidden.shape).masked_fill(hidden, torch.finfo(states.dtype).min)
        for layer in self.tuned:
            out = layer(states, mask)
            states = out if isinstance(out, Tensor) else out[0]  # transformers 4 gives a tuple
        return states

    @cached_property
    def _rows_are_alike(self) -> bool:
        """Whether this machine multiplies a row the same to the last bit however many others go with it."""
        linear = {tuple(part.weight.shape): part for part in self._model[0].modules() if isinstance(part, nn.Linear)}
        return all(map(_rows_are_alike, linear.values()))

    @torch.no_grad()
    def _encode(self, texts: list[str]) -> None:
        """Texts of one length go through the model together and without padding: what is remembered of a text is then
        the same to the last bit whichever others came with it."""
        tokens = self._ids(texts)
        device = self._device
        by_length: dict[int, list[int]] = {}
        for row, one in enumerate(tokens):
            by_length.setdefault(len(one), []).append(row)
        for length, rows in by_length.items():
            is_free = length >= _FEWEST_ROWS and self._rows_are_alike
            at_once, least = (_AT_ONCE, 1) if is_free else (_FILLED_UP_TO, _FILLED_UP_TO)
            for start in range(0, len(rows), at_once):
                part = rows[start : start + at_once]
                ids = torch.tensor([tokens[row] for row in islice(cycle(part), max(least, len(part)))], device=device)
                states = self._model[0](input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.half()
                if self._is_finished:
                    states = self._tune(TokenStates(states.float(), torch.ones_like(ids, dtype=torch.bool), ids))
                ranks = self._ranks(ids)
                self._known.update((texts[row], (states[n].clone(), ranks[n])) for n, row in enumerate(part))


_FEWEST_ROWS = 4
"""Fewer are multiplied in another way everywhere."""


@torch.no_grad()
def _rows_are_alike(linear: nn.Linear) -> bool:
    rows = torch.linspace(-1, 1, 128 * linear.in_features).sin().view(128, -1).to(linear.weight)
    numbers = [*range(_FEWEST_ROWS, 20), 24, 32, 48, 64, 96]
    expected = linear(rows)
    return all(torch.equal(linear(rows[:number]), expected[:number]) for number in numbers)


def _cut(model: Any, num_layers: int, name: str) -> nn.ModuleList:
    """Take the last layers off a model that keeps them as BERT does, so that it ends with the state before them."""
    layers = getattr(getattr(model, "encoder", None), "layer", None)
    if layers is None or len(layers) < num_layers:
        found = "no layers at encoder.layer" if layers is None else f"{len(layers)} layers"
        raise ModelError(f"{num_layers} layers of {name} cannot be tuned: it has {found}; set encoder.tuned_layers=0")
    kept = len(layers) - num_layers
    model.encoder.layer = layers[:kept]
    return nn.ModuleList(layers[kept:]).requires_grad_(True).train()


_WORD = re.compile(r"\[MASK\]|\w+|[^\w\s]")


class HashedTokens(nn.Module):
    """Words as the mean of their hashed character n-grams: trained, no vocabulary, nothing to download."""

    def __init__(self, *, width: int = 128, num_buckets: int = 8192, max_tokens: int = 256) -> None:
        super().__init__()
        self.name = f"transformer-{width}x{num_buckets}"
        self.width = width
        self.max_tokens = max_tokens
        self.bag = SubwordBag(num_buckets, width)

    def pieces(self, text: str) -> list[str]:
        """See `TokenEncoder`."""
        return _words(text)[: self.max_tokens] or [""]

    def forward(self, texts: Sequence[str]) -> TokenStates:
        device = self.bag.weight.device
        rows = [self.pieces(text) for text in texts]
        vectors = self.bag([word for row in rows for word in row])
        ranks = []
        for row in rows:
            is_topic = torch.tensor([word == PLACEHOLDER for word in row], device=device)
            ranks.append(is_topic.cumsum(0) * is_topic)
        return _pad(vectors.split([len(row) for row in rows]), ranks)


def _words(text: str) -> list[str]:
    return [word if word == PLACEHOLDER else word.lower() for word in _WORD.findall(text)]


def pooled(tokens: TokenStates) -> Tensor:
    """Mean of the token states that are no placeholder, unit length: `[n, D]`."""
    kept = (tokens.mask & (tokens.topic_rank == 0)).unsqueeze(-1).to(tokens.states.dtype)
    return F.normalize((tokens.states * kept).sum(1) / kept.sum(1).clamp(min=1), dim=-1)

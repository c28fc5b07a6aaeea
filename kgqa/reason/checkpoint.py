"""A trained reasoner on disk: `reasoner.safetensors` (weights) beside `reasoner.json` (sizes, encoder, thresholds)."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from kgqa.artifacts import sha256_file, write_atomic
from kgqa.errors import ModelError
from kgqa.ids import digest
from kgqa.memory.embedder import Embedder
from kgqa.reason.reasoner import Reasoner
from kgqa.reason.tokens import HashedTokens, PretrainedTokens, TokenEncoder

FORMAT = 2
"""2: the transformer encoder hashes n-grams as kgqa.memory.ngrams does, so that weights of 1 mean nothing to it."""
WEIGHTS, SETTINGS = "reasoner.safetensors", "reasoner.json"

PRETRAINED = "pretrained"
"""Name of the reasoner that ships with the package, for graphs it has not seen (kgqa/reason/models/README.md)."""


def folder_of(path: Path) -> Path:
    """The folder of a checkpoint that is named by it, by a file in it, or as `PRETRAINED`."""
    if str(path) == PRETRAINED and not path.exists():
        return Path(__file__).parent / "models" / PRETRAINED
    return path if path.is_dir() else path.parent


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Which token encoder: `kind` minilm | transformer | hf; `model` is a name or path for hf."""

    kind: str = "transformer"
    model: str | None = None
    width: int = 128
    num_buckets: int = 8192
    tuned_layers: int = 0
    """minilm and hf: how many of the last layers are trained with the reasoner."""
    lora_rank: int = 0
    """minilm and hf: rank of the updates that are trained beside the layers below; 0: none."""
    max_tokens: int = 256
    """Of a text; what comes after is cut."""
    window: int | None = None
    """Tokens to each side that the reasoner's own layers let a token attend to; None: all."""

    def build(self) -> TokenEncoder:
        """The token encoder; ModelError where its package is not installed."""
        if self.kind == "transformer":
            return HashedTokens(width=self.width, num_buckets=self.num_buckets, max_tokens=self.max_tokens)
        from kgqa.memory import pretrained

        trained = {"tuned_layers": self.tuned_layers, "lora_rank": self.lora_rank, "max_tokens": self.max_tokens}
        if self.kind == "minilm":
            return PretrainedTokens(*pretrained.load_minilm(), name="minilm", **trained)
        if self.kind == "hf" and self.model:
            return PretrainedTokens(*pretrained.load_hf(self.model), name=f"hf:{self.model}", **trained)
        raise ModelError(f"no token encoder {self.kind!r} (model {self.model!r}); use encoder=minilm|transformer|hf")


@dataclass(frozen=True, slots=True)
class ReasonerSettings:
    """Everything that is needed to build the reasoner again; defaults and reasons stand in conf/reasoner."""

    encoder: EncoderSettings
    sizes: dict[str, Any]
    """Keyword arguments of `Reasoner`."""
    abstain_below: float = 0.0
    """An answer set of a lower `reasoner.confidence` is not given."""
    embedder: str | None = None
    """Identity of what made the vectors that the reasoner is handed; None where it is handed none."""

    @property
    def num_facts(self) -> int:
        """How many facts of the long-term memory the reasoner is handed with a question."""
        return int(self.sizes.get("num_facts", 0))

    @property
    def num_passages(self) -> int:
        """How many passages of it."""
        return int(self.sizes.get("num_passages", 0))

    def handed(self, embedder: Embedder) -> "ReasonerSettings":
        """The same for a reasoner that is handed facts or passages, whose vectors are by `embedder`."""
        return replace(self, sizes={**self.sizes, "fact_width": embedder.width}, embedder=embedder.name)

    def build(self) -> Reasoner:
        try:
            return Reasoner(self.encoder.build(), window=self.encoder.window, **self.sizes)
        except TypeError as error:
            raise ModelError(f"the checkpoint's sizes do not fit this version: {error}; train again") from error


def save(
    reasoner: Reasoner, settings: ReasonerSettings, folder: Path, *, about: dict[str, Any], half: bool = False
) -> None:
    """Write weights and settings; `about` (data, scores, knowledge base) is kept with them for the reader. `half`: in
    float16, half as large; they are read as float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{WEIGHTS}.part"
    weights = reasoner.state_dict()
    save_file({name: (tensor.half() if half else tensor).contiguous() for name, tensor in weights.items()}, part)
    part.replace(folder / WEIGHTS)
    document = {"format": FORMAT, **asdict(settings), "about": about}
    write_atomic(folder / SETTINGS, json.dumps(document, indent=2, ensure_ascii=False).encode())


def load(path: Path, *, encoder: str | None = None) -> tuple[Reasoner, ReasonerSettings]:
    """The reasoner of a checkpoint folder (or of any file in it, or `PRETRAINED`), in evaluation mode.

    Errors: ModelError where there is none, where it is of a newer format, or trained with another encoder than the one
    asked for.
    """
    folder = folder_of(path)
    try:
        document = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        if document["format"] > FORMAT:
            raise ModelError(
                f"{folder} has format {document['format']}, newer than {FORMAT}, the last known; update kgqa"
            )
        settings = ReasonerSettings(
            EncoderSettings(**document["encoder"]), document["sizes"], float(document["abstain_below"]),
            document.get("embedder"),
        )  # fmt: skip
    except FileNotFoundError as error:
        raise ModelError(
            f"no reasoner at {path} ({SETTINGS} is missing); give what train wrote, checkpoints/best"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{folder / SETTINGS} cannot be read: {error!r}; run pipelines.train again") from error
    if encoder is not None and encoder != settings.encoder.kind:
        raise ModelError(
            f"{folder} was trained with encoder {settings.encoder.kind!r}, not {encoder!r}; "
            f"use encoder={settings.encoder.kind} or train again"
        )
    if document["format"] < FORMAT and settings.encoder.kind == "transformer":
        raise ModelError(f"{folder} is of format {document['format']}, whose words were hashed otherwise; train again")
    reasoner = settings.build()
    _load_weights(reasoner, folder / WEIGHTS)
    if isinstance(reasoner.token_encoder, PretrainedTokens):
        reasoner.token_encoder.finish()
    return reasoner.eval(), settings


def start_from(reasoner: Reasoner, settings: ReasonerSettings, path: Path) -> None:
    """Give a reasoner the weights of a checkpoint; ModelError where that has other sizes or another encoder."""
    _, theirs = load(path)
    mine, other = ({**asdict(one.encoder), **one.sizes} for one in (settings, theirs))
    # A size that an older checkpoint does not know has its default; where that is not ours the weights do not fit.
    differ = [
        f"{name} {mine[name]!r} here, {other[name]!r} there"
        for name in mine.keys() & other.keys() - {"dropout", "model"}
        if mine[name] != other[name]
    ]
    if differ:
        what = "; ".join(sorted(differ))
        raise ModelError(f"training cannot start from {path}: {what}; give encoder and reasoner the same sizes")
    _load_weights(reasoner, folder_of(path) / WEIGHTS)


def identity(path: Path) -> str:
    """The digest of a checkpoint's files: the same weights and settings give the same wherever they lie."""
    folder = folder_of(path)
    files = sorted(file for file in folder.glob("*") if file.suffix in (".json", ".safetensors"))
    return digest(*(part for file in files for part in (file.name, sha256_file(file))))


def with_threshold(settings: ReasonerSettings, abstain_below: float) -> ReasonerSettings:
    """The same settings, calibrated."""
    return replace(settings, abstain_below=abstain_below)


def _load_weights(reasoner: nn.Module, path: Path) -> None:
    try:
        reasoner.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} does not hold this reasoner's weights: {error}") from error
    except Exception as error:  # safetensors raises its own type, without a public name in all versions
        raise ModelError(f"{path} is damaged: {error}; train again or restore it") from error

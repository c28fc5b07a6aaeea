"""Where an embedder computes, in which numbers, and what its weights are known by."""

import hashlib
from contextlib import AbstractContextManager

import torch

from kgqa.errors import ConfigError

DTYPES = ("auto", "float32", "bfloat16")


def torch_device(name: str) -> torch.device:
    """auto (a GPU where there is one), cpu, cuda or cuda:N. Raises ConfigError for others and for a GPU that is not
    there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and (kind != "cuda" or not number.isdecimal())):
        raise ConfigError(f"embedder.device is {name!r}; choose auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"embedder.device is {name!r}, but torch sees {torch.cuda.device_count()} GPUs; choose auto or cpu"
        )
    return torch.device(name)


def computed_in(dtype: str, device: torch.device) -> torch.dtype:
    """The type of an encoder's matrix products: with `auto` bfloat16 where the hardware has it, else float32.

    Vectors are float32 in any case; bfloat16 keeps two to three decimals of each number. Raises ConfigError for a type
    that is not in `DTYPES`.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"embedder.dtype is {dtype!r}; choose {', '.join(DTYPES)}")
    if dtype == "auto":
        return torch.bfloat16 if _fast_bfloat16(device) else torch.float32
    return torch.bfloat16 if dtype == "bfloat16" else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[None]:
    """Matrix products in `dtype` inside; weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def _fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are done in hardware there: three times the speed on a CPU that has them."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def weights_hash(model: torch.nn.Module, settings: str) -> str:
    """12 hexadecimal digits that stand for the weights, however their files are split, and the settings."""
    h = hashlib.sha256(settings.encode())
    for name, tensor in sorted(model.state_dict().items()):
        h.update(name.encode())
        h.update(tensor.cpu().contiguous().view(torch.uint8).numpy())
    return h.hexdigest()[:12]

"""A training that was interrupted goes on: weights and optimiser in one file, exactly as they were."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from kgqa.artifacts import write_atomic
from kgqa.errors import ModelError

log = logging.getLogger(__name__)


def keep(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    training: str,
    step: int,
    about: Mapping[str, str],
) -> None:
    """Weights and optimiser after `step` steps, so that those that are left give what they would have given.

    training identifies the data, options and seed; about is what `resume` hands back, beside the step.
    """
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for place, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{place}.{name}": tensor for name, tensor in state.items()}
    metadata = {**about, "training": training, "step": str(step)}
    write_atomic(path, save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, metadata=metadata))


def resume(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, training: str
) -> Mapping[str, str] | None:
    """What `keep` was told, with model and optimiser as they were then; None where there is nothing of this training.

    Raises ModelError where the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            about = dict(file.metadata())
        tensors = load_file(path)
    except Exception as error:  # safetensors raises its own type, without a public name in all versions
        raise ModelError(f"{path} is damaged: {error}; remove it, and the training starts anew") from error
    if about.pop("training") != training:
        log.warning("%s is of another training, which is given up: this one starts anew", path)
        return None
    weights = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in weights.items()})
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, place, part = name.split(".")
            state.setdefault(int(place), {})[part] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    log.info("the training in %s goes on at step %s", path.parent, about["step"])
    return about

"""A network and its optimiser as one safetensors file: a training that was ended goes on after its last epoch."""

import logging
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

LOG = logging.getLogger(__name__)


def keep(path: Path, identity: str, net: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    """Write the state after so many epochs; a file that is there stays whole until the new one is.

    `identity` stands for recipe and data.
    """
    state = {f"net.{name}": value for name, value in net.state_dict().items()}
    for place, values in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{place}.{name}": value for name, value in values.items()}
    partial = path.with_suffix(".partial")
    save_file(
        {name: value.contiguous() for name, value in state.items()},
        partial,
        {"epochs": str(epochs), "identity": identity},
    )
    partial.replace(path)


def resume(path: Path, identity: str, net: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """How many epochs are done; 0 where nothing is kept, or what is kept was trained otherwise."""
    if not path.is_file():
        return 0
    with safe_open(path, "pt") as file:
        kept = file.metadata()
    if kept.get("identity") != identity:
        LOG.info("%s was trained by another recipe or on other data; begun anew", path)
        return 0
    state = load_file(path)
    net.load_state_dict({name[4:]: value for name, value in state.items() if name.startswith("net.")})
    values: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        if name.startswith("optimizer."):
            _, place, key = name.split(".")
            values.setdefault(int(place), {})[key] = value
    optimizer.load_state_dict({"state": values, "param_groups": optimizer.state_dict()["param_groups"]})
    LOG.info("%s: going on after epoch %s", path, kept["epochs"])
    return int(kept["epochs"])

"""The network with the memory learns: a tiny copy, and a tiny recall of more pairs than it was trained on."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kgqa.memory.controller import MemoryNetwork
from kgqa.memory.short_term import Allocator

SYMBOLS, INPUT = 4, 9
ALLOCATORS: list[Allocator] = ["dnc", "lru"]
Task = Callable[[int, int], tuple[Tensor, Tensor]]
"""Batch and length to inputs `[B, T, INPUT]` and what is to be said at the last steps."""


def shown(symbols: Tensor, *, second: bool = False) -> Tensor:
    """A symbol in the first or second place, and a flag that stays 0."""
    return F.pad(F.one_hot(symbols, SYMBOLS), (SYMBOLS, 1) if second else (0, SYMBOLS + 1)).float()


def copy(batch: int, length: int) -> tuple[Tensor, Tensor]:
    items = torch.randint(SYMBOLS, (batch, length))
    asked = torch.zeros(batch, length, INPUT)
    asked[:, 0, -1] = 1
    return torch.cat([shown(items), asked], dim=1), items


def recall(batch: int, length: int) -> tuple[Tensor, Tensor]:
    keys = torch.rand(batch, SYMBOLS).argsort(dim=1)[:, :length]
    values = torch.randint(SYMBOLS, (batch, length))
    order = torch.rand(batch, length).argsort(dim=1)
    pairs = shown(keys) + shown(values, second=True)
    return torch.cat([pairs, shown(keys.gather(1, order))], dim=1), values.gather(1, order)


def network(allocator: Allocator, *, dropout: float = 0.0) -> MemoryNetwork:
    torch.manual_seed(0)
    return MemoryNetwork(
        INPUT, SYMBOLS, controller_width=16, num_slots=12, width=8, allocator=allocator, dropout=dropout
    )  # fmt: skip


def loss_of(model: MemoryNetwork, inputs: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(model(inputs)[:, -targets.shape[1] :].flatten(0, 1), targets.flatten())


def trained(model: MemoryNetwork, task: Task, length: int, *, steps: int, rate: float) -> MemoryNetwork:
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - 0.9 * step / steps)
        optimizer.zero_grad()
        loss_of(model, *task(64, length)).backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_a_tiny_copy_is_learned(allocator: Allocator) -> None:
    model = trained(network(allocator), copy, 2, steps=60, rate=3e-2)
    with torch.no_grad():
        assert loss_of(model, *copy(256, 2)) < 0.4  # a guess: 1.39


@pytest.mark.slow
@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_a_tiny_recall_is_learned_and_holds_for_more_pairs(allocator: Allocator) -> None:
    model = trained(network(allocator), recall, 3, steps=150, rate=2e-2)
    with torch.no_grad():
        assert loss_of(model, *recall(256, 3)) < 0.2  # one of the values that were shown: some 0.9
        assert loss_of(model, *recall(256, 4)) < 0.5


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_what_is_said_to_the_memory_is_made_of_the_input_itself_too(allocator: Allocator) -> None:
    model = network(allocator, dropout=1.0)  # nothing of the state reaches the memory or the output
    inputs = torch.rand(3, 4, INPUT, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(inputs)[:, -1].square().sum(), inputs)
    assert gradient.abs().amax(dim=(0, 2)).min() > 0


def test_dropout_is_for_training_alone() -> None:
    model, inputs = network("dnc", dropout=0.5), torch.rand(3, 4, INPUT)
    assert not torch.equal(model(inputs), model(inputs))
    torch.testing.assert_close(model.eval()(inputs), model(inputs))

"""Low-rank updates beside the frozen projections of a pretrained encoder (LoRA, Hu et al. 2021).

    h = W_0 x + B A x        W_0 [out, in] frozen, A [rank, in] drawn, B [out, rank] zero at the start      (eq. 3)

An encoder begins as it was, and what is learned is a hundredth of its size. Queries and values get an update: for the
same number of weights no other choice of the paper's did better (its table 5). Its factor alpha / rank is left out: it
stands for a learning rate.
"""

from collections.abc import Callable, Iterator
from typing import Self

import torch
from torch import Tensor, nn

from kgqa.errors import ConfigError, ModelError

_ADAPTED = frozenset(["query", "value", "query_proj", "value_proj", "q_proj", "v_proj", "q_lin", "v_lin", "q", "v"])
"""What projections to queries and values are called in BERT, DeBERTa, BART, DistilBERT, MPNet and their kin."""


class LowRank(nn.Module):
    """A frozen linear layer with its update, which alone is trained and written into checkpoints."""

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self._frozen = (frozen.requires_grad_(False),)  # in a tuple, so that it is no part of this module's weights
        like = frozen.weight
        self.down = nn.Parameter(torch.randn(rank, frozen.in_features).to(like) * frozen.in_features**-0.5)
        self.up = nn.Parameter(like.new_zeros(frozen.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in] -> [..., out]`."""
        updated: Tensor = self._frozen[0](x) + x @ self.down.T @ self.up.T
        return updated

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """The frozen layer goes where the update goes."""
        self._frozen[0]._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The layer as one: W_0 + B A. The update must not be used beside it."""
        self._frozen[0].weight += self.up @ self.down
        return self._frozen[0]


def adapt(model: nn.Module, rank: int, name: str) -> nn.ModuleList:
    """Put an update beside each projection to queries and values of `model`: what is to be trained.

    Raises ConfigError for a negative rank, ModelError where the model called `name` has no such layers (XLNet).
    """
    if rank < 0:
        raise ConfigError(f"encoder.lora_rank is {rank}; 0 for none, or the rank of the updates, such as 8")
    updates = nn.ModuleList()
    if rank == 0:
        return updates
    for parent, child, layer in list(_places(model)):
        if isinstance(layer, nn.Linear):
            updates.append(LowRank(layer, rank))
            setattr(parent, child, updates[-1])
    if not updates:
        raise ModelError(f"{name} has no linear layers called query and value to update; set encoder.lora_rank=0")
    return updates


def merge(model: nn.Module) -> None:
    """Make plain layers of a model's updated ones: it computes the same, at the cost that it had without them."""
    for parent, child, layer in list(_places(model)):
        if isinstance(layer, LowRank):
            setattr(parent, child, layer.merged())


def _places(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """(the module that holds it, its name there, projection)."""
    for parent in model.modules():
        for child, layer in parent.named_children():
            if child in _ADAPTED:
                yield parent, child, layer

"""Frozen features in, the linear head that reads them best out: where fine-tuning starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from hubscan.finetune.targets import Target

if TYPE_CHECKING:
    from hubscan.finetune.split import Split

PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1)  # on the squared weights; the rows that stop training choose
STEPS: Final = 200
LEAST_SPREAD: Final = 1e-6


class Head(nn.Module):
    """Levels every feature, by the mean and deviation that it had before training, and weighs them."""

    mean: torch.Tensor  # (width,)
    spread: torch.Tensor  # (width,) infinite where a feature is constant, which so becomes zero

    def __init__(self, features: torch.Tensor, outputs: int) -> None:
        """Take the levels from *features* (n, width); the weights are zero."""
        super().__init__()
        spread = features.std(0, correction=0)
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("spread", torch.where(spread > LEAST_SPREAD * spread.max(), spread, torch.inf))
        self.linear = nn.Linear(features.shape[1], outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return (m, outputs) of *vectors* (m, width)."""
        given: torch.Tensor = self.linear((vectors - self.mean) / self.spread)
        return given


def fitted(features: torch.Tensor, target: Target, parts: Split) -> Head:
    """Return the head with the least loss on the rows to train on, penalised as suits those that stop it.

    Args:
        features: (n, width) float32 of all rows, on the CPU.
        target: their labels.
        parts: which rows are which; the held-out ones are not looked at.
    """
    train, stop = torch.from_numpy(parts.train), torch.from_numpy(parts.validation)
    heads = [_fitted(features[train], target, train, penalty) for penalty in PENALTIES]
    with torch.no_grad():
        losses = [float(target.loss(head(features[stop]), stop)) for head in heads]
    return heads[losses.index(min(losses))]


def _fitted(features: torch.Tensor, target: Target, rows: torch.Tensor, penalty: float) -> Head:
    head = Head(features, target.outputs)
    optimiser = torch.optim.LBFGS(head.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        loss = target.loss(head(features), rows) + penalty * head.linear.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return head

"""Fit a linear head to frozen features: the starting point of fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from hubscan.finetune.targets import Target

if TYPE_CHECKING:
    from hubscan.finetune.split import Split

PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1)  # on the squared weights; chosen by the validation rows
STEPS: Final = 200
LEAST_SPREAD: Final = 1e-6


class Head(nn.Module):
    """A linear layer on features standardised by their mean and deviation before fine-tuning."""

    mean: torch.Tensor  # (width,)
    spread: torch.Tensor  # (width,) infinite for constant features, which therefore become zero

    def __init__(self, features: torch.Tensor, outputs: int) -> None:
        """Take mean and deviation from *features* (n, width), and set the weights to zero."""
        super().__init__()
        spread = features.std(0, correction=0)
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("spread", torch.where(spread > LEAST_SPREAD * spread.max(), spread, torch.inf))
        self.linear = nn.Linear(features.shape[1], outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the outputs (m, outputs) for *vectors* (m, width)."""
        given: torch.Tensor = self.linear((vectors - self.mean) / self.spread)
        return given


def fitted(features: torch.Tensor, target: Target, split: Split) -> Head:
    """Return the head fitted to the train rows, with the penalty that suits the validation rows best.

    Args:
        features: (n, width) float32 of all rows, on the CPU.
        target: the labels of all rows.
        split: the train, validation and test rows; the test rows are not used.
    """
    train, validation = torch.from_numpy(split.train), torch.from_numpy(split.validation)
    heads = [_fitted(features[train], target, train, penalty) for penalty in PENALTIES]
    with torch.no_grad():
        losses = [float(target.loss(head(features[validation]), validation)) for head in heads]
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

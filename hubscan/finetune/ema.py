"""Keep an exponential moving average (EMA) of the trained weights, to evaluate with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


class WeightAverage:
    """The exponential moving average of *weights* over about *steps* steps, from their initial values."""

    def __init__(self, weights: Sequence[torch.Tensor], steps: int) -> None:
        self._weights = [weight.detach() for weight in weights]
        self._average = [weight.clone() for weight in self._weights]
        self._share = 1.0 / max(steps, 1)

    def follow(self) -> None:
        """Move the average towards the current weights: a = a + (w − a)/steps."""
        for average, weight in zip(self._average, self._weights, strict=True):
            average.lerp_(weight, self._share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Replace the weights by the average within the block, and restore them afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for average, weight in zip(self._average, self._weights, strict=True):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)

"""Weights that are trained in, their running average out, to be put in their place for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


class WeightAverage:
    """The exponential average of *weights* over so many *steps*, from what they are at first."""

    def __init__(self, weights: Sequence[torch.Tensor], steps: int) -> None:
        self._weights = [weight.detach() for weight in weights]
        self._average = [weight.clone() for weight in self._weights]
        self._share = 1.0 / max(steps, 1)

    def follow(self) -> None:
        """Move towards what the weights are now: a = a + (w − a)/steps."""
        for average, weight in zip(self._average, self._weights, strict=True):
            average.lerp_(weight, self._share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the weights be the average in the block, and then again what they were."""
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

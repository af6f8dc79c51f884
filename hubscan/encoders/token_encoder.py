"""What the readers of texts and of words share: a network, its tokenizer, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from hubscan.records import Layers, Pooling


@dataclass(frozen=True)
class TokenEncoder:
    """A text checkpoint that is loaded."""

    model: torch.nn.Module
    tokenizer: Any
    pooling: Pooling
    max_length: int
    layers: Layers

    @property
    def parameters(self) -> int:
        """Return the number of weights of the network that runs."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def processor(self) -> str:
        """Return the tokenizer's class."""
        return type(self.tokenizer).__name__

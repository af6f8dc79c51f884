"""What a family says of itself in the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from hubscan.records import Input, Modality

Direct = Callable[[Path, Input], Sequence[torch.Tensor]]
"""One row by itself, by transformers alone: a vector for each layer, from the embeddings to the last.

Written without hubscan's code: the row is not padded, and the pooling is spelled out. The last vector
is what `--pooling auto` has to give.
"""


@dataclass(frozen=True)
class Family:
    """One model type of transformers, and how its features are to be read."""

    name: str  # as people call it: "ModernBERT"
    model_type: str  # `model_type` of its config: "modernbert"
    modality: Modality
    make: Callable[[Path], None]  # writes a tiny random checkpoint with all that reads inputs to a folder
    pooling: str  # what `auto` comes to: "cls (convention)"
    where: str  # where that is declared or known from: "1_Pooling/config.json", "class token in its config"
    direct: Direct
    layers: bool = True  # whether it gives the states of its layers

    def __str__(self) -> str:
        """Return the name of a test case."""
        return f"{self.model_type}-{self.modality}"

"""The `Features` that an encoder computes for the sample, and the `Pooling` that made them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hubscan.records.kinds import Matrix

SHOWN: Final = 40  # characters of a prompt in a table
ADDRESS: Final = re.compile("[0-9a-f]{64}")


def is_address(text: str) -> bool:
    """Return whether *text* is the address of features in a store: 64 lowercase hexadecimal digits."""
    return ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Pooling:
    """How the hidden states of one input became one vector, and what decided it."""

    name: str  # "mean", "cls", "last", "max" or "pooler", and the modules that follow: "mean, normalize"
    origin: str  # "declared", "convention", "default" or "asked"
    prompt: str = ""  # the text put before every input

    def __str__(self) -> str:
        """Return the text of a table cell: `mean (declared)`, `last (declared), prompt "query: "`."""
        shown = self.prompt if len(self.prompt) <= SHOWN else self.prompt[:SHOWN] + "…"
        prompt = f", prompt {json.dumps(shown, ensure_ascii=False)}" if self.prompt else ""
        return f"{self.name} ({self.origin}){prompt}"


@dataclass(frozen=True, slots=True)
class Features:
    """Pooled features of one checkpoint on the sample."""

    layers: Mapping[str, Matrix]  # name to (n, width) float32, finite: only "last" or "mean", or "0" … "12"
    pooling: Pooling
    parameters: int  # of the encoder that ran
    device: str
    dtype: str
    processor: str  # class of the tokenizer, image processor or feature extractor: backends differ in pixels
    rows_per_second: float
    untrained: bool  # the weights are randomly initialised

    @property
    def matrix(self) -> Matrix:
        """Return the features of the last layer, (n, width)."""
        return self.layers[next(reversed(list(self.layers)))]

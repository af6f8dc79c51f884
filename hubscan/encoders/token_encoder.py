"""The base of the encoders for texts and for words: a network and its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hubscan.encoders.by_length import by_length
from hubscan.encoders.conventions import accepted, padding
from hubscan.encoders.protocols import Batch
from hubscan.records import Layers, Pooling


@dataclass(frozen=True)
class TokenEncoder:
    """A loaded text checkpoint."""

    model: Any  # a network of transformers
    tokenizer: Any
    pooling: Pooling
    max_length: int
    layers: Layers

    @property
    def processor(self) -> str:
        """Return the tokenizer's class."""
        return type(self.tokenizer).__name__

    @property
    def width(self) -> int | None:
        """Return the length to which every row is padded; None for the longest row of its batch."""
        return self.max_length if padding(self.model) == "read" else None

    def output(self, batch: Batch) -> Any:
        """Return the network's output for *batch*, with the states of all layers if they are requested."""
        how = padding(self.model)

        def run(inputs: Batch) -> Any:
            taken = accepted(self.model, inputs)
            if how == "read":
                taken.pop("attention_mask", None)
            return self.model(**taken, output_hidden_states=self.layers != "last")

        return by_length(run, batch) if how == "avoided" else run(batch)

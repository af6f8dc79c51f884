"""What the readers of texts and of words share: a network, its tokenizer, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hubscan.encoders.by_length import by_length
from hubscan.encoders.conventions import READS_PADDING, accepted, fills_up
from hubscan.encoders.protocols import Batch
from hubscan.records import Layers, Pooling


@dataclass(frozen=True)
class TokenEncoder:
    """A text checkpoint that is loaded."""

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
        """Return how far every row is padded; None where it is to the longest of its batch."""
        return self.max_length if fills_up(self.model) else None

    def output(self, batch: Batch) -> Any:
        """Return what the network gives of *batch*, with the states of all layers if they are wanted."""
        unmasked = fills_up(self.model)

        def run(inputs: Batch) -> Any:
            taken = accepted(self.model, inputs)
            if unmasked:
                taken.pop("attention_mask", None)
            return self.model(**taken, output_hidden_states=self.layers != "last")

        apart = self.model.config.model_type in READS_PADDING
        return by_length(run, batch) if apart else run(batch)

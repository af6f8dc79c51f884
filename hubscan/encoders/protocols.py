"""The interface of encoders: prepare the rows of a sample, and turn batches of them into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from hubscan.records import Input, Pooling

Batch = dict[str, torch.Tensor]


Pooled = dict[str, torch.Tensor]  # layer name to (rows, width), the last layer last


class Prepared(Protocol):
    """The rows of a sample, ready to be put into batches."""

    @property
    def lengths(self) -> Sequence[int]:
        """The cost of each row, in tokens or an equivalent; rows of similar length share a batch."""
        ...

    def batch(self, rows: Sequence[int]) -> Batch:
        """Return the model's input for *rows*, padded to the longest of them."""
        ...

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the positions, in the sample, of the vectors that a batch of *rows* gives, in its order.

        Usually that is one vector per row. If words have labels, a row is a window of a sentence, and gives
        one vector for each word that is read in it.
        """
        ...


class Encoder(Protocol):
    """A loaded checkpoint that turns rows into vectors."""

    @property
    def model(self) -> torch.nn.Module:
        """The network, in evaluation mode."""
        ...

    @property
    def pooling(self) -> Pooling:
        """How states are pooled into vectors."""
        ...

    @property
    def processor(self) -> str:
        """Class of the tokenizer, image processor or feature extractor."""
        ...

    def prepare(self, inputs: Sequence[Input]) -> Prepared:
        """Prepare *inputs* without decoding them: images and audio are decoded batch by batch."""
        ...

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled vectors of *batch*, which is on the model's device."""
        ...

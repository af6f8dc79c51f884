"""What an encoder is: takes in the rows of a sample, and turns batches of them into vectors."""

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
        """The work in each row, in tokens or what costs as much; rows of like length share a batch."""
        ...

    def batch(self, rows: Sequence[int]) -> Batch:
        """Return the model's input for *rows*, padded to the longest of them."""
        ...

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return which vectors of the sample a batch of *rows* gives, in the order in which it does.

        One a row, as a rule; where words have labels a row is a window of a sentence, and gives as
        many as it has words to read.
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
        """How states become vectors."""
        ...

    @property
    def processor(self) -> str:
        """Class of the tokenizer, image processor or feature extractor."""
        ...

    def prepare(self, inputs: Sequence[Input]) -> Prepared:
        """Take in n inputs; cheap in memory, as pictures are opened batch by batch."""
        ...

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled vectors of a batch that lies where the model lies."""
        ...

"""Pictures and sounds as a network reads them, made once: fine-tuning reads each a hundred times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from hubscan.encoders.protocols import Batch, Prepared

MOST_BYTES: Final = 1 << 29  # some 850 pictures of 224 × 224 pixels


class CachedInputs:
    """A `Prepared` of files that keeps what it makes of each row, as far as *most* bytes go.

    Rows whose own tensors have like shapes need no padding, so that a batch of them is its rows one after
    another. Others are made together, each time, as the network's processor pads them.
    """

    def __init__(self, prepared: Prepared, most: int = MOST_BYTES) -> None:
        self._prepared = prepared
        self._left = most
        self._kept: dict[int, Batch] = {}
        self._alike = True

    @property
    def lengths(self) -> Sequence[int]:
        """The work in each row."""
        return self._prepared.lengths

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return which vectors *rows* give."""
        return self._prepared.vectors(rows)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Return the model's input for *rows*."""
        if self._alike:
            made = [self._one(row) for row in rows]
            if all(_shapes(one) == _shapes(made[0]) for one in made):
                return {name: torch.cat([one[name] for one in made]) for name in made[0]}
            self._alike, self._kept = False, {}  # of sounds of any length hardly two are alike
        return self._prepared.batch(rows)

    def _one(self, row: int) -> Batch:
        if row in self._kept:
            return self._kept[row]
        made = self._prepared.batch([row])
        self._left -= sum(tensor.nbytes for tensor in made.values())
        if self._left >= 0:
            self._kept[row] = made
        return made


def _shapes(batch: Batch) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in batch.items()}

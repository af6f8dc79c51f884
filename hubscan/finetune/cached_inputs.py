"""Cache prepared images and audio clips: fine-tuning reads each of them about a hundred times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from hubscan.encoders.protocols import Batch, Prepared

MOST_BYTES: Final = 1 << 29  # about 850 images of 224 × 224 pixels


class CachedInputs:
    """A `Prepared` for files that caches the tensors of each row, up to *most* bytes.

    If the tensors of all rows have the same shapes, a batch is the concatenation of its rows. Otherwise
    nothing is cached: each batch is prepared together, because the network's processor pads it.
    """

    def __init__(self, prepared: Prepared, most: int = MOST_BYTES) -> None:
        self._prepared = prepared
        self._left = most
        self._kept: dict[int, Batch] = {}
        self._alike = True

    @property
    def lengths(self) -> Sequence[int]:
        """The length of each row, a measure of its cost."""
        return self._prepared.lengths

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return the numbers of the vectors that *rows* produce."""
        return self._prepared.vectors(rows)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Return the model's input for *rows*."""
        if self._alike:
            made = [self._one(row) for row in rows]
            if all(_shapes(one) == _shapes(made[0]) for one in made):
                return {name: torch.cat([one[name] for one in made]) for name in made[0]}
            self._alike, self._kept = False, {}  # audio clips rarely have equal lengths
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

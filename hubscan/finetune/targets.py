"""The labels of rows in: what a head has to give, how far off it is, and how each row came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from hubscan.records import LabelKind

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubscan.records import Sample

MEASURES = {
    "class": "accuracy",
    "token": "accuracy",
    "number": "R²",
    "multilabel": "ranking precision",
}
"""What is reported of each kind of label; each is a mean over rows, 1 at best."""


CONFIDENCES: Final = tuple(2.0 ** (power / 2) for power in range(-10, 5))


@dataclass(frozen=True)
class Target:
    """Labels as a head is trained on them."""

    kind: LabelKind
    values: torch.Tensor  # classes (n,) int64; numbers (n, 1), centred and of variance one; labels (n, L)
    outputs: int  # numbers that a head gives for each row

    @classmethod
    def of(cls, sample: Sample) -> Target:
        """Return the target of all rows of *sample*."""
        kind, labels = sample.draw.label_kind, sample.labels
        if kind in ("class", "token"):
            return cls(kind, torch.tensor(labels, dtype=torch.long), int(labels.max()) + 1)
        if kind == "multilabel":
            return cls(kind, torch.tensor(labels, dtype=torch.float32), labels.shape[1])
        spread = float(labels.std()) or 1.0
        levelled = torch.tensor((labels - labels.mean()) / spread, dtype=torch.float32)
        return cls(kind, levelled[:, None], 1)

    def loss(self, given: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of *given* (m, outputs) for *rows* (m,): cross-entropy or squared error."""
        wanted = self.values[rows].to(given.device)
        if self.kind in ("class", "token"):
            return functional.cross_entropy(given, wanted)
        if self.kind == "multilabel":
            return functional.binary_cross_entropy_with_logits(given, wanted)
        return functional.mse_loss(given, wanted)

    def loss_at_best_confidence(self, given: torch.Tensor, rows: torch.Tensor) -> float:
        """Return the least loss of *given* times a number (Guo et al., ICML 2017, arXiv 1706.04599)."""
        return min(float(self.loss(given * factor, rows)) for factor in CONFIDENCES)

    def outcomes(self, given: torch.Tensor, rows: torch.Tensor) -> npt.NDArray[np.float64]:
        """Return (m,) how each of *rows* came out; the mean is what `MEASURES` names.

        Classes: 1 where the largest of *given* is the row's own, else 0. Numbers: 1 − (y − ŷ)²/s² with
        the variance s² of *rows*. Several labels: for each label of the row the share of labels
        ranked at or above it that are its own, averaged (Schapire and Singer, 2000); 1 for a row
        without labels.
        """
        wanted = self.values[rows]
        if self.kind in ("class", "token"):
            return (given.argmax(1) == wanted).double().numpy()
        if self.kind == "multilabel":
            return _precisions(given.double().numpy(), wanted.numpy() > 0)
        spread = float(wanted.double().var(correction=0)) or 1.0
        return (1 - (given - wanted).double().square()[:, 0] / spread).numpy()


def _precisions(given: npt.NDArray[np.float64], wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    at_or_above = given[:, None, :] >= given[:, :, None]  # (m, label, other)
    own = (at_or_above & wanted[:, None, :]).sum(2)
    shares = np.where(wanted, own / at_or_above.sum(2), 0.0).sum(1)
    labels = wanted.sum(1)
    return np.asarray(np.where(labels > 0, shares / np.maximum(labels, 1), 1.0))

"""The training target of a head: its loss, and how its outputs become predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch.nn import functional

from hubscan.records import LabelKind
from hubscan.scores.accuracy import best_threshold, varying

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubscan.records import Sample

Given = tuple[torch.Tensor, torch.Tensor]
"""The outputs of a head for some rows, (m, outputs), and the numbers of these rows, (m,)."""

CONFIDENCES: Final = tuple(2.0 ** (power / 2) for power in range(-10, 5))


@dataclass(frozen=True)
class Target:
    """The labels of a sample, in the form in which a head is trained on them."""

    kind: LabelKind
    values: torch.Tensor  # classes (n,) int64; numbers (n, 1), standardised; labels (n, L)
    outputs: int  # outputs of a head for each row
    labels: npt.NDArray[Any]  # (n,) or (n, L), as in the sample

    @classmethod
    def of(cls, sample: Sample) -> Target:
        """Return the target of all rows of *sample*."""
        kind, labels = sample.draw.label_kind, sample.labels
        if kind in ("class", "token"):
            return cls(kind, torch.tensor(labels, dtype=torch.long), int(labels.max()) + 1, labels)
        if kind == "multilabel":
            return cls(kind, torch.tensor(labels, dtype=torch.float32), labels.shape[1], labels)
        levelled = torch.tensor((labels - labels.mean()) / _spread(labels), dtype=torch.float32)
        return cls(kind, levelled[:, None], 1, labels)

    def loss(self, given: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of *given* (m, outputs) for *rows* (m,): cross-entropy or squared error."""
        wanted = self.values[rows].to(given.device)
        if self.kind in ("class", "token"):
            return functional.cross_entropy(given, wanted)
        if self.kind == "multilabel":
            return functional.binary_cross_entropy_with_logits(given, wanted)
        return functional.mse_loss(given, wanted)

    def loss_at_best_confidence(self, given: torch.Tensor, rows: torch.Tensor) -> float:
        """Return the least loss of *given* over temperatures (Guo et al., ICML 2017, arXiv 1706.04599)."""
        return min(float(self.loss(given * factor, rows)) for factor in CONFIDENCES)

    def predictions(self, test: Given, validation: Given) -> npt.NDArray[Any]:
        """Return the predictions of a head for the *test* rows, in their order in the sample.

        These are classes (m,), numbers (m,) in the units of the label, or 0 and 1 for each label (m, L). All
        labels share one threshold, the one with the largest micro-F1 on the *validation* rows. A label column
        that is constant in the sample is predicted correctly.
        """
        rows, given = _in_order(test)
        if self.kind in ("class", "token"):
            return np.asarray(given.argmax(axis=1))
        if self.kind == "number":
            return np.asarray(given[:, 0] * _spread(self.labels) + self.labels.mean())
        varied, (others, outputs) = varying(self.labels), _in_order(validation)
        columns = self.labels[others][:, varied].astype(np.float64)
        predicted: npt.NDArray[Any] = self.labels[rows]
        predicted[:, varied] = given[:, varied] > best_threshold(outputs[:, varied], columns)
        return predicted


def _spread(numbers: npt.NDArray[Any]) -> float:
    return float(numbers.std()) or 1.0


def _in_order(given: Given) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the rows in ascending order, and the outputs of the head for each."""
    outputs, rows = given
    order = torch.argsort(rows)
    return rows[order].numpy(), outputs[order].double().numpy()

"""How well predictions for held-out rows agree with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hubscan.records import AccuracyKind, Predicted
from hubscan.scores.accuracy import resampled

if TYPE_CHECKING:
    from hubscan.records import Sample

Numbers: TypeAlias = npt.NDArray[np.float64]
Predictions: TypeAlias = Predicted | npt.NDArray[Any]


def values(
    predictions: Predictions, held: Sequence[int], sample: Sample, kind: AccuracyKind, weights: Numbers
) -> Numbers:
    """Return how well *predictions* agree with the labels, for each of several weightings: (s,).

    The other rows of the sample get no weight. They take part only so that the same label columns count
    as in the head's accuracy: those that vary in the whole sample, even if all held-out rows are alike.

    Args:
        predictions: for each of the rows *held*, in the terms of the labels.
        held: m rows of *sample*.
        sample: with the labels of all n rows.
        kind: of the values.
        weights: (s, m), such as bootstrap counts.

    Raises:
        ValueError: if the predictions do not fit the rows and their labels.
    """
    rows = list(held)
    given = np.asarray(predictions)
    if given.shape != (len(rows), *sample.labels.shape[1:]):
        raise ValueError(f"predictions for {len(rows)} held-out rows expected, got {given.shape}")
    predicted, of_all = sample.labels.copy(), np.zeros((len(weights), len(sample.labels)))
    predicted[rows], of_all[:, rows] = given, weights
    return resampled(predicted, sample.labels, kind, of_all)


def value(predictions: Predictions, held: Sequence[int], sample: Sample, kind: AccuracyKind) -> float:
    """Return how well *predictions* for the rows *held* of *sample* agree with their labels."""
    return float(values(predictions, held, sample, kind, np.ones((1, len(held))))[0])

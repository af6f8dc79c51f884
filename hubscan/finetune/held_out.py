"""Measure the accuracy of predictions for the test rows."""

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
    predictions: Predictions, test: Sequence[int], sample: Sample, kind: AccuracyKind, weights: Numbers
) -> Numbers:
    """Return the accuracy of *predictions* under each of several weightings: (s,).

    The other rows of the sample have weight zero. They are included only so that the same label columns count
    as in the accuracy of the linear head: those that vary in the whole sample, even if they are constant in
    the test rows.

    Args:
        predictions: one for each of the *test* rows, in the format of the labels.
        test: m rows of *sample*.
        sample: with the labels of all n rows.
        kind: the kind of accuracy.
        weights: (s, m), such as bootstrap counts.

    Raises:
        ValueError: if the predictions do not match the rows and labels.
    """
    rows = list(test)
    given = np.asarray(predictions)
    if given.shape != (len(rows), *sample.labels.shape[1:]):
        raise ValueError(f"predictions have shape {given.shape}, but there are {len(rows)} test rows")
    predicted, of_all = sample.labels.copy(), np.zeros((len(weights), len(sample.labels)))
    predicted[rows], of_all[:, rows] = given, weights
    return resampled(predicted, sample.labels, kind, of_all)


def value(predictions: Predictions, test: Sequence[int], sample: Sample, kind: AccuracyKind) -> float:
    """Return the accuracy of *predictions* for the *test* rows of *sample*."""
    return float(values(predictions, test, sample, kind, np.ones((1, len(test))))[0])

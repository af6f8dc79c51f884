"""Compare predictions with targets: accuracy, R² or average precision, depending on the kind of label."""

from __future__ import annotations

import numpy as np

from hubscan.scores.targets import Matrix64, Targets

TIED = 1e-9  # votes (at most 1) that differ by less than this are equal up to rounding


def agreement(predicted: Matrix64, targets: Targets) -> float:
    """Return how well *predicted* (n, T), one number for each column of *targets*, agrees with them.

    1 is best.
    Classes: the share of rows whose true class has the largest number. A tie of m classes counts 1/m, so
    neither the order of rows nor the names of classes matter.
    Numbers: R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)²; 0 for predicting the mean, negative if worse.
    Multi-label: the average precision of each label, weighted by label frequency. At chance it is the share
    of rows that have the label. Rows with equal numbers share a place.
    """
    if targets.kind == "classes":
        return _accuracy(predicted, targets.columns)
    if targets.kind == "numbers":
        return _explained(predicted[:, 0], targets.columns[:, 0])
    from sklearn.metrics import average_precision_score  # takes two seconds to import

    scores = average_precision_score(targets.columns, np.round(predicted, 9), average=None)
    return float(np.dot(targets.weights, scores))


def _accuracy(votes: Matrix64, columns: Matrix64) -> float:
    winners = votes >= votes.max(axis=1, keepdims=True) - TIED
    return float(((winners & (columns == 1)).sum(axis=1) / winners.sum(axis=1)).mean())


def _explained(predicted: Matrix64, target: Matrix64) -> float:
    largest = np.abs(target).max()  # keeps the squares of 1e200 within float64
    error, spread = (target - predicted) / largest, (target - target.mean()) / largest
    return float(1.0 - np.square(error).sum() / np.square(spread).sum())

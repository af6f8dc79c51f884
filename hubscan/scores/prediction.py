"""Predictions and targets in, one number out: accuracy, R² or average precision, by kind of label."""

from __future__ import annotations

import numpy as np

from hubscan.scores.targets import Matrix64, Targets

TIED = 1e-9  # votes this close, of a largest of 1, differ by rounding


def agreement(predicted: Matrix64, targets: Targets) -> float:
    """Return how well *predicted* (n, T), a number for each column of *targets*, agrees with them.

    Classes: the share of rows whose own class has the largest number, 1 at best; a tie of m classes
    counts 1/m, so that neither the order of rows nor the names of classes decide.
    Numbers: R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)², 1 at best, 0 for the mean, negative for worse.
    Multi-label: the average precision of each label, weighted by how often it occurs, 1 at best;
    at chance it is the share of rows that have the label. Rows of equal number share a place.
    """
    if targets.kind == "classes":
        return _accuracy(predicted, targets.columns)
    if targets.kind == "numbers":
        return _explained(predicted[:, 0], targets.columns[:, 0])
    from sklearn.metrics import average_precision_score  # two seconds to import

    scores = average_precision_score(targets.columns, np.round(predicted, 9), average=None)
    return float(np.dot(targets.weights, scores))


def _accuracy(votes: Matrix64, columns: Matrix64) -> float:
    winners = votes >= votes.max(axis=1, keepdims=True) - TIED
    return float(((winners & (columns == 1)).sum(axis=1) / winners.sum(axis=1)).mean())


def _explained(predicted: Matrix64, target: Matrix64) -> float:
    largest = np.abs(target).max()  # keeps the squares of 1e200 inside float64
    error, spread = (target - predicted) / largest, (target - target.mean()) / largest
    return float(1.0 - np.square(error).sum() / np.square(spread).sum())

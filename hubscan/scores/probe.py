"""A cross-validated linear probe: how well a linear head on frozen features predicts unseen rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from hubscan.scores.linalg.centered import centred
from hubscan.scores.prediction import agreement
from hubscan.scores.resampling import FOLDS, folds, groups_of
from hubscan.scores.targets import Kind, Matrix64, checked

PENALTIES = 10.0 ** np.arange(-5, 3.5, 0.5)  # in units of the mean non-zero eigenvalue of ZᵀZ


def linear_probe(
    features: npt.ArrayLike, labels: npt.ArrayLike, *, groups: npt.ArrayLike | None = None
) -> float:
    """Return how well a ridge regression of the label columns predicts rows that it was not fitted to.

    There are five folds. For each, features are standardised and the penalty is chosen on the other rows
    only: the best of seventeen by leave-one-out predictions, which have a closed form. Best means the least
    squared error for numbers, and the largest cosine with the label columns for classes and labels. (Squared
    error penalises a heavy penalty for its small predictions, although only their order counts; in simulation
    it cost up to 4 points of accuracy.) The predictions of all folds are judged together: by accuracy for
    classes, by R² for numbers (negative if worse than the mean), and by average precision weighted by label
    frequency for several labels (`hubscan.scores.prediction`). 1 is best.

    Ridge regression on one-hot columns replaces logistic regression because it is exact: nothing iterates,
    needs to converge or depends on a seed. The two are within a point of each other on simulated features of
    512 and more columns; with few columns ridge is lower (scikit-learn's digits, 64 columns: 0.936 against
    0.969).

    The folds come from `hubscan.scores.resampling.folds`: neither the order of the rows nor the names of the
    classes matter. A class of one row cannot be learnt from the others, so that row counts as an error.

    Cost O(n·d·min(n, d)), with eigenvectors, five times.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.targets`.
        groups: (n,) names; rows of one group, such as the words of a sentence, go into one fold.

    Raises:
        ValueError: if the shapes do not match, a number is not finite, the labels are constant, there
            are fewer than 4 rows, or all rows are in one group.
    """
    matrix, targets = checked(features, labels)
    if len(matrix) < 4:
        raise ValueError(f"{len(matrix)} rows: cross-validation needs at least 4")
    z = centred(matrix)
    y = targets.columns / np.abs(targets.columns).max(axis=0)
    together = groups_of(groups, len(z))
    fold = folds(z, targets, together)
    predicted = np.empty_like(y)
    for number in range(FOLDS):
        seen = fold != number
        if not seen.all():
            predicted[~seen] = _ridge(z[seen], y[seen], z[~seen], targets.kind)
    return agreement(predicted * np.abs(targets.columns).max(axis=0), targets)


def _ridge(seen: Matrix64, y: Matrix64, unseen: Matrix64, kind: Kind) -> Matrix64:
    """Return the predictions for *unseen* (m, d) of a ridge regression of *y* (n, T) on *seen* (n, d)."""
    (z, other), target = standardised(seen, unseen), y - y.mean(axis=0)
    sigma, left, right = singular(z)
    along = left.T @ target
    penalties = PENALTIES * (sigma.sum() / min(z.shape) or 1.0)
    left_out = (_left_out(left, sigma / (sigma + p), along, target) for p in penalties)
    fit = _closeness if kind == "numbers" else _cosine
    best = penalties[int(np.argmax([fit(predicted, target) for predicted in left_out]))]
    weights = right @ (along * (np.sqrt(sigma) / (sigma + best))[:, None])
    return np.asarray(other @ weights + y.mean(axis=0))


def _left_out(left: Matrix64, share: Matrix64, along: Matrix64, target: Matrix64) -> Matrix64:
    """Return the prediction for each row (n, T), minus the mean, by a fit to the other rows.

    The formula is y − (y − ŷ)/(1 − h), but with the mean of all rows in place of that of the others: leaving
    a row out shifts the mean away from it, which at a heavy penalty would reverse every prediction.
    """
    n = len(left)
    leverage = np.square(left) @ share + 1.0 / n
    error = (target - left @ (along * share[:, None])) / np.maximum(1.0 - leverage, 1e-12)[:, None]
    return np.asarray(target - error + target / (n - 1))


def _closeness(predicted: Matrix64, target: Matrix64) -> float:
    return -float(np.square(predicted - target).sum())


def _cosine(predicted: Matrix64, target: Matrix64) -> float:
    length = float(np.linalg.norm(predicted) * np.linalg.norm(target))
    return float((predicted * target).sum()) / length if length > 0 else 0.0


def standardised(seen: Matrix64, unseen: Matrix64) -> tuple[Matrix64, Matrix64]:
    """Return both standardised by the mean and deviation of *seen*; a column constant there becomes 0."""
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(spread > 1e-13, spread, np.inf)  # features are at most 1, so less is rounding
    return (seen - mean) / scale, (unseen - mean) / scale


def singular(z: Matrix64) -> tuple[Matrix64, Matrix64, Matrix64]:
    """Return σ (r,), U (n, r) and V (d, r) of Z = U √σ Vᵀ, from the smaller Gram matrix.

    Directions with less than 1e-12 of the largest σ are rounding and are left out.
    """
    over_rows = len(z) <= z.shape[1]
    sigma, vectors = eigh(z @ z.T if over_rows else z.T @ z, driver="evd")
    kept = sigma > 1e-12 * max(sigma[-1], 0.0)
    sigma, vectors = sigma[kept], vectors[:, kept]
    other = (z.T if over_rows else z) @ (vectors / np.sqrt(sigma))
    return (sigma, vectors, other) if over_rows else (sigma, other, vectors)

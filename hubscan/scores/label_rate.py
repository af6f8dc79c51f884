"""How much shorter the labels of unseen rows become when their features are known: held-out TransRate."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from hubscan.scores.folds import FOLDS, folds
from hubscan.scores.halves import groups_of
from hubscan.scores.labels import Classes, Matrix64, checked
from hubscan.scores.rows import centred

PENALTIES: Final = 10.0 ** np.arange(-4, 2.5, 0.5)  # of the mean variance within the classes
CONFIDENCES: Final = (-8.0, 2.0)  # logarithms; at the least of them nothing is said but the shares
PRECISION: Final = 1e-2  # of that logarithm: the code length is flat at its least


def label_rate(
    features: npt.ArrayLike, labels: npt.ArrayLike, *, groups: npt.ArrayLike | None = None
) -> float:
    """Return how many nats a row's features save in coding its label, on rows that the code has not seen.

    TransRate is an estimate of I(Z; Y), the mutual information of features and labels, by the rates at
    which the features are coded: R(Z) − R(Z|Y). The same information is what the features save in coding
    the labels, H(Y) − H(Y|Z), and from that side it is bounded: no features tell more than the labels
    hold. With p_c the share of class c, and q a code fitted to the other rows::

        label rate = 1/n · Σ_i log q(y_i | z_i) / p_{y_i}            0 ≤ label rate ≤ H(Y)
        q(c | z) ∝ p_c · exp(β·(μ_cᵀAz − ½ μ_cᵀAμ_c)),   A = (W + λ·tr(W)/r·I)⁻¹

    the posterior under TransRate's own assumption, normal classes with one scatter W within them (r its
    rank), of features standardised on the rows that q is fitted to. λ, one of thirteen, and the
    confidence β are those of the shortest code of all held-out rows; β undoes what few rows do to W.

    Why: rates of features grow without end with every direction that the classes differ in, and with
    every step that classes already apart move further; what a classifier gains from either has an end.
    A code of unseen rows counts what the rows that were seen bear out, at every width, so that no chance
    is to be taken away: shuffled labels give 0, from above. It is a lower bound of I(Z; Y), and the
    usable information of Xu et al. (ICLR 2020, arXiv 2002.10689) for linear discriminants. Like a
    fine-tuned accuracy it grows with n, so it is compared between scores of as many rows.

    Numbers are cut into classes at their quantiles, and labels of many columns are taken one by one,
    one against the rest, weighted by their share of all positives. Five folds, those of
    `hubscan.scores.folds`; rows of a class that is seen in no other fold cost what half a row would.

    Cost O(n·d·min(n, d)), five times with the eigenvectors.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.labels`.
        groups: (n,) names; rows of one group, as the words of a sentence, go into one fold.

    Raises:
        ValueError: if the shapes do not fit, a number is not finite, the labels are constant, or all
            rows are of one group.
    """
    matrix, targets = checked(features, labels)
    z = centred(matrix)
    fold = folds(z, targets, groups_of(groups, len(z)))
    held = [fold == number for number in range(FOLDS)]
    problems = targets.problems()
    return float(sum(weight * _saved(z, classes, held) for weight, classes in problems))


def _saved(z: Matrix64, classes: Classes, held: list[npt.NDArray[np.bool_]]) -> float:
    shares = np.log(np.bincount(classes) / len(classes))
    told = np.empty((len(PENALTIES), len(z), len(shares)))
    for rows in held:
        if rows.any() and not rows.all():
            told[:, rows] = _discriminants(z[~rows], classes[~rows], z[rows], len(shares))
        else:
            told[:, rows] = 0.0
    return max(0.0, max(_shortened(one, shares, classes) for one in told))


def _shortened(told: Matrix64, shares: Matrix64, classes: Classes) -> float:
    """Return the nats a row that *told* (n, K) saves of the *shares* (K,), at its best confidence."""
    own = told[np.arange(len(told)), classes]

    def length(log_confidence: float) -> float:
        confidence = np.exp(log_confidence)
        return float((logsumexp(confidence * told + shares, axis=1) - confidence * own).mean())

    found = minimize_scalar(length, bounds=CONFIDENCES, method="bounded", options={"xatol": PRECISION})
    return -float(found.fun)


def _discriminants(seen: Matrix64, classes: Classes, unseen: Matrix64, count: int) -> Matrix64:
    """Return μ_cᵀAz − ½μ_cᵀAμ_c for each penalty, unseen row and class, (13, m, K); 0 for classes not seen.

    Less their mean over the classes, so that no row's numbers are large for nothing.
    """
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(spread > 1e-13, spread, np.inf)  # features are at most 1: below lies rounding
    z, unseen = (seen - mean) / scale, (unseen - mean) / scale
    rows = np.bincount(classes, minlength=count)
    means = np.zeros((count, z.shape[1]))
    np.add.at(means, classes, z)
    means /= np.maximum(rows, 1)[:, None]
    variances, axes = _within(z - means[classes])
    along, across = means @ axes, unseen @ axes
    plain = unseen @ means.T, np.square(means).sum(axis=1)
    level = float(variances.mean()) if len(variances) and variances.any() else 1.0
    found = np.empty((len(PENALTIES), len(unseen), count))
    for place, penalty in enumerate(PENALTIES * level):
        # A = 1/λ·I − V·diag(1/λ − 1/(w + λ))·Vᵀ: what the scatter does not reach has the penalty alone.
        less = along * (1.0 / penalty - 1.0 / (variances + penalty))
        products = plain[0] / penalty - across @ less.T
        squares = plain[1] / penalty - (less * along).sum(axis=1)
        found[place] = products - 0.5 * squares
    found -= found.mean(axis=2, keepdims=True)
    return found


def _within(z: Matrix64) -> tuple[Matrix64, Matrix64]:
    """Return the variances (r,) and axes (d, r) of the scatter of *z* (n, d), from the smaller Gram matrix.

    Directions with less than 1e-12 of the largest are left out: they are rounding.
    """
    over_rows = len(z) <= z.shape[1]
    variances, vectors = eigh((z @ z.T if over_rows else z.T @ z) / len(z), driver="evd")
    kept = variances > 1e-12 * max(variances[-1], 0.0)
    variances, vectors = variances[kept], vectors[:, kept]
    return variances, (z.T @ vectors) / np.sqrt(variances * len(z)) if over_rows else vectors

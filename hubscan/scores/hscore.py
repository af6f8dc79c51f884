"""The H-score with a shrunk covariance: how much of the features' variance is between classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from hubscan.scores.linalg.centered import centred
from hubscan.scores.targets import Classes, Matrix64, checked


def h_score(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the shrunk H-score: how much of the features' variance is between classes.

    It is between 0 and K − 1 for K classes and has no unit. With S (d, d) the covariance of the features
    (divided by n), B that of the class means weighted by class size, α the shrinkage of Ledoit & Wolf (2004)
    and μ = tr S / d::

        H = tr( [(1−α)·S + α·μ·I]⁻¹ · (1−α)·B )

    The score does not change when the features are rotated, shifted or scaled. Numeric labels are first cut
    into classes at their quantiles (`quantile_classes`). With several labels, each is scored against the rest
    and the mean is weighted by label frequency, so it is between 0 and 1.

    Source: Bao et al., ICIP 2019, with the shrinkage of Ibrahim, Ponomareva & Mazumder, ECML 2022
    (arXiv 2110.06893). α is scikit-learn's (`sklearn.covariance.LedoitWolf`); it is 0 for one column.

    Departures: a well-known implementation multiplies the two matrices elementwise and exceeds the bound
    K − 1; this is the matrix product. Constant features score 0.

    Cost O(n·d·min(n, d)): with Z the centred features and WᵀZ the class means, d > n turns
    WᵀZ(aI + cZᵀZ)⁻¹ZᵀW into WᵀG(aI + cG)⁻¹W, where G = ZZᵀ is n by n.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.targets`.

    Raises:
        ValueError: if the shapes do not match, a number is not finite, or the labels are constant.
    """
    matrix, targets = checked(features, labels)
    z = centred(matrix)
    if not z.any():
        return 0.0
    n, d = z.shape
    gram = (z @ z.T if n < d else z.T @ z) / n
    scatter = _Scatter(gram, _ledoit_wolf(z, gram), float(np.trace(gram)) / d, over_rows=n < d)
    averages = _averages(targets.problems())
    if scatter.over_rows:
        between = (averages * scatter.solve(scatter.gram @ averages)).sum() * n
    else:
        means = z.T @ averages
        between = (means * scatter.solve(means)).sum()
    return float((1.0 - scatter.shrinkage) * between)


@dataclass(frozen=True, slots=True)
class _Scatter:
    """The shrunk covariance aI + c·S, stored as the smaller Gram matrix of Z."""

    gram: Matrix64  # (m, m) ZZᵀ/n where n < d, else ZᵀZ/n
    shrinkage: float  # α; a = αμ and c = 1 − α
    mean_variance: float  # μ
    over_rows: bool

    def solve(self, right: Matrix64) -> Matrix64:
        """Return (aI + c·gram)⁻¹ right, with the pseudo-inverse if the matrix is singular."""
        shrunk = (1.0 - self.shrinkage) * self.gram
        shrunk.flat[:: len(shrunk) + 1] += self.shrinkage * self.mean_variance
        if self.shrinkage > 1e-12:
            try:
                return np.asarray(cho_solve(cho_factor(shrunk, lower=True, overwrite_a=True), right))
            except LinAlgError:  # only through rounding: a > 0 makes it positive definite
                pass
        return np.asarray(np.linalg.pinv(shrunk, rcond=1e-12, hermitian=True) @ right)


def _ledoit_wolf(z: Matrix64, gram: Matrix64) -> float:
    """Return the weight α of the identity in the shrunk covariance of *z* with the least expected error.

    The squared error of S is (Σ_i ‖z_i‖⁴/n − ‖S‖²)/n and its squared distance from μI is ‖S‖² − dμ²;
    α is the ratio of the two, at most 1.
    """
    n, d = z.shape
    if d == 1:
        return 0.0
    square = float(np.square(gram).sum())
    distance = square - float(np.trace(gram)) ** 2 / d
    error = (float(np.square(np.square(z).sum(axis=1)).sum()) / n - square) / n
    error = min(error, distance)
    return max(0.0, error / distance) if error != 0.0 else 0.0


def _averages(problems: list[tuple[float, Classes]]) -> Matrix64:
    """Return W (n, K) such that ZᵀWWᵀZ is the weighted sum of the between-class scatters of Z."""
    blocks = []
    for weight, classes in problems:
        counts = np.bincount(classes)
        block = np.zeros((len(classes), len(counts)))
        block[np.arange(len(classes)), classes] = np.sqrt(weight / (counts * len(classes)))[classes]
        blocks.append(block)
    return np.hstack(blocks)

"""Compute the coding rate of features: the nats needed to code them (Ma, Derksen, Hong & Wright, 2007)."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, svdvals

Matrix64: TypeAlias = npt.NDArray[np.float64]

LOUD: Final = 3e3  # root of (mean energy of a row) / eps; its square times float64 rounding is 2e-9


def coding_rate(features: Matrix64, eps: float) -> float:
    """Return R(Z, eps) = ½ log det(I + ZᵀZ / (n·eps)) in nats.

    The rows of *features* Z (n, d) are neither centred nor scaled here. Because
    det(I_d + ZᵀZ/a) = det(I_n + ZZᵀ/a), the smaller Gram matrix is factored: O(n·d·min(n, d)).
    If the rows are so large in units of *eps* that rounding would count as variance, singular values are
    used instead, and those within rounding count as zero. A matrix without rows has rate 0.
    """
    n, d = features.shape
    if n == 0:
        return 0.0
    if np.linalg.norm(features) > LOUD * np.sqrt(n * eps):
        return _by_singular_values(features, n * eps)
    gram = features.T @ features if d <= n else features @ features.T
    gram /= n * eps
    gram.flat[:: len(gram) + 1] += 1.0
    # I + Gram is always positive definite, so Cholesky, the cheapest factorisation, is enough.
    diagonal = cholesky(gram, lower=True, overwrite_a=True, check_finite=False).diagonal()
    return float(np.log(diagonal).sum())


def _by_singular_values(features: Matrix64, scale: float) -> float:
    values = svdvals(features, check_finite=False)
    values = values[values > values[0] * max(features.shape) * np.finfo(np.float64).eps]
    # log(1 + σ²/a), without a square that could overflow
    return 0.5 * float(np.logaddexp(0.0, 2.0 * np.log(values) - np.log(scale)).sum())


def conditional_rate(features: Matrix64, labels: npt.NDArray[np.integer[Any]], eps: float) -> float:
    """Return R(Z, eps | Y) = Σ_c (n_c/n) · R(Z_c, eps) in nats.

    *labels* (n,) may be any integers; only those that occur count as classes.
    """
    order = np.argsort(labels, kind="stable")
    _, counts = np.unique(labels, return_counts=True)
    blocks = np.split(features[order], np.cumsum(counts)[:-1])
    return sum(len(block) / len(labels) * coding_rate(block, eps) for block in blocks)

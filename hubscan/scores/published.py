"""The four published versions of TransRate, each reproduced exactly (arXiv 2106.09362).

They are here for comparison; `hubscan.scores.transrate` differs from all four. Numeric labels are cut into
classes at their quantiles. With several labels, each is scored against the rest, weighted by label frequency.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from hubscan.scores.coding_rate import coding_rate, conditional_rate
from hubscan.scores.published_spectra import transrate_from_spectra
from hubscan.scores.targets import Classes, Matrix64, checked

EPS: Final = 1e-4


def listing(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return TransRate by the paper's ten-line listing, which most libraries copy, in nats.

    R(Z, eps) − (1/K) Σ_c R(Z_c, eps) with Z (n, d) centred but not scaled, eps = 1e-4, and equal weights for
    the K classes of *labels* (n,), however many rows they have. It depends on the scale of the features.
    Departure: class numbers that do not occur are ignored; the listing divides by zero.
    """
    return _over_problems(_listing, features, labels)


def equation(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return TransRate by the paper's equation, in nats; it is never negative.

    R(Z, eps) − Σ_c (n_c/n) R(Z_c, eps) with Z (n, d) centred but not scaled and eps = 1e-4. It depends
    on the scale of the features.
    """
    return _over_problems(_equation, features, labels)


def plain(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return TransRate as in the published experiments without projection, in nats per dimension.

    Rows (n, d) are scaled to unit length, centred, and scaled to unit length again. Eigenvalues are divided
    by their sum, classes weighted by n_c/n, and the rate is divided by the rank. eps = 1e-4; the experiments
    chose it for each table, from 1e-5 to 1e-2.
    """
    return _over_problems(_plain, features, labels)


def projected(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return TransRate as in the published model selection, in nats per dimension.

    Centred rows (n, d) are projected by cov⁺·S_B, where S_B is the scatter of the class means scaled to trace
    1. Within classes the class mean is removed; classes are weighted by n_c/n, and the rate is divided by the
    rank. eps = 1e-4; the experiments chose it for each table, from 1e-5 to 1e-1.
    """
    return _over_problems(_projected, features, labels)


def _over_problems(
    function: Callable[[Matrix64, Classes], float], features: npt.ArrayLike, labels: npt.ArrayLike
) -> float:
    z, targets = checked(features, labels)
    return sum(weight * function(z, y) for weight, y in targets.problems())


def _listing(z: Matrix64, y: Classes) -> float:
    z = z - z.mean(axis=0)
    rates = [coding_rate(z[y == c], EPS) for c in range(int(y.max()) + 1)]
    return coding_rate(z, EPS) - float(np.mean(rates))


def _equation(z: Matrix64, y: Classes) -> float:
    z = z - z.mean(axis=0)
    return coding_rate(z, EPS) - conditional_rate(z, y, EPS)


def _plain(z: Matrix64, y: Classes) -> float:
    z = _unit_rows(z)
    return _published(_unit_rows(z - z.mean(axis=0)), y, means_removed=False)


def _projected(z: Matrix64, y: Classes) -> float:
    z = z - z.mean(axis=0)
    counts = np.bincount(y)
    means = np.stack([z[y == c].mean(axis=0) for c in range(len(counts))])
    between = (means.T * counts) @ means / len(y)
    trace = np.trace(between)
    if trace <= 0:
        return 0.0
    projection = np.linalg.pinv(z.T @ z / len(z), hermitian=True) @ (between / trace)
    return _published(z @ projection, y, means_removed=True)


def _published(z: Matrix64, y: Classes, *, means_removed: bool) -> float:
    counts = np.bincount(y)
    classes = np.zeros((len(counts), min(z.shape)))
    for c in range(len(counts)):
        rows = z[y == c]
        spectrum = _eigenvalues(rows - rows.mean(axis=0) if means_removed else rows)
        classes[c, : len(spectrum)] = spectrum
    return transrate_from_spectra(_eigenvalues(z), classes, counts, eps=EPS)


def _eigenvalues(rows: Matrix64) -> Matrix64:
    n, d = rows.shape
    gram = rows.T @ rows if d <= n else rows @ rows.T
    eigenvalues: Matrix64 = np.linalg.eigvalsh(gram / n)[::-1]
    return eigenvalues


def _unit_rows(z: Matrix64) -> Matrix64:
    lengths = np.linalg.norm(z, axis=1, keepdims=True)
    scaled: Matrix64 = np.divide(z, lengths, out=np.zeros_like(z), where=lengths > 0)
    return scaled

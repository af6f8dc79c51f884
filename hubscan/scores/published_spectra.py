"""TransRate from eigenvalues alone, as in the paper's published experiments."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from hubscan.scores.coding_rate import Matrix64

RELATIVE_EPS: Final = 0.1  # in units of the mean non-zero eigenvalue
SMALLEST_EPS: Final = 1e-300  # keeps λ/eps within float64


def transrate_from_spectra(
    eigenvalues: npt.ArrayLike,
    class_eigenvalues: npt.ArrayLike,
    class_counts: npt.ArrayLike,
    *,
    eps: float | None = None,
    rank: int | None = None,
) -> float:
    """Return TransRate, computed from the eigenvalues of the features, in nats per dimension.

    With λ the r non-zero eigenvalues of ZᵀZ/n and λ_c those of Z_cᵀZ_c/n_c, all divided by Σλ::

        value = 1/r · [ ½ Σ_i log(1 + λ_i/eps) − Σ_c (n_c/n) · ½ Σ_i log(1 + λ_ci/eps) ]
        eps   = 0.1/r

    Higher is better.

    **Why eps = 0.1/r.** A distortion is small or large only relative to the signal power. The mean non-zero
    eigenvalue is the signal power per dimension; after the division by Σλ it equals 1/r, and eps is a tenth
    of it for every network. Therefore neither scale nor width matters: the value stays the same if features
    are multiplied by a constant, if constant dimensions are added, or if the spectra are repeated over twice
    as many dimensions. Layers and networks of different width are comparable per dimension. With a constant
    eps they are not: λ/eps falls as more dimensions share the same power.

    The paper's two published variants apply this formula to different features:

    - plain: rows scaled to unit length, centred, and scaled to unit length again;
    - projected: centred rows times cov⁺·S_B, with the class means removed before λ_c is computed.

    The authors chose eps for each table, from 1e-5 to 1e-1; with their *eps* and *rank* the value equals
    theirs.

    Compare values only between checkpoints that were scored on the same rows. Uninformative labels do not
    score 0; with `hubscan.scores.transrate`, which needs features, they do. Constant features score 0.
    Negative eigenvalues count as rounding errors and become zero.

    Args:
        eigenvalues: (d,) in any unit and order; zeros may be omitted.
        class_eigenvalues: (K, d') in the same unit, one class per row; rows may be padded with zeros.
        class_counts: (K,) number of rows of each class; classes without rows are ignored.
        eps: distortion relative to Σλ, at least 1e-300; default: 0.1/r.
        rank: r; default: the number of eigenvalues above float64 rounding. Pass it if the eigenvalues were
            computed with less precision.

    Returns:
        Nats per dimension; at least 0, up to rounding, if all spectra come from the same rows.

    Raises:
        ValueError: if shapes do not match, a number is not finite, a count is negative, no class has
            rows, eps is below 1e-300 or rank is below 1.
    """
    whole, classes, counts = _checked(eigenvalues, class_eigenvalues, class_counts)
    if eps is not None and not SMALLEST_EPS <= eps < math.inf:
        raise ValueError(f"eps is {eps}, but should be finite and at least {SMALLEST_EPS}")
    if rank is not None and not 1 <= rank < math.inf:
        raise ValueError(f"rank is {rank}, but should be finite and at least 1")
    # Dividing by the largest eigenvalue first keeps sums of 1e-310 or of 1e308 within float64.
    largest = whole.max(initial=0.0)
    if largest <= 0.0:
        return 0.0
    whole, classes = whole / largest, classes / largest
    rank = _numerical_rank(whole) if rank is None else rank
    eps = RELATIVE_EPS / rank if eps is None else eps
    whole, classes = whole.clip(min=0.0), classes.clip(min=0.0)
    total = math.fsum(whole)
    within = counts / counts.sum() @ _rates(classes / total, eps)
    return float(_rates(whole[None] / total, eps)[0] - within) / rank


def _rates(spectra: Matrix64, eps: float) -> Matrix64:
    """Return ½ Σ log(1 + λ/eps) of each row of *spectra* (rows, d)."""
    return np.asarray(0.5 * np.log1p(spectra / eps).sum(axis=1))


def _numerical_rank(spectrum: Matrix64) -> int:
    """Return how many eigenvalues exceed the rounding error of the largest; appended zeros do not count."""
    rounding = spectrum.max() * np.count_nonzero(spectrum) * np.finfo(np.float64).eps
    return int((spectrum > rounding).sum())


def _checked(
    eigenvalues: npt.ArrayLike, class_eigenvalues: npt.ArrayLike, class_counts: npt.ArrayLike
) -> tuple[Matrix64, Matrix64, Matrix64]:
    """Return the eigenvalues, and those and the counts of the classes that occur, in float64."""
    whole = np.asarray(eigenvalues, dtype=np.float64)
    classes = np.asarray(class_eigenvalues, dtype=np.float64)
    counts = np.asarray(class_counts, dtype=np.float64)
    if whole.ndim != 1 or classes.ndim != 2 or counts.shape != classes.shape[:1]:
        raise ValueError(
            f"eigenvalues (d,), class_eigenvalues (K, d) and class_counts (K,) expected, "
            f"got {whole.shape}, {classes.shape} and {counts.shape}"
        )
    if not np.isfinite(counts).all() or (counts < 0).any() or not counts.any():
        raise ValueError("class_counts should be finite, not negative, and at least one of them above 0")
    occurs = counts > 0
    classes, counts = classes[occurs], counts[occurs]
    if not (np.isfinite(whole).all() and np.isfinite(classes).all()):
        raise ValueError("eigenvalues contain NaN or infinite numbers")
    return whole, classes, counts

"""TransRate from eigenvalues: spectra of all rows and of every class in, nats out, no features needed."""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hubscan.scores.coding_rate import Matrix64

Variant: TypeAlias = Literal["transrate", "transrate-plain", "transrate-projected"]

VARIANTS: Final[tuple[Variant, ...]] = get_args(Variant)


def transrate_from_spectra(
    eigenvalues: npt.ArrayLike,
    class_eigenvalues: npt.ArrayLike,
    class_counts: npt.ArrayLike,
    *,
    variant: Variant = "transrate",
    eps: float | None = None,
    rank: int | None = None,
) -> float:
    """Return TransRate from the eigenvalues of the features' second moments; higher is better.

    With λ the eigenvalues of ZᵀZ/n and λ_c those of Z_cᵀZ_c/n_c, all divided by Σλ, and n = Σ n_c::

        rate = ½ Σ_i log(1 + λ_i/eps) − Σ_c (n_c/n) · ½ Σ_i log(1 + λ_ci/eps)

        variant                 returns        what the spectra are of
        transrate               rate           any features; the scale does not matter
        transrate-plain         rate / rank    rows to unit length, centred, again to unit length
        transrate-projected     rate / rank    rows times cov⁺·S_B; class means removed in the classes

    The last two are the numbers of the published experiments, where *eps* was chosen anew for every
    table, from 1e-5 to 1e-1. As formulas of spectra they are one and the same.

    **Without eps, every variant returns our one setting:** `rate`, not divided by the rank, with ::

        eps = K/n        K classes that occur

    which is the mean energy of a row, Σλ = 1, over the mean number of rows behind a class's spectrum.

    - Why K/n. White noise of energy 1 in d directions, seen through m rows, shows eigenvalues that err
      by the order of (1/d)·(d/m) = 1/m (Marchenko and Pastur): the width drops out. Put otherwise, the
      code of a class is ½ log det(I + Z_cZ_cᵀ) with the mean row of energy 1: each row is heard above
      noise as strong as itself. Of its m rows a class then spends at most m/2 as degrees of freedom,
      Σ λ_c/(λ_c + eps) ≤ m/2, however wide the features are (Jensen; for classes of mean energy 1), so
      that no class is coded to a finer grain than its rows can support. K/n is the mean of 1/n_c over
      all rows. It depends on the sample alone: all candidates are coded to one relative distortion.
    - Why no division. The rate is a total, as information is: directions that carry none add nothing
      and cost nothing. Divided by the rank it is a density, for which the narrower of two layers wins
      wherever eps is above the tail of the spectrum. That division is what makes the score so
      sensitive to eps.

    Departures from the source: its listing neither scales nor weights by n_c, which is not one of the
    variants here. Rounding below zero counts as zero. Features without energy score 0.

    Args:
        eigenvalues: (d,) in any unit and order; trailing zeros may be left out.
        class_eigenvalues: (K, d') in the same unit, one class a row; trailing zeros may be left out.
        class_counts: (K,) rows in each class; a class with none is skipped, whatever its spectrum.
        variant: which of the numbers above.
        eps: distortion relative to Σλ, above 0; None for our one setting.
        rank: what the two published variants divide by; None counts the eigenvalues above rounding.

    Returns:
        Nats; nats per direction for a published variant with *eps*. Not below 0, but for rounding, if
        the spectra are of the same rows with no means removed in the classes.

    Raises:
        ValueError: if the variant is unknown, shapes do not fit, a number is not finite, a count is
            negative, no class has rows, or eps or rank is not above 0.
    """
    whole, classes, counts = _checked(eigenvalues, class_eigenvalues, class_counts)
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r}: one of {', '.join(VARIANTS)} expected")
    if eps is not None and not (math.isfinite(eps) and eps > 0):
        raise ValueError(f"eps {eps}: a number above 0 expected")
    if rank is not None and rank < 1:
        raise ValueError(f"rank {rank}: at least 1 expected")
    # Scaling by the largest first keeps the sum of 1e-310 and of 1e308 inside float64.
    largest = whole.max(initial=0.0)
    if largest == 0.0:
        return 0.0
    whole, classes = whole / largest, classes / largest
    energy = math.fsum(whole)
    whole, classes = whole / energy, classes / energy
    distortion = len(counts) / counts.sum() if eps is None else eps
    within = counts / counts.sum() @ _rates(classes, distortion)
    nats = float(_rates(whole[None], distortion)[0] - within)
    if eps is None or variant == "transrate":
        return nats
    return nats / (_numerical_rank(whole) if rank is None else rank)


def _rates(spectra: Matrix64, eps: float) -> Matrix64:
    """Return ½ Σ log(1 + λ/eps) of each row of *spectra* (rows, d)."""
    # A sum of logarithms has no overflow to fear but that of λ/eps itself.
    with np.errstate(over="ignore"):
        ratios = spectra / eps
    logs = np.where(np.isinf(ratios), np.log(np.maximum(spectra, 1.0)) - math.log(eps), np.log1p(ratios))
    return np.asarray(0.5 * logs.sum(axis=1))


def _numerical_rank(spectrum: Matrix64) -> int:
    """Return how many eigenvalues are above the rounding of the largest."""
    return int((spectrum > spectrum.max() * len(spectrum) * np.finfo(np.float64).eps).sum())


def _checked(
    eigenvalues: npt.ArrayLike, class_eigenvalues: npt.ArrayLike, class_counts: npt.ArrayLike
) -> tuple[Matrix64, Matrix64, Matrix64]:
    """Return the spectra without negative rounding, and the counts, of the classes that occur."""
    whole = np.asarray(eigenvalues, dtype=np.float64)
    classes = np.asarray(class_eigenvalues, dtype=np.float64)
    counts = np.asarray(class_counts, dtype=np.float64)
    if whole.ndim != 1 or classes.ndim != 2 or counts.shape != classes.shape[:1]:
        raise ValueError(
            f"eigenvalues (d,), class_eigenvalues (K, d) and class_counts (K,) expected, "
            f"got {whole.shape}, {classes.shape} and {counts.shape}"
        )
    if not np.isfinite(counts).all() or (counts < 0).any() or not counts.any():
        raise ValueError("class_counts: finite numbers of rows expected, at least one above 0")
    occurs = counts > 0
    classes, counts = classes[occurs], counts[occurs]
    if not (np.isfinite(whole).all() and np.isfinite(classes).all()):
        raise ValueError("eigenvalues contain NaN or infinite numbers")
    return whole.clip(min=0.0), classes.clip(min=0.0), counts

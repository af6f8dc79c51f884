"""TransRate from eigenvalues: spectra of all rows and of every class in, nats out, no features needed."""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from hubscan.scores.coding_rate import Matrix64

Variant: TypeAlias = Literal["transrate", "transrate-plain", "transrate-projected"]

VARIANTS: Final[tuple[Variant, ...]] = get_args(Variant)
SMALLEST_EPS: Final = 1e-300  # λ/eps stays inside float64


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

    the mean energy of a row, Σλ = 1, over the mean number of rows behind the spectrum of a class.

    - Why K/n. A class of m rows in d directions says where its energy lies only down to a floor: white
      noise seen through m rows errs by d/m of its mean eigenvalue 1/d once d is not below m (Marchenko
      and Pastur), which is 1/m, whatever the width. A distortion of 1/m is a ridge of d/m times the
      mean eigenvalue: d rows of white noise added to the m, the least that keep d directions apart.
      A class of mean energy then spends at most half its rows as degrees of freedom,
      Σ λ_c/(λ_c + 1/m) ≤ m/2 at every width, by concavity. K/n is the mean of 1/n_c over all rows. It
      depends on the sample alone, so that all candidates are coded to one relative distortion.
    - Why no division. Nats are a total, as information is: directions without energy add nothing.
      Divided by the rank they are a density, for which the narrower of two layers wins as soon as eps
      is above the tail of the wider one's spectrum. The division, not eps, is the knife's edge.

    It orders candidates scored on the same rows. It is not zero for labels that say nothing: for that
    see `hubscan.scores.transrate`, which needs features.

    Departures from the source: its listing neither scales nor weights by n_c, which is not one of the
    variants here. Rounding below zero counts as zero. Features without energy score 0.

    Args:
        eigenvalues: (d,) in any unit and order; trailing zeros may be left out.
        class_eigenvalues: (K, d') in the same unit, one class a row; trailing zeros may be left out.
        class_counts: (K,) rows in each class; a class with none is skipped, whatever its spectrum.
        variant: which of the numbers above.
        eps: distortion relative to Σλ, from 1e-300; None for our one setting.
        rank: what the two published variants divide by; None counts the eigenvalues above rounding.

    Returns:
        Nats; nats per direction for a published variant with *eps*. Not below 0, but for rounding, if
        the spectra are of the same rows with no means removed in the classes.

    Raises:
        ValueError: if the variant is unknown, shapes do not fit, a number is not finite, a count is
            negative, no class has rows, eps is below 1e-300 or rank below 1.
    """
    whole, classes, counts = _checked(eigenvalues, class_eigenvalues, class_counts)
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r}: one of {', '.join(VARIANTS)} expected")
    if eps is not None and not SMALLEST_EPS <= eps < math.inf:
        raise ValueError(f"eps {eps}: a number from {SMALLEST_EPS} expected")
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
    return np.asarray(0.5 * np.log1p(spectra / eps).sum(axis=1))


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

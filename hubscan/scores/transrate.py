"""TransRate (Huang et al., ICML 2022, arXiv 2106.09362), less what shuffled labels reproduce."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hubscan.records import Score
from hubscan.scores.coding_rate import Matrix64, coding_rate, conditional_rate

EPS = 1e-4
VERSION = 1
HALVES = 20  # half-samples behind the interval


def transrate(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    nulls: int = 20,
    seed: int = 0,
) -> Score:
    """Return how much the labels tell about where the features lie, as `transrate@1`.

    With Z the features, centred and scaled so that tr(ZᵀZ)/n = 1, and eps = 1e-4::

        raw   = R(Z, eps) − Σ_c (n_c/n) · R(Z_c, eps)         the equation of the paper, in nats
        null  = mean of raw over *nulls* random orders of the labels
        value = raw − null                                     what ranks; zero in the mean for noise

    `low` and `high` are value ± 1.96 standard errors, from the spread of the value over 20 halves of
    the sample, each drawn without replacement within the classes (a delete-half jackknife: repeated
    rows, as a bootstrap draws them, would lower the rank of every class).

    Departures from the source: its listing weights classes by 1/K and does not scale; its published
    experiments divide by the rank. Most of `raw` is a finite-sample term that grows with the width
    and that any labels reproduce, which is why `value` and not `raw` ranks. Constant features carry
    no information: all of raw, null and value are 0.

    Args:
        features: (n, d) finite numbers of any float type; computed in float64.
        labels: (n,) integers, the class of each row.
        nulls: how many shuffles estimate the null, at least 1.
        seed: of the shuffles and halves; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not fit, a feature is not finite, or there is only one class.
    """
    z, y = _checked(features, labels)
    rng = np.random.default_rng(seed)
    z = _normalised(z)
    raw = coding_rate(z, EPS) - conditional_rate(z, y, EPS)
    # R(Z) does not depend on the labels, so the excess needs the conditional rates alone.
    shuffled = np.mean([conditional_rate(z, rng.permutation(y), EPS) for _ in range(nulls)])
    value = float(shuffled - conditional_rate(z, y, EPS))
    error = _standard_error(z, y, rng)
    return Score(
        name="transrate",
        version=VERSION,
        value=value,
        low=value - 1.96 * error,
        high=value + 1.96 * error,
        raw=raw,
        null=raw - value,
    )


def _checked(features: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Matrix64, npt.NDArray[np.int64]]:
    z, y = np.asarray(features, dtype=np.float64), np.asarray(labels)
    if z.ndim != 2 or y.shape != z.shape[:1]:
        raise ValueError(f"features (n, d) and labels (n,) expected, got {z.shape} and {y.shape}")
    if not np.isfinite(z).all():
        raise ValueError("features contain NaN or infinite numbers")
    classes, y = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("labels of one class only: nothing can be told apart")
    return z, y.astype(np.int64)


def _normalised(z: Matrix64) -> Matrix64:
    """Return *z* centred, with tr(ZᵀZ)/n = 1; features constant to the last digits become zero."""
    rounding = 8 * np.finfo(np.float64).eps * np.abs(z).max(initial=0.0)
    z = z - z.mean(axis=0)
    # Scaling by the largest entry first keeps the squares of 1e-200 and 1e200 inside float64.
    largest = np.abs(z).max(initial=0.0)
    if largest <= rounding:
        return np.zeros_like(z)
    z /= largest
    scaled: Matrix64 = z / np.sqrt(np.square(z).sum() / len(z))
    return scaled


def _standard_error(z: Matrix64, y: npt.NDArray[np.int64], rng: np.random.Generator) -> float:
    """Return the spread of the value over halves of each class.

    Halves of n rows vary among themselves as the whole varies among samples: σ²(1/m − 1/n) with
    m = n/2 is σ²/n.
    """
    values = []
    for _ in range(HALVES):
        half = _half_of_each_class(y, rng)
        rows, classes = _normalised(z[half]), y[half]
        null = conditional_rate(rows, rng.permutation(classes), EPS)
        values.append(null - conditional_rate(rows, classes, EPS))
    return float(np.std(values, ddof=1))


def _half_of_each_class(y: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    shuffled = rng.permutation(len(y))
    in_classes = shuffled[np.argsort(y[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(y))[:-1]])
    place_in_class = np.arange(len(y)) - starts[y[in_classes]]
    keep: npt.NDArray[np.bool_] = place_in_class < (np.bincount(y)[y[in_classes]] + 1) // 2
    return in_classes[keep].astype(np.int64)

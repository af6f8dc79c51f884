"""LogME: the log evidence of a Bayesian linear regression of the labels on the features."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import svd
from scipy.special import binom
from threadpoolctl import threadpool_limits

from hubscan.scores.linalg.banded import banded
from hubscan.scores.targets import Classes, Matrix64, checked

NOISE_FLOOR = 1e-12  # least noise variance, as a share of the target's mean square

# The evidence is analytic in log λ with its nearest singularities at distance π, so interpolating
# 2·REACH + 1 lattice points is accurate to 1e-10 near their middle, for all targets at once.
STEP, REACH = 0.25, 16
COARSE = 8  # lattice steps between the points of the first search for minima
LOWEST_BY_GRAM, LOWEST, HIGHEST = -152, -280, 56  # lattice points: λ from e⁻³⁸, e⁻⁷⁰ to e¹⁴ of tr(FFᵀ)
TRUSTED = 1e-7  # a difference is trusted if at least this share of its terms remains


class _Rates(NamedTuple):
    log_det: float  # log det(I + FFᵀ/λ)
    energy: Matrix64  # (T,) yᵀ(I + FFᵀ/λ)⁻¹y / n
    trust: Matrix64  # (T,) share of the terms that remains after cancellation; NaN if unknown


RatesAt: TypeAlias = Callable[[float], _Rates]


def log_evidence(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return LogME: how likely the labels are under a linear model of the features, in nats per row.

    It is the mean over targets of the maximised log evidence, divided by n. For a target y (n,), features
    F (n, d), weights w ~ N(0, I/α) and noise N(0, I/β)::

        L(y) = 1/n · max over α, β of log N(y; 0, FFᵀ/α + I/β)
             = 1/n · max of ½[n log β + d log α − n log 2π − β‖Fm−y‖² − α‖m‖² − log|αI + βFᵀF|]

    with m the posterior mean. The targets are the one-hot columns of the classes that occur, each label of
    multi-label rows, or the number of a regression. Neither features nor targets are centred, as in the
    source. Rotating F, or multiplying it by a number, does not change the score; multiplying a target by s
    subtracts log s.

    Source: You, Liu, Wang & Long, ICML 2021 (arXiv 2102.11005) and arXiv 2110.10545.

    Departures: the source iterates α and β from 1 for eleven steps, with 1e-5 added to both denominators.
    That stops short of the maximum and depends on the scale of F; here the maximum is global and accurate to
    1e-9. All d terms are summed: with n < d the usual code sums only min(n, d) of them and is off by
    (d−n)/2n · log α. If an exact linear relation exists although the rank is below n (a column equal to the
    label, repeated rows with d > n), the evidence is unbounded; therefore 1/β is at least 1e-12 of the mean
    square of y.

    Cost O(n·d·min(n, d)) for any number of targets: the smaller Gram matrix is reduced to a band matrix once.
    If forming the Gram matrix would lose digits (a condition number above 1e7 at the maximum), the singular
    values of F are used instead, which takes several times as long.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.targets`.

    Raises:
        ValueError: if the shapes do not match, a number is not finite, or the labels are constant.
    """
    f, targets = checked(features, labels)
    largest = max(-f.min(), f.max())
    if not 1e-75 < largest < 1e75:  # keeps the squares within float64; α absorbs the scale
        f = f / (largest or 1.0)
    rms = _root_mean_square(targets.columns)
    y = targets.columns / rms
    gram, columns = _smaller_gram(f, y)
    with threadpool_limits(1, user_api="blas"):  # a second thread does not help with panels of 64 columns
        best, sure = _maxima(_Curves(_by_band(gram, columns, len(f)), len(f)), LOWEST_BY_GRAM)
    if not sure:
        best, _ = _maxima(_Curves(_by_singular_values(f, y), len(f)), LOWEST)
    return float(np.mean(best - np.log(rms)))


def _root_mean_square(columns: Matrix64) -> Matrix64:
    largest = np.abs(columns).max(axis=0)
    return np.asarray(largest * np.sqrt(np.square(columns / largest).mean(axis=0)))


def _smaller_gram(f: Matrix64, y: Matrix64) -> tuple[Matrix64, Matrix64]:
    """Return FFᵀ and y if n ≤ d, else FᵀF and Fᵀy, in units in which tr(FFᵀ) is 1."""
    n, d = f.shape
    gram = f @ f.T if n <= d else f.T @ f
    unit = float(np.trace(gram)) or 1.0
    gram /= unit
    return gram, y if n <= d else f.T @ y / np.sqrt(unit)


def _by_band(gram: Matrix64, columns: Matrix64, n: int) -> RatesAt:
    """Return the rates at λ, in units of tr(FFᵀ), from the results of `_smaller_gram`."""
    band, over_rows = banded(gram, columns), len(columns) == n

    def rates(shift: float) -> _Rates:
        log_det, form, inverse_condition = band.shifted(shift)
        energy = shift * form / n if over_rows else 1.0 - form / n
        trust = np.full_like(energy, inverse_condition)
        # Over columns the energy is a difference, 1 − form/n: only as reliable as the share that remains.
        return _Rates(
            log_det - len(gram) * np.log(shift), energy, trust if over_rows else np.fmin(trust, energy)
        )

    return rates


def _by_singular_values(f: Matrix64, y: Matrix64) -> RatesAt:
    """Return the rates at λ, in units of tr(FFᵀ), from the singular values of *f*: slow but accurate."""
    left, values, _ = svd(f, full_matrices=False, check_finite=False)
    values[values <= values[0] * max(f.shape) * np.finfo(np.float64).eps] = 0.0
    sigma = np.square(values / (np.linalg.norm(values) or 1.0))
    along = left.T @ y
    outside = np.square(y - left @ along).mean(axis=0)
    inside = np.square(along) / len(f)

    def rates(shift: float) -> _Rates:
        energy = outside + (shift / (shift + sigma)) @ inside
        return _Rates(float(np.log1p(sigma / shift).sum()), energy, np.ones_like(energy))

    return rates


class _Curves:
    """log det(I + FFᵀ/λ)/n, log energy and trust as functions of log λ, cached for each lattice point."""

    def __init__(self, rates_at: RatesAt, n: int) -> None:
        self._rates_at, self._n = rates_at, n
        self._known: dict[int, _Rates] = {}

    def __call__(self, points: Classes) -> tuple[Matrix64, Matrix64, Matrix64]:
        """Return the three at the J lattice *points*, (J,), (J, T) and (J, T)."""
        for point in points.tolist():
            if point not in self._known:
                self._known[point] = self._rates_at(float(np.exp(STEP * point)))
        rates = [self._known[point] for point in points.tolist()]
        log_det, energy, trust = (np.array(column) for column in zip(*rates, strict=True))
        # Rounding can make an energy zero or negative; its trust is low then.
        return log_det / self._n, np.log(np.maximum(energy, 1e-300)), trust


def _maxima(curves: _Curves, lowest: int) -> tuple[Matrix64, bool]:
    """Return the log evidence per row of each target (T,) at its best λ, and whether it is reliable."""
    coarse = np.arange(lowest, HIGHEST + 1, COARSE)
    log_det, log_energy, _ = curves(coarse)
    seen = _misfit(log_det[:, None], log_energy)
    place, target = _local_minima(seen)
    best = np.ones(log_energy.shape[1])  # λ = ∞: everything is noise
    if len(place) == 0:
        return -0.5 * (np.log(2 * np.pi) + best), True
    windows = coarse[place][:, None] + np.arange(-REACH, REACH + 1)
    points, index = np.unique(windows, return_inverse=True)
    index = index.reshape(windows.shape)
    log_det, log_energy, trust = curves(points)
    misfit, nearest = _lowest_between(log_det[index], log_energy[index, target[:, None]])
    np.fmin.at(best, target, misfit)
    rivals = np.fmin(misfit, seen[place, target]) <= best[target] + 1.0
    sure = trust[index[np.arange(len(place)), nearest], target][rivals] >= TRUSTED
    return -0.5 * (np.log(2 * np.pi) + best), bool(sure.all())


def _misfit(log_det: Matrix64, log_energy: Matrix64) -> Matrix64:
    """Return −2L − log 2π at the best noise variance 1/β, which is the energy or the floor."""
    log_noise = np.maximum(log_energy, np.log(NOISE_FLOOR))
    return np.asarray(log_noise + np.exp(log_energy - log_noise) + log_det)


def _local_minima(values: Matrix64) -> tuple[Classes, Classes]:
    """Return the rows and columns where *values* (J, T) are lower than in the rows above and below.

    The first row can be a minimum; the last cannot, because the value at λ = ∞ is known.
    """
    values = np.nan_to_num(values, nan=np.inf)
    padded = np.pad(values, ((1, 1), (0, 0)), constant_values=((np.inf, -np.inf), (0, 0)))
    middle = padded[1:-1]
    rows, columns = np.nonzero((middle <= padded[:-2]) & (middle < padded[2:]))
    return rows, columns


def _lowest_between(log_det: Matrix64, log_energy: Matrix64) -> tuple[Matrix64, Classes]:
    """Return the least misfit in the middle of each of P lattice windows (P, W), and the nearest point.

    Both functions are interpolated (barycentric) at 25 places, in ever smaller intervals around the best.
    """
    nodes = np.arange(-REACH, REACH + 1)
    weights = (-1.0) ** nodes * binom(2 * REACH, REACH + nodes)
    each, centre, half = np.arange(len(log_det)), np.zeros(len(log_det)), float(COARSE)
    misfit = np.empty(0)
    while half > 1e-6:
        places = centre[:, None] + half * np.linspace(-1, 1, 25)
        gaps = places[..., None] - nodes
        shares = weights / np.where(gaps == 0, 1e-100, gaps)
        shares /= shares.sum(axis=2, keepdims=True)
        tried = _misfit((shares @ log_det[..., None])[..., 0], (shares @ log_energy[..., None])[..., 0])
        least = tried.argmin(axis=1)
        centre, misfit, half = places[each, least], tried[each, least], half / 8
    return misfit, (np.rint(centre) + REACH).astype(np.int64)

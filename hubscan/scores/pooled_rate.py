"""What a hat matrix shows of classes in, the nats that classes tell of the features beyond chance out.

The algebra behind `transrate`, whose docstring has the definition. All matrices here are as wide as
there are classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh, eigvalsh

from hubscan.scores.frames import frame
from hubscan.scores.targets import Matrix64

SEPARATE = 1e-9  # share of a direction that is left within the classes, at least
CROWDED = 0.9  # leverage of a class, at most: a lone row far out has one near 1 and shows nothing
BELOW = -1 / 3  # signal-to-noise, at least; chance alone leaves it above -0.2
WIDEST = 100  # dimensions of noise for each row, at most: wider ones look the same to a sample
SURE = 3.0  # standard deviations of chance at which a signal says itself where it lies


@dataclass(frozen=True, slots=True)
class Seen:
    """H of m rows, as far as a rate depends on it."""

    counts: Matrix64  # (K,) rows of each class, m in all
    trace: float  # f = tr H
    trace_squared: float  # tr H²
    q: Matrix64  # (K−1, K−1) CᵀHC, C the classes' frame
    q_falling: Matrix64  # (K−1, K−1) CᵀḢC = −dQ/d log Λ
    h: Matrix64  # (K,) class means of the diagonal of H
    h_falling: Matrix64  # (K,) class means of the diagonal of Ḣ

    @property
    def rows(self) -> int:
        """Return m."""
        return int(self.counts.sum())


def pooled_rate(seen: Seen) -> float:
    """Return Σ ± ½ log(1 + c|m|) in nats, 0 for one class. See `transrate` for m and c."""
    if len(seen.counts) < 2:
        return 0.0
    signals, falls = _signals(seen)
    c = _fisher_factors(seen, signals, falls)
    # Below zero by what the adjusted correlation m/(1 + m) of the other sign would be above.
    negative = np.minimum(signals, 0.0).clip(min=BELOW)
    rates = np.log1p(c * np.maximum(signals, 0.0)) - np.log1p(c * -negative / (1.0 + 2.0 * negative))
    return 0.5 * float(rates.sum())


def _signals(seen: Seen) -> tuple[Matrix64, Matrix64]:
    """Return the eigenvalues m of Q − N against (1 + δ)I − Q, and −dm/d log Λ, (K−1,) each."""
    chance, chance_falling = _chance(seen)
    within = -seen.q
    within.flat[:: len(within) + 1] += 1.0 + SEPARATE
    if not seen.h_falling.any():  # no ridge: nothing falls with it, and no eigenvectors are needed
        signals: Matrix64 = eigvalsh(seen.q - chance, within, check_finite=False)
        return signals, np.zeros_like(signals)
    signals, z = eigh(seen.q - chance, within, check_finite=False)
    falls = (1.0 + signals) * (z * (seen.q_falling @ z)).sum(axis=0) - (z * (chance_falling @ z)).sum(axis=0)
    return signals, falls


def _chance(seen: Seen) -> tuple[Matrix64, Matrix64]:
    """Return N, what Q is for classes that tell nothing, and −dN/d log Λ."""
    m, f, shape = seen.rows, seen.trace, frame(seen.counts)
    f_falling = f - seen.trace_squared
    h, h_falling = seen.h.clip(max=CROWDED), seen.h_falling.clip(max=CROWDED)
    roots = np.sqrt(shape.counts / m)
    v, v_falling = shape.turned_vector(roots * h), shape.turned_vector(roots * h_falling)
    outer, mixed = np.outer(v, v), np.outer(v, v_falling)
    within = 1.0 - f / m
    chance = shape.turned_diagonal(h) + outer / within
    falling = shape.turned_diagonal(h_falling) + (mixed + mixed.T) / within
    falling += outer * (f_falling / m / within**2)
    chance.flat[:: len(chance) + 1] += f / (m * (m - 1))
    falling.flat[:: len(falling) + 1] += f_falling / (m * (m - 1))
    return chance, falling


def _fisher_factors(seen: Seen, signals: Matrix64, falls: Matrix64) -> Matrix64:
    """Return c (K−1,), by which the ridge understates the separation along each of its own discriminants."""
    f, g, rows = seen.trace, seen.trace_squared, seen.rows - 1
    true_g = (g - f * f / rows) / (1.0 - (2.0 * f - g) / rows)
    true_g = max(true_g, f * f / (WIDEST * rows))
    like_noise = f / true_g
    kept = signals - falls * (1.0 - true_g / rows) / (1.0 - f / rows)
    doubt = SURE**2 * 2.0 * true_g / seen.rows**2

    def factor(told: Any, left: Any, doubt: float, otherwise: float) -> Any:
        c = (told * told + doubt * otherwise) / (np.maximum(told * left, 0.0) + doubt)
        return np.clip(c, 1.0, like_noise)

    common = factor(signals.sum(), kept.sum(), doubt * len(signals), like_noise)
    return np.atleast_1d(common if len(signals) == 1 else factor(signals, kept, doubt, common))

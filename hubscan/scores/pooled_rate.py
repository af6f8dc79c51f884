"""What a hat matrix shows of classes in, the nats that classes tell of the features beyond chance out.

The algebra behind `transrate`, whose docstring has the definition. All matrices here are as wide as
there are classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigvalsh, lapack

from hubscan.scores.frames import frame
from hubscan.scores.labels import Matrix64

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
    signals, fall = _signals(seen)
    c = _fisher_factor(seen, signals, fall)
    # Below zero by what the adjusted correlation m/(1 + m) of the other sign would be above.
    negative = np.minimum(signals, 0.0).clip(min=BELOW)
    rates = np.log1p(c * np.maximum(signals, 0.0)) - np.log1p(c * -negative / (1.0 + 2.0 * negative))
    return 0.5 * float(rates.sum())


def _signals(seen: Seen) -> tuple[Matrix64, float]:
    """Return the eigenvalues m of Q − N against B = (1 + δ)I − Q, and −d(Σ m)/d log Λ.

    With Σ m = tr B⁻¹(Q − N) the latter is tr B⁻¹(B + Q − N)B⁻¹Q̇ − tr B⁻¹Ṅ, and B + Q is (1 + δ)I: no
    eigenvectors are needed.
    """
    chance, chance_falling = _chance(seen)
    within = -seen.q
    within.flat[:: len(within) + 1] += 1.0 + SEPARATE
    signals: Matrix64 = eigvalsh(seen.q - chance, within, check_finite=False)
    if not seen.h_falling.any():  # no ridge: nothing falls with it
        return signals, 0.0
    inverse = _inverse(within)
    left = (1.0 + SEPARATE) * inverse - inverse @ chance
    fall = float((left * (inverse @ seen.q_falling).T).sum() - (inverse * chance_falling).sum())
    return signals, fall


def _inverse(positive: Matrix64) -> Matrix64:
    below: Matrix64 = lapack.dpotri(cholesky(positive, lower=True, check_finite=False), lower=1)[0]
    return below + np.tril(below, -1).T


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


def _fisher_factor(seen: Seen, signals: Matrix64, fall: float) -> float:
    """Return c, by which the ridge understates the separation along its own discriminants."""
    f, g, rows = seen.trace, seen.trace_squared, seen.rows - 1
    true_g = (g - f * f / rows) / (1.0 - (2.0 * f - g) / rows)
    true_g = max(true_g, f * f / (WIDEST * rows))
    like_noise = f / true_g
    told = float(signals.sum())
    kept = told - fall * (1.0 - true_g / rows) / (1.0 - f / rows)
    doubt = SURE**2 * 2.0 * len(signals) * true_g / seen.rows**2
    c = (told * told + doubt * like_noise) / (max(told * kept, 0.0) + doubt)
    return float(np.clip(c, 1.0, like_noise))

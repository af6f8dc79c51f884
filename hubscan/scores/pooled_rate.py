"""A hat matrix and classes in, the nats that classes tell of the features beyond chance out.

The algebra behind `transrate`, whose docstring has the definition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import eigh

from hubscan.scores.hats import Hat
from hubscan.scores.labels import Classes, Matrix64

SEPARATE = 1e-9  # share of a direction that is left within the classes, at least
CROWDED = 0.9  # leverage of a class, at most: a lone row far out has one near 1 and shows nothing
BELOW = -1 / 3  # signal-to-noise, at least; chance alone leaves it above -0.2
WIDEST = 100  # dimensions of noise for each row, at most: wider ones look the same to a sample
SURE = 3.0  # standard deviations of chance at which a signal says itself where it lies


@dataclass(frozen=True, slots=True)
class Frame:
    """C (m, K−1): an orthonormal basis of all that K classes can tell of m rows."""

    classes: Classes  # (m,) numbered 0 … K−1, each with a row
    counts: Matrix64  # (K,)
    units: sparse.csr_array  # (K, m) the indicators of the classes, each to length 1
    turn: Matrix64  # (K, K−1) C = unitsᵀ · turn

    def onto(self, matrix: Matrix64) -> Matrix64:
        """Return CᵀA for *matrix* A (m, q)."""
        seen: Matrix64 = self.turn.T @ (self.units @ matrix)
        return seen

    def means(self, numbers: Matrix64) -> Matrix64:
        """Return the class means (K,) of *numbers* (m,)."""
        means: Matrix64 = np.bincount(self.classes, weights=numbers) / self.counts
        return means


def frame(labels: Classes) -> Frame:
    """Return the frame of the classes that occur in *labels* (m,)."""
    classes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    counts = np.bincount(classes).astype(np.float64)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    order = np.argsort(classes, kind="stable")
    lengths = 1.0 / np.sqrt(counts)[classes[order]]
    units = sparse.csr_array((lengths, order, starts), shape=(len(counts), len(labels)))
    # The reflection that takes the first axis to the constant column; its other columns are the frame.
    mirror = np.sqrt(counts / len(labels))
    mirror[0] += 1.0
    turn = np.eye(len(counts)) - np.outer(mirror, mirror) / mirror[0]
    return Frame(classes, counts, units, turn[:, 1:])


def pooled_rate(hat: Hat, leverages: tuple[Matrix64, Matrix64], labels: Classes) -> float:
    """Return Σ ± ½ log(1 + c|m|) in nats, 0 for one class.

    *leverages* are the diagonals of H and Ḣ, (m,) each. See `transrate` for m and c.
    """
    shape = frame(labels)
    if len(shape.counts) < 2:
        return 0.0
    signals, falls = _signals(hat, leverages, shape)
    c = _fisher_factor(hat, len(labels), signals, falls)
    # Below zero by what the adjusted correlation m/(1 + m) of the other sign would be above.
    negative = np.minimum(signals, 0.0).clip(min=BELOW)
    rates = np.log1p(c * np.maximum(signals, 0.0)) - np.log1p(c * -negative / (1.0 + 2.0 * negative))
    return 0.5 * float(rates.sum())


def _signals(hat: Hat, leverages: tuple[Matrix64, Matrix64], shape: Frame) -> tuple[Matrix64, Matrix64]:
    """Return the eigenvalues m of Q − N against I − Q, and −dm/d log Λ."""
    seen, falling = hat.seen_in(shape.onto)
    chance, chance_falling = _chance(hat, leverages, shape)
    left = np.eye(len(seen)) * (1.0 + SEPARATE) - seen
    signals, z = eigh(seen - chance, left, overwrite_a=True, overwrite_b=True, check_finite=False)
    falls = (1.0 + signals) * (z * (falling @ z)).sum(axis=0) - (z * (chance_falling @ z)).sum(axis=0)
    return signals, falls


def _chance(hat: Hat, leverages: tuple[Matrix64, Matrix64], shape: Frame) -> tuple[Matrix64, Matrix64]:
    """Return N, what Q is for classes that tell nothing, and −dN/d log Λ."""
    m, f = len(shape.classes), hat.trace
    f_falling = f - hat.trace_squared
    h, h_falling = (shape.means(part).clip(max=CROWDED) for part in leverages)
    weights = shape.turn.T * np.sqrt(shape.counts / m)
    v, v_falling = weights @ h, weights @ h_falling
    outer, mixed = np.outer(v, v), np.outer(v, v_falling)
    within = 1.0 - f / m
    chance = (shape.turn.T * h) @ shape.turn + outer / within
    falling = (shape.turn.T * h_falling) @ shape.turn + (mixed + mixed.T) / within
    falling += outer * (f_falling / m / within**2)
    chance.flat[:: len(chance) + 1] += f / (m * (m - 1))
    falling.flat[:: len(falling) + 1] += f_falling / (m * (m - 1))
    return chance, falling


def _fisher_factor(hat: Hat, m: int, signals: Matrix64, falls: Matrix64) -> float:
    """Return c, by which the ridge understates the separation along its own discriminants."""
    f, g, rows = hat.trace, hat.trace_squared, m - 1
    true_g = (g - f * f / rows) / (1.0 - (2.0 * f - g) / rows)
    true_g = max(true_g, f * f / (WIDEST * rows))
    like_noise = f / true_g
    seen = float(signals.sum())
    kept = seen - float(falls.sum()) * (1.0 - true_g / rows) / (1.0 - f / rows)
    doubt = SURE**2 * 2.0 * len(signals) * true_g / m**2
    c = (seen * seen + doubt * like_noise) / (max(seen * kept, 0.0) + doubt)
    return float(np.clip(c, 1.0, like_noise))

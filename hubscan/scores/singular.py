"""Rows to fit to and rows to try on in, both standardised as the first are, and the axes of these, out."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from hubscan.scores.labels import Matrix64


def standardised(seen: Matrix64, unseen: Matrix64) -> tuple[Matrix64, Matrix64]:
    """Return both less the mean of *seen* and over its deviation; a column constant there becomes 0."""
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(spread > 1e-13, spread, np.inf)  # features are at most 1: below lies rounding
    return (seen - mean) / scale, (unseen - mean) / scale


def singular(z: Matrix64) -> tuple[Matrix64, Matrix64, Matrix64]:
    """Return σ (r,), U (n, r) and V (d, r) of Z = U √σ Vᵀ, from the smaller Gram matrix.

    Directions with less than 1e-12 of the largest σ are left out: they are rounding.
    """
    over_rows = len(z) <= z.shape[1]
    sigma, vectors = eigh(z @ z.T if over_rows else z.T @ z, driver="evd")
    kept = sigma > 1e-12 * max(sigma[-1], 0.0)
    sigma, vectors = sigma[kept], vectors[:, kept]
    other = (z.T if over_rows else z) @ (vectors / np.sqrt(sigma))
    return (sigma, vectors, other) if over_rows else (sigma, other, vectors)

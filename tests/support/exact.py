"""TransRate with fifty digits, computed directly from the definitions: slow but exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from mpmath import matrix, mp, mpf

Array = npt.NDArray[Any]
Exact = Any  # an mpmath matrix or number

mp.dps = 50


def exact(features: Array) -> Exact:
    return matrix([[mpf(float(x)) for x in row] for row in features])


def less_means(z: Exact) -> Exact:
    means = [mp.fsum(z[i, j] for i in range(z.rows)) / z.rows for j in range(z.cols)]
    return matrix([[z[i, j] - means[j] for j in range(z.cols)] for i in range(z.rows)])


def unit_rows(z: Exact) -> Exact:
    lengths = [mp.sqrt(mp.fsum(x * x for x in z[i, :])) for i in range(z.rows)]
    return matrix([[x / length if length else x for x in z[i, :]] for i, length in enumerate(lengths)])


def rows_of(z: Exact, rows: Any) -> Exact:
    return matrix([[z[int(i), j] for j in range(z.cols)] for i in rows])


def spectrum(z: Exact) -> list[Exact]:
    """The non-zero eigenvalues of ZᵀZ/n."""
    gram = z.T * z if z.cols <= z.rows else z * z.T
    found = [value / z.rows for value in mp.eigsy(gram, eigvals_only=True)]
    return [value for value in found if value > max(found) * mpf(10) ** -40]


def rate(eigenvalues: list[Exact], eps: Exact) -> Exact:
    return mp.fsum(mp.log1p(value / eps) for value in eigenvalues) / 2


def classes(labels: Array) -> list[Array]:
    return [np.flatnonzero(labels == name) for name in np.unique(labels)]


def within(z: Exact, labels: Array, eps: Exact, *, alike: bool = False, centre: bool = False) -> Exact:
    """The mean rate of the classes, weighted by their rows or all equally."""
    parts = [(len(rows), rows_of(z, rows)) for rows in classes(labels)]
    total = 0
    for count, part in parts:
        weight = mpf(1) / len(parts) if alike else mpf(count) / len(labels)
        total += weight * rate(spectrum(less_means(part) if centre else part), eps)
    return total


EPS = mpf("1e-4")
UNEXPLAINED = mpf("1e-9")


def listing(features: Array, labels: Array) -> Exact:
    z = less_means(exact(features))
    return rate(spectrum(z), EPS) - within(z, labels, EPS, alike=True)


def equation(features: Array, labels: Array) -> Exact:
    z = less_means(exact(features))
    return rate(spectrum(z), EPS) - within(z, labels, EPS)


def plain(features: Array, labels: Array) -> Exact:
    z = unit_rows(less_means(unit_rows(exact(features))))
    eigenvalues = spectrum(z)
    eps = EPS * mp.fsum(eigenvalues)
    return (rate(eigenvalues, eps) - within(z, labels, eps)) / len(eigenvalues)


def projected(features: Array, labels: Array) -> Exact:
    """Defined if the covariance is not singular."""
    z = less_means(exact(features))
    n = z.rows
    between = matrix(z.cols, z.cols)
    for rows in classes(labels):
        mean = matrix([mp.fsum(z[int(i), j] for i in rows) / len(rows) for j in range(z.cols)])
        between += mean * mean.T * len(rows) / n
    trace = mp.fsum(between[j, j] for j in range(z.cols))
    z = z * (mp.inverse(z.T * z / n) * between / trace)
    eigenvalues = spectrum(z)
    eps = EPS * mp.fsum(eigenvalues)
    return (rate(eigenvalues, eps) - within(z, labels, eps, centre=True)) / len(eigenvalues)


def net_rates(features: Array, labels: Array, log_strengths: Array) -> Array:
    """`transrate@4` of each class against the rest (K) at every distortion Λ = tr(ZᵀZ)/(nρ) (S), (S, K)."""
    z = less_means(exact(features))
    n, energy = z.rows, mp.fsum(x * x for x in z)
    indicators = [_centred_indicator(rows, n) for rows in classes(labels)]
    over_rows = z.rows < z.cols
    gram = z * z.T if over_rows else z.T * z
    found = []
    for log_strength in log_strengths:
        ridge = energy / n * mp.exp(-mpf(float(log_strength)))
        factor = mp.cholesky(gram + ridge * mp.eye(gram.rows))
        cost = mp.fsum(mp.log(factor[i, i] ** 2 / ridge) for i in range(factor.rows)) / 2 / (n - 1)
        rates = []
        for y in indicators:
            solved = _energy_of_solution(factor, y if over_rows else z.T * y) / mp.fdot(y, y)
            left = ridge * solved if over_rows else 1 - solved
            rates.append(float(-mp.log(left + UNEXPLAINED) / 2 - cost))
        found.append(rates)
    return np.array(found)


def _energy_of_solution(factor: Exact, b: Exact) -> Exact:
    """bᵀ(LLᵀ)⁻¹b by forward substitution."""
    solved: list[Exact] = []
    for i in range(factor.rows):
        solved.append((b[i] - mp.fdot(factor[i, :i], solved) if i else b[i]) / factor[i, i])
    return mp.fdot(solved, solved)


def _centred_indicator(rows: Array, n: int) -> Exact:
    inside = set(rows.tolist())
    return matrix([mpf(int(i in inside)) - mpf(len(inside)) / n for i in range(n)])

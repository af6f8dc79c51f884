"""TransRate in fifty digits, straight from the definitions: slow, and right."""

from __future__ import annotations

from collections.abc import Callable
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
    """The eigenvalues of ZᵀZ/n that are not 0."""
    gram = z.T * z if z.cols <= z.rows else z * z.T
    found = [value / z.rows for value in mp.eigsy(gram, eigvals_only=True)]
    return [value for value in found if value > max(found) * mpf(10) ** -40]


def rate(eigenvalues: list[Exact], eps: Exact) -> Exact:
    return mp.fsum(mp.log1p(value / eps) for value in eigenvalues) / 2


def classes(labels: Array) -> list[Array]:
    return [np.flatnonzero(labels == name) for name in np.unique(labels)]


def within(z: Exact, labels: Array, eps: Exact, *, alike: bool = False, centre: bool = False) -> Exact:
    """The mean rate of the classes, weighted by their rows or all alike."""
    parts = [(len(rows), rows_of(z, rows)) for rows in classes(labels)]
    total = 0
    for count, part in parts:
        weight = mpf(1) / len(parts) if alike else mpf(count) / len(labels)
        total += weight * rate(spectrum(less_means(part) if centre else part), eps)
    return total


EPS = mpf("1e-4")


def listing(features: Array, labels: Array) -> Exact:
    z = less_means(exact(features))
    return rate(spectrum(z), EPS) - within(z, labels, EPS, alike=True)


def equation(features: Array, labels: Array) -> Exact:
    z = less_means(exact(features))
    return rate(spectrum(z), EPS) - within(z, labels, EPS)


def raw(features: Array, labels: Array) -> Exact:
    """The equation with tr(ZᵀZ)/n = 1."""
    z = less_means(exact(features))
    eps = EPS * mp.fsum(spectrum(z))
    return rate(spectrum(z), eps) - within(z, labels, eps)


def plain(features: Array, labels: Array) -> Exact:
    z = unit_rows(less_means(unit_rows(exact(features))))
    eigenvalues = spectrum(z)
    eps = EPS * mp.fsum(eigenvalues)
    return (rate(eigenvalues, eps) - within(z, labels, eps)) / len(eigenvalues)


def projected(features: Array, labels: Array) -> Exact:
    """Where the covariance is not singular."""
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


def calibrated(features: Array, labels: Array) -> Exact:
    """`transrate@3` without shuffles, by matrices of n × n; derivatives by a step of 1e-20."""
    x = less_means(exact(features))
    n, nu, k = x.rows, x.rows - 1, len(classes(labels)) - 1
    gram = x * x.T
    values, vectors = mp.eigsy(gram)
    values = [value if value > max(values) * mpf(10) ** -11 else mpf(0) for value in values]
    hat = _hats(values, vectors)
    ridge = _ridge(values, mpf(nu) / 5)
    frame = _frame(labels)

    def parts(log_step: Exact) -> tuple[Exact, Exact]:
        h = hat(ridge * mp.exp(log_step))
        return _signal_and_rest(h, frame, labels)

    signal, rest = parts(mpf(0))
    factor = mp.inverse(mp.cholesky(rest))
    ratios, vectors_of = mp.eigsy(factor * signal * factor.T)
    ratios = list(ratios)
    h = hat(ridge)
    f, square = _trace(h), _trace(h * h)
    g = max((square - f**2 / nu) / (1 - (2 * f - square) / nu), f**2 / (100 * nu))
    step, slopes = mpf(10) ** -20, [mpf(0)] * k
    if ridge:
        (above, rest_above), (below, rest_below) = parts(step), parts(-step)
        for j in range(k):
            z = factor.T * vectors_of[:, j]
            change = (above - below) - (rest_above - rest_below) * ratios[j]
            slopes[j] = (z.T * change * z)[0] / (2 * step)
    left = [m + slope * (1 - g / nu) / (1 - f / nu) for m, slope in zip(ratios, slopes, strict=True)]
    s = 9 * 2 * g / mpf(n) ** 2

    def c(told: Exact, kept: Exact, doubt: Exact, otherwise: Exact) -> Exact:
        return min(max((told * told + doubt * otherwise) / (max(told * kept, 0) + doubt), 1), f / g)

    common = c(mp.fsum(ratios), mp.fsum(left), s * k, f / g)
    each = [common if k == 1 else c(m, kept, s, common) for m, kept in zip(ratios, left, strict=True)]
    return mp.fsum(_nats(c, max(m, -mpf(1) / 3)) for m, c in zip(ratios, each, strict=True))


def _nats(c: Exact, m: Exact) -> Exact:
    return mp.log(1 + c * m) / 2 if m >= 0 else -mp.log(1 + c * -m / (1 + 2 * m)) / 2


def _trace(square: Exact) -> Exact:
    return mp.fsum(square[i, i] for i in range(square.rows))


def _hats(values: list[Exact], vectors: Exact) -> Callable[[Exact], Exact]:
    def hat(ridge: Exact) -> Exact:
        kept = mp.diag([value / (value + ridge) if value else mpf(0) for value in values])
        return vectors * kept * vectors.T

    return hat


def _ridge(values: list[Exact], free: Exact) -> Exact:
    if sum(value > 0 for value in values) <= free:
        return mpf(0)
    low, high = mp.log(max(values)) - 60, mp.log(max(values)) + 20
    for _ in range(170):
        middle = (low + high) / 2
        more = mp.fsum(value / (value + mp.exp(middle)) for value in values) > free
        low, high = (middle, high) if more else (low, middle)
    return mp.exp(low)


def _frame(labels: Array) -> Exact:
    """An orthonormal basis of the centred indicators, by Gram and Schmidt."""
    n = len(labels)
    columns: list[Exact] = []
    for rows in classes(labels)[:-1]:
        column = matrix([mpf(int(i in set(rows.tolist()))) - mpf(len(rows)) / n for i in range(n)])
        for earlier in columns:
            column -= earlier * mp.fdot(earlier, column)
        columns.append(column / mp.sqrt(mp.fdot(column, column)))
    return matrix([[column[i] for column in columns] for i in range(n)])


def _signal_and_rest(h: Exact, frame: Exact, labels: Array) -> tuple[Exact, Exact]:
    n = len(labels)
    f = _trace(h)
    mean = [mpf(0)] * n
    for rows in classes(labels):
        crowded = min(mp.fsum(h[int(i), int(i)] for i in rows) / len(rows), mpf("0.9"))
        for i in rows:
            mean[int(i)] = crowded
    v = frame.T * matrix(mean) / mp.sqrt(n)
    identity = mp.eye(frame.cols)
    chance = frame.T * mp.diag(mean) * frame + v * v.T / (1 - f / n) + identity * f / (n * (n - 1))
    seen = frame.T * h * frame
    return seen - chance, identity * (1 + mpf("1e-9")) - seen

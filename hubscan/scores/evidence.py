"""How much the features are worth to whoever has to code the labels, all that they cost paid: evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits

from hubscan.records import Score
from hubscan.scores.algebra import Block
from hubscan.scores.frames import frame
from hubscan.scores.halves import groups_of, pair_of_halves
from hubscan.scores.labels import Classes, Matrix64, Targets, as_targets, same_rows
from hubscan.scores.row_space import RowSpace, row_space
from hubscan.scores.rows import rows_of

VERSION: Final = 1
STRENGTHS: Final = np.arange(-8.0, 14.5, 2.0)  # log ρ, where the largest value is looked for
PRECISION: Final = 1e-2  # of log ρ: the value is flat at its largest
UNSAID: Final = 1e-9  # share of a contrast that no features tell, at least
TINY: Final = 1e-300
ROUNDING: Final = 1e-13  # numbers that vary by less than their rounding do not vary
HALVES: Final = 10  # behind the interval
STUDENT: Final = 2.262  # 97.5 % quantile for as many


def evidence(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    nulls: int = 5,
    halves: int = HALVES,
    seed: int = 0,
) -> Score:
    """Return how many nats a row the features save in coding the labels, less their own price: `evidence@1`.

    With X (n, d) the centred features, w the eigenvalues of XᵀX and C (n, K−1) an orthonormal basis of
    all that the classes can tell (the centred span of their indicators; of numbers, the numbers)::

        value = max over ρ > 0 of  −½ log det(I − Q)  −  (K−1)/(n−1) · R      at least 0
        Q = CᵀX(XᵀX + ΛI)⁻¹XᵀC,   R = ½ Σ log(1 + wᵢ/Λ),   Λ = tr(XᵀX)/(nρ)

    The first term is TransRate's own: the rate that classes save when all are coded with one scatter
    within them, ½ log det(S_T + Λ/n) − ½ log det(S_W + Λ/n), which is what `transrate` corrects for
    chance. R is the rate of all features, R(Z, ε) of the paper at the distortion ε = 1/ρ: what they take
    to be told. So ρ needs no setting (the paper chose ε for each cell of its tables), and no chance has to
    be taken away: features that tell nothing are not worth their price at any distortion.

    It is the log evidence of a model against that of no features, by rows, of which the mean takes one:
    C = XW + E, rows of E normal with a scatter Σ within, rows of W with Σ/Λ. Σ is the likeliest, and so is Λ.
    LogME (You et al., ICML 2021) is its kin: one column of the indicators at a time, each with a Λ of its
    own, and none of it centred, so that the features also have to tell how frequent the classes are.

    Of numbers C is the one column of them, centred, which is the Bayesian regression itself; labels of
    many columns are taken one by one, one against the rest, weighted by their share of all positives.
    **null** is the mean of what shuffled labels give, next to 0. **low** and **high** are value ± 2.26
    standard errors: the spread of the value over ten halves of the sample, drawn without replacement and
    within the classes (a delete-half jackknife; the quantile is Student's). The value grows with n, as what
    can be learnt from n rows does, so it is compared between scores of as many rows.

    Invariant under rotation, scaling, shifts, constant columns and names of the classes. Features that do
    not vary tell nothing: all is 0. log ρ lies in [−8, 14].

    Work: one eigendecomposition of min(n, d) dimensions, which all columns and shuffles share, one of at
    most half as many rows for each half, and some twenty determinants of K−1 dimensions for each of these.
    Rows are read block by block, as `transrate` does it, but halves are taken into memory.

    Args:
        features: (n, d) finite numbers of any type, an array or a tensor; computed in float64.
        labels: (n,) class numbers, (n,) floats or (n, L) columns of 0 and 1; see `labels.kind_of`.
        groups: (n,) names; rows of one group, as the words of a sentence, go into one half.
        nulls: how many shuffles; with 0 null is None.
        halves: how many of them; with fewer than 2 there is no interval.
        seed: of the shuffles and halves; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not fit, a feature is not finite, or there is one class or group only.
    """
    rows, targets = rows_of(features), as_targets(labels)
    same_rows(rows, targets)
    together = groups_of(groups, len(rows))
    rng = np.random.default_rng(seed)
    orders = [np.arange(len(rows)), *(rng.permutation(len(rows)) for _ in range(nulls))]
    value, *chance = _values(features, targets, orders)
    error = _standard_error(features, targets, together, halves, rng)
    return Score(
        name="evidence",
        version=VERSION,
        value=value,
        low=None if error is None else value - STUDENT * error,
        high=None if error is None else value + STUDENT * error,
        null=float(np.mean(chance)) if chance else None,
        null_spread=float(np.std(chance, ddof=1)) if len(chance) > 1 else None,
    )


def _standard_error(
    features: Any, targets: Targets, groups: Classes | None, halves: int, rng: np.random.Generator
) -> float | None:
    if halves < 2:
        return None
    strata = targets.values if targets.kind == "classes" else np.zeros(len(targets), np.int64)
    chosen = [np.flatnonzero(pair_of_halves(strata, rng, groups)[0]) for _ in range(halves)]
    found = [
        _values(features[half], replace(targets, values=targets.values[half]), [np.arange(len(half))])
        for half in chosen
    ]
    return float(np.std(found, ddof=1))


def _values(features: Any, targets: Targets, orders: Sequence[Classes]) -> list[float]:
    """Return the value of the labels in each of the *orders*, from one decomposition."""
    rows = rows_of(features)
    if rows.constant:
        return [0.0] * len(orders)
    space = row_space(rows)
    told: list[list[Matrix64]]
    if targets.kind == "classes":
        told, weights = [[one] for one in _of_classes(space, targets.values, orders)], [1.0]
    else:
        told, weights = _of_columns(space, targets.columns, orders), targets.weights.tolist()
    # Matrices as wide as there are classes: on a second thread they would wait for one another.
    with threadpool_limits(1, user_api="blas"):
        return [
            sum(weight * _most(space, one) for weight, one in zip(weights, several, strict=True))
            for several in told
        ]


def _of_classes(space: RowSpace, values: Classes, orders: Sequence[Classes]) -> list[Matrix64]:
    """Return CᵀU (K−1, r) of the classes *values* (n,) in each of the orders."""
    algebra = space.algebra
    classes, counts = np.unique(values, return_inverse=True, return_counts=True)[1:]
    sums: list[Block] = [0.0] * len(orders)
    for places, u in space.blocks():
        at = np.arange(len(u))
        sums = [
            before + algebra.sums(u, at, classes[order[places]], len(counts))
            for before, order in zip(sums, orders, strict=True)
        ]
    return [algebra.host(frame(counts.astype(np.float64)).turned(one, algebra)) for one in sums]


def _of_columns(space: RowSpace, columns: Matrix64, orders: Sequence[Classes]) -> list[list[Matrix64]]:
    """Return CᵀU (1, r) of each of the *columns* (n, T) in each of the orders; of a constant one 0."""
    algebra, scaled = space.algebra, columns / np.abs(columns).max(axis=0).clip(min=TINY)
    off = scaled - scaled.mean(axis=0)
    length = np.linalg.norm(off, axis=0)
    units = off / np.where(length > ROUNDING * np.sqrt(len(off)), length, np.inf)
    told: list[Block] = [0.0] * len(orders)
    for places, u in space.blocks():
        told = [
            before + algebra.block(units[order[places]].T.copy()) @ u
            for before, order in zip(told, orders, strict=True)
        ]
    return [list(algebra.host(one)[:, None, :]) for one in told]


def _most(space: RowSpace, told: Matrix64) -> float:
    """Return the largest value at any ρ, from *told* CᵀU (K−1, r)."""
    count, n = len(told), len(space.rows)
    variances = space.variances
    unsaid = np.eye(count) * (1.0 + UNSAID) - told @ told.T

    def value(log_strength: float) -> float:
        ridge = variances.sum() / n * np.exp(-log_strength)
        left = unsaid + (told * (ridge / (variances + ridge))) @ told.T
        price = count / (n - 1) * np.log1p(variances / ridge).sum()
        return -0.5 * float(np.linalg.slogdet(left)[1] + price)

    values = [value(strength) for strength in STRENGTHS]
    best = int(np.argmax(values))
    around = STRENGTHS[[max(best - 1, 0), min(best + 1, len(values) - 1)]]
    found = minimize_scalar(
        lambda strength: -value(strength), bounds=around, method="bounded", options={"xatol": PRECISION}
    )
    return max(0.0, values[best], -float(found.fun))

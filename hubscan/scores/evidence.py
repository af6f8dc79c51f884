"""How much the features are worth to whoever has to code the labels, all that they cost paid: evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hubscan.records import Score
from hubscan.scores.linalg.backend import Block
from hubscan.scores.linalg.centered import Rows, rows_of
from hubscan.scores.linalg.row_space import RowSpace, row_space
from hubscan.scores.resampling import groups_of, pair_of_halves
from hubscan.scores.targets import Classes, Matrix64, Targets, as_targets, same_rows

VERSION: Final = 1
STEP: Final = 0.25
STRENGTHS: Final = np.arange(-8.0, 14.0 + STEP, STEP)  # log ρ, at which the value is known
UNSAID: Final = 1e-9  # share of a column that no features tell, at least
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

    With X (n, d) the centred features, w the eigenvalues of XᵀX, and for every class y (n,) its indicator,
    centred and of length 1::

        value = Σ_c (n_c/n) · max over ρ > 0 of  −½ log(1 − q)  −  R/(n−1)         each at least 0
        q = yᵀX(XᵀX + ΛI)⁻¹Xᵀy,   R = ½ Σ log(1 + wᵢ/Λ),   Λ = tr(XᵀX)/(nρ)

    The first term is TransRate's own: the rate that a class and the rest save when both are coded with
    one scatter within them, ½ log det(S_T + Λ/n) − ½ log det(S_W + Λ/n), which is what `transrate` corrects
    for chance. R is the rate of all features, R(Z, ε) of the paper at the distortion ε = 1/ρ: what they
    take to be told. So ρ needs no setting (the paper chose ε for each cell of its tables), and no chance
    has to be taken away: features that tell nothing are not worth their price at any distortion.

    It is the log evidence of a linear model against that of no features, by rows, of which the mean takes
    one: y = Xw + e, normal noise of variance σ², weights of σ²/Λ, σ and Λ the likeliest. LogME (You et al.,
    ICML 2021) is its kin, the evidence of the indicators themselves: not centred, so that the features also
    have to tell how frequent the classes are, not held against that of no features, and all classes alike.

    Numbers are taken as they are, the one y there is, and of labels of many columns each is one, weighted by
    its share of all positives.

    **null** is the mean of what shuffled labels give, next to 0. **low** and **high** are value ± 2.26
    standard errors: the spread of the value over ten halves of the sample, drawn without replacement and
    within the classes (a delete-half jackknife; the quantile is Student's). The value grows with n, as what
    can be learnt from n rows does, so it is compared between scores of as many rows.

    Invariant under rotation, scaling, shifts, constant columns and names of the classes. Features that do
    not vary tell nothing: all is 0. log ρ lies in [−8, 14].

    Work: one eigendecomposition of min(n, d) dimensions, which all columns and shuffles share, and one of
    half as many rows for each half. Rows are read block by block, as `transrate` does it, but halves are
    taken into memory.

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
    value, *chance = _values(rows, targets, orders)
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
    found = []
    for half in chosen:
        of_half = replace(targets, values=targets.values[half])
        found += _values(rows_of(features[half]), of_half, [np.arange(len(half))])
    return float(np.std(found, ddof=1))


def _values(rows: Rows, targets: Targets, orders: Sequence[Classes]) -> list[float]:
    """Return the value of the labels in each of the *orders*, from one decomposition."""
    if rows.constant:
        return [0.0] * len(orders)
    space = row_space(rows)
    told = _told(space, _units(targets.columns), orders)
    return [float(targets.weights @ _most(space, one)) for one in told]


def _units(columns: Matrix64) -> Matrix64:
    """Return *columns* (n, T), centred and of length 1; one that does not vary becomes 0."""
    scaled = columns / np.abs(columns).max(axis=0).clip(min=TINY)
    off = scaled - scaled.mean(axis=0)
    length = np.linalg.norm(off, axis=0)
    units: Matrix64 = off / np.where(length > ROUNDING * np.sqrt(len(off)), length, np.inf)
    return units


def _told(space: RowSpace, units: Matrix64, orders: Sequence[Classes]) -> list[Matrix64]:
    """Return what each direction U tells of the *units* (n, T) in each of the orders, (r, T): (Uᵀy)²."""
    algebra = space.algebra
    found: list[Block] = [0.0] * len(orders)
    for places, u in space.blocks():
        found = [
            before + u.T @ algebra.block(units[order[places]])
            for before, order in zip(found, orders, strict=True)
        ]
    return [np.square(algebra.host(one)) for one in found]


def _most(space: RowSpace, told: Matrix64) -> Matrix64:
    """Return the largest value of each column at any ρ, (T,), from *told* (r, T).

    The largest of the lattice, or the vertex of the parabola through it and its neighbours.
    """
    variances, n = space.variances, len(space.rows)
    ridges = variances.sum() / n * np.exp(-STRENGTHS)[:, None]
    left = 1.0 + UNSAID - told.sum(axis=0) + (ridges / (variances + ridges)) @ told
    values = -0.5 * np.log(left) - 0.5 * np.log1p(variances / ridges).sum(axis=1, keepdims=True) / (n - 1)
    columns = np.arange(told.shape[1])
    best = values.argmax(axis=0)
    middle = best.clip(1, len(STRENGTHS) - 2)
    before, at, after = (values[middle + step, columns] for step in (-1, 0, 1))
    bend = np.minimum(before + after - 2.0 * at, -TINY)
    vertex = at - np.square(after - before) / (8.0 * bend)
    inside = (best == middle) & (bend < -TINY)
    most: Matrix64 = np.where(inside, vertex, values[best, columns]).clip(min=0.0)
    return most

"""TransRate (Huang et al., ICML 2022, arXiv 2106.09362), calibrated against chance, width and scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from hubscan.records import Score
from hubscan.scores.class_rates import class_rates
from hubscan.scores.gather import Pair, seen
from hubscan.scores.linalg.centered import rows_of
from hubscan.scores.linalg.row_space import RowSpace, row_space
from hubscan.scores.pooled_rate import pooled_rate
from hubscan.scores.resampling import groups_of, pair_of_halves
from hubscan.scores.targets import Classes, Matrix64, as_targets, same_rows

EPS: Final = 1e-4
VERSION: Final = 3
NULLS: Final = 20  # shuffles, whose rate is taken away
PAIRS: Final = 10  # of halves, behind the interval
STUDENT: Final = 2.228  # 97.5 % quantile for as many pairs: the halves of a pair err in opposite directions
THREADS: Final = ThreadpoolController()


def transrate(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    nulls: int = NULLS,
    seed: int = 0,
) -> Score:
    """Return how many nats the labels tell about where the features lie, as `transrate@3`.

    **value** is the rate that classes save when all are coded with one scatter within them,
    ½ log det S_T − ½ log det S_W, of the features as a ridge sees them, less chance. With X (n, d)
    the centred features and C (n, K−1) an orthonormal basis of all that the classes can tell (the
    centred span of their indicators)::

        H = X(XᵀX + ΛI)⁻¹Xᵀ        Λ ≥ 0 the smallest with f = tr H ≤ (n − 1)/5
        Q = CᵀHC                   so that −½ log det(I − Q) = ½ log det(S_T + Λ/n) − ½ log det(S_W + Λ/n)
        N = Cᵀdiag(h̄)C + vvᵀ/(1 − f/n) + f/(n(n−1))·I     what Q is if the classes tell nothing
            h̄ᵢ the mean of the diagonal of H over the class of row i (at most 0.9), v = Cᵀh̄/√n
        m = the eigenvalues of Q − N against (1 + 1e-9)·I − Q, signal to noise, one for each direction
        value = Σ ½ log(1 + c·m), less the same for shuffled labels (mean of *nulls*; near 0)
            for m < 0: −½ log(1 + c·|m|/(1 − 2|m|)), m at least −1/3: as the opposite correlation

    and c, which undoes what the ridge takes from the separation along a direction::

        c = C(m, m′, s, C(Σm, Σm′, s·(K−1), c₀))      for K = 2 the inner C alone
            C(t, t′, s, c₀) = (t² + s·c₀)/(max(t·t′, 0) + s), kept in [1, f/g]
            m′ = m + (dm/d log Λ)·(1 − g/ν)/(1 − f/ν),  ν = n − 1
            c₀ = f/g,  g = (tr H² − f²/ν)/(1 − (2f − tr H²)/ν), at least f²/(100·ν)
            s = 9·2g/n²

    Why: under normal features with equal covariance Σ within the classes and mean differences Δ, the
    rate saved is ½ log det(I + ΔᵀΣ⁻¹Δ), whatever the width. In samples (i) Q of no signal is not 0
    but N, which is known without a shuffle: −½ log det(I − Q) + ½ log det(I − N) is the rate of the
    adjusted correlations, as in the adjusted R² of a regression. N leaves out what a row has in common
    with itself, class by class, so that classes that differ in spread and not in place score 0. (ii)
    Σ⁻¹ cannot be had from n < d rows; the ridge puts A = (Σ + κI)⁻¹ in its place, with κ the eps of
    a coding rate. ΔᵀAΔ is the smaller for it, but (ΔᵀAΔ)²/ΔᵀAΣAΔ, the separation along the
    discriminants AΔ (the projection of the paper's experiments), is exact for isotropic noise of any
    width and for signal in a few strong directions. c is the ratio ΔᵀAΔ/ΔᵀAΣAΔ of a direction. The
    weaker its signal m (s is nine times the variance of chance), the more c is that of all directions
    together, and the weaker these are, the more it is that of the noise, c₀.

    **raw** is the equation of the paper, with Z the centred features scaled to tr(ZᵀZ)/n = 1, and
    eps = 1e-4: R(Z, eps) − Σ_c (n_c/n)·R(Z_c, eps). **null** is the mean of the same for shuffled
    labels, and *null_spread* its standard deviation over the shuffles. Most of raw is null.
    Value is not raw − null, as it was in version 1: that difference also rewards classes for their
    spread, and grows with the width. Version 2 had one c for all directions, and lost an eighth of
    what lies in strong and in weak directions at once.

    **low** and **high** are value ± 2.23 standard errors: the spread of the value over ten splits of
    the sample into halves, without replacement and within the classes (a delete-half jackknife; the
    quantile is Student's; a class of one row is in both halves). Λ stays, and for wide halves the
    diagonal of H is that of the whole, scaled. For noise the interval is wider than need be.

    Numbers are cut into classes at their quantiles, and labels of many columns are taken one by one,
    one against the rest, weighted by their share of all positives. Features that do not vary tell
    nothing: all is 0.

    Of **token labels** each row is a token; *groups* names its sentence. Tokens of one sentence are
    drawn together or not at all, so halves keep them together: the interval is that of other sentences.

    Invariant under rotation, scaling, shifts, constant columns and names of the classes. Work:
    one Gram matrix and one eigendecomposition of size r = min(n, d), and for each pair of halves one
    Gram matrix and two inverses; for each shuffle one log-determinant a class, of its rows where they
    are fewer than columns. Where n ≥ 2r, rows are read block by block into second moments: memory is
    of some 20 matrices of d × d and 41 of K × d, and half a kilobyte a row, so that an array may lie
    on disk (`numpy.load(..., mmap_mode="r")`). A torch tensor is computed with on its device.

    Args:
        features: (n, d) finite numbers of any type, an array or a tensor; computed in float64.
        labels: (n,) class numbers, (n,) floats or (n, L) columns of 0 and 1; see `labels.kind_of`.
        groups: (n,) names of what rows belong to, where they were not drawn one by one.
        nulls: how many shuffles; with 0 the value is less exactly 0 for noise, and null is None.
        seed: of the shuffles and halves; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not fit, a feature is not finite, or there is one class or group only.
    """
    rows, targets = rows_of(features), as_targets(labels)
    same_rows(rows, targets)
    together = groups_of(groups, len(rows))
    if rows.constant:
        return Score("transrate", VERSION, 0.0, low=0.0, high=0.0, raw=0.0, null=0.0, null_spread=0.0)
    problems = targets.problems()
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(rows)).astype(np.int32) for _ in range(nulls)]
    strata = problems[0][1] if len(problems) == 1 else np.zeros(len(rows), np.int64)
    pairs = [pair_of_halves(strata, rng, together) for _ in range(PAIRS)]
    space = row_space(rows)
    labellings = [classes.astype(np.int32) for _, classes in problems]
    labellings += [classes[order] for order in orders for classes in labellings[: len(problems)]]
    weights = np.array([weight for weight, _ in problems])
    value, error = _value(space, weights, labellings, pairs)
    raw, *shuffled = _raw(space, weights, labellings)
    return Score(
        name="transrate",
        version=VERSION,
        value=value,
        low=value - STUDENT * error,
        high=value + STUDENT * error,
        raw=raw,
        null=float(np.mean(shuffled)) if shuffled else None,
        null_spread=float(np.std(shuffled, ddof=1)) if len(shuffled) > 1 else None,
    )


def _value(
    space: RowSpace, weights: Matrix64, labellings: Sequence[Classes], pairs: Sequence[Pair]
) -> tuple[float, float]:
    """Return the rate of the labels less that of the shuffled ones, and its standard error.

    Halves of n rows vary among themselves as the whole varies among samples: σ²(1/m − 1/n) with
    m = n/2 is σ²/n.
    """
    whole, halves = seen(space, labellings, len(weights), pairs)
    # Matrices as wide as there are classes: on a second thread they would wait for one another.
    with THREADS.limit(limits=1, user_api="blas"):
        rates = np.array([pooled_rate(one) for one in whole]).reshape(-1, len(weights)) @ weights
        of_halves = [float(weights @ [pooled_rate(one) for one in half]) for half in halves]
    chance = float(rates[1:].mean()) if len(rates) > 1 else 0.0
    return float(rates[0]) - chance, float(np.std(of_halves, ddof=1))


def _raw(space: RowSpace, weights: Matrix64, labellings: Sequence[Classes]) -> list[float]:
    """Return the equation of the paper for the labels, and for each shuffle of them."""
    rate = 0.5 * float(np.log1p(space.variances / (space.variances.sum() * EPS)).sum())
    within = class_rates(space, labellings, EPS).reshape(-1, len(weights)) @ weights
    return [rate - float(nats) for nats in within]

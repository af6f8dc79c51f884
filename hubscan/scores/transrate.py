"""TransRate (Huang et al., ICML 2022, arXiv 2106.09362), at a distortion chosen from the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hubscan.records import Score
from hubscan.scores.accuracy import head_accuracy
from hubscan.scores.linalg.centered import rows_of
from hubscan.scores.linear_head import LinearHead, head_of
from hubscan.scores.net_rate import Decomposed, decomposed
from hubscan.scores.resampling import groups_of, pair_of_halves
from hubscan.scores.targets import Classes, Targets, as_targets, same_rows

VERSION: Final = 4
NULLS: Final = 5
HALVES: Final = 10  # for the interval
STUDENT: Final = 2.262  # 97.5 % quantile of Student's t for ten halves


def transrate(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    nulls: int = NULLS,
    halves: int = HALVES,
    representative: bool = False,
    seed: int = 0,
) -> Score:
    """Return `transrate@4`: how much the features reveal about the labels, in nats per row; 0 is chance.

    It is TransRate with one within-class scatter, at the distortion that maximises the difference, minus the
    cost of coding the features. With Z (n, d) the centred features, S_T = ZᵀZ/n their scatter, S_W the pooled
    scatter within class c and within the rest (both means removed), and w the eigenvalues of ZᵀZ::

        value  = Σ_c (n_c/n) · max(0, max over Λ of saved(c, Λ) − R(Λ)/(n−1))
        saved  = ½ log det(S_T + Λ/n·I) − ½ log det(S_W + Λ/n·I)
        R(Λ)   = ½ Σ_i log(1 + w_i/Λ)

    *saved* is the coding rate saved by knowing whether a row belongs to the class, if the class and the rest
    share one scatter. R is the paper's coding rate of the features at the distortion Λ/n.

    Departures: one scatter within classes replaces one per class. Classes have to differ in their means;
    differences in spread count far less (nothing with two classes; up to .2 nats with 20 classes in more
    columns than rows). Each class gets the distortion that maximises its term, instead of a constant tuned
    for each table. Subtracting R keeps that choice from overfitting: noise scores about 0 at any width,
    without a correction by shuffled labels.

    The maximised difference equals the log evidence of a ridge regression of the class indicator on the
    features, relative to a model without features, at the most likely noise variance and per degree of
    freedom (n − 1). Numbers replace the indicator directly. With several labels, each column is an indicator,
    weighted by its share of all positives.

    **null** is the mean over shuffled labels. **low** and **high** are the value ± 2.26 standard errors: the
    standard deviation over ten halves of the sample, drawn without replacement within the classes, times
    Student's quantile (a delete-half jackknife). **accuracy** is that of the linear head (`linear_head`). The
    value grows with n, because more can be learnt from more rows: compare values at equal n only.

    Rotating, scaling or shifting the features, adding constant columns and renaming the classes do not change
    the value. Constant features score 0. The search covers log ρ in [−8, 14], where Λ = tr(ZᵀZ)/(nρ).

    Cost: one eigendecomposition of size min(n, d) for the labels, the shuffles and the head, and one of the
    half's size for each half. If n ≥ 2d, rows are read block by block, so features can stay on disk
    (`numpy.load(..., mmap_mode="r")`); only the halves are loaded. A torch tensor is computed on its device.

    Args:
        features: (n, d) finite numbers of any type, an array or a tensor; computed in float64.
        labels: (n,) class numbers, (n,) floats or (n, L) columns of 0 and 1; see `targets.kind_of`.
        groups: (n,) names; rows of one group (the words of a sentence, the records of a patient) stay
            together in halves and are left out together by the head.
        nulls: number of shuffles; with 0, null is None.
        halves: number of halves; with fewer than 2 there is no interval.
        representative: whether the rows have the class shares of the data that they were drawn from. If so,
            the accuracy is the share of correct rows; otherwise it is the mean recall over classes.
        seed: random seed for the shuffles and halves; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not match, a number is not finite, the labels are constant, or all rows
            are in one group.
    """
    score, head = score_and_head(features, labels, groups=groups, nulls=nulls, halves=halves, seed=seed)
    return replace(score, accuracy=head_accuracy(head, labels, groups, representative=representative))


def score_and_head(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    nulls: int = NULLS,
    halves: int = HALVES,
    seed: int = 0,
) -> tuple[Score, LinearHead]:
    """Return the score and the linear head, which share one decomposition; see `transrate`."""
    rows, targets = rows_of(features), as_targets(labels)
    same_rows(rows, targets)
    together = groups_of(groups, len(rows))
    rng = np.random.default_rng(seed)
    orders = [np.arange(len(rows)), *(rng.permutation(len(rows)) for _ in range(nulls))]
    found = decomposed(rows, targets, orders)
    value, *chance = (_value(found, targets, place) for place in range(len(orders)))
    error = _standard_error(rows.source, targets, together, halves, rng)
    score = Score(
        name="transrate",
        version=VERSION,
        value=value,
        low=None if error is None else value - STUDENT * error,
        high=None if error is None else value + STUDENT * error,
        null=float(np.mean(chance)) if chance else None,
        null_spread=float(np.std(chance, ddof=1)) if len(chance) > 1 else None,
    )
    return score, head_of(found, targets, together)


def _value(found: Decomposed, targets: Targets, place: int) -> float:
    return float(targets.weights @ found.net_rates(place).largest.clip(min=0.0))


def _standard_error(
    features: Any, targets: Targets, groups: Classes | None, halves: int, rng: np.random.Generator
) -> float | None:
    """Return the standard deviation over halves of the rows, which estimates that over whole samples."""
    if halves < 2:
        return None
    strata = targets.values if targets.kind == "classes" else np.zeros(len(targets), np.int64)
    chosen = [np.flatnonzero(pair_of_halves(strata, rng, groups)[0]) for _ in range(halves)]
    return float(np.std([_of_half(features, targets, half) for half in chosen], ddof=1))


def _of_half(features: Any, targets: Targets, half: Classes) -> float:
    of_half = replace(targets, values=targets.values[half])
    return _value(decomposed(rows_of(features[half]), of_half, [np.arange(len(half))]), of_half, 0)

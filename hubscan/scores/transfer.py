"""What features hold for the labels, between what so many rows can use and what is there: `transfer`."""

from __future__ import annotations

from typing import Final

import numpy.typing as npt

from hubscan.records import Score
from hubscan.scores.evidence import HALVES, evidence
from hubscan.scores.targets import Targets, as_targets
from hubscan.scores.transrate import NULLS, transrate

VERSION: Final = 1


def transfer(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    nulls: int = 5,
    halves: int = HALVES,
    seed: int = 0,
) -> Score:
    """Return the mean of `evidence` and of `transrate` for each direction, in nats a row: `transfer@1`.

    With K classes, which tell K − 1 directions apart::

        value = ½ (evidence + transrate/(K − 1))

    Both are of one quantity, the rate −½ log(1 − q) that labels and features save for one another along a
    direction, ½ log(1 + ΔᵀΣ⁻¹Δ) if all were known. `evidence` counts what n rows can use: features pay for
    what they take to be told, and weak directions are not worth their price. `transrate` counts what is
    there: chance and the ridge are taken out again, and a thousand weak directions count as they would
    with rows without end. Fine-tuning from n rows lies between: it learns more than a linear model of
    frozen features can pay for, and less than all that they hold. Neither is rescaled by the others of a
    ranking, so that values of as many rows compare between runs.

    Of numbers, and of each of several labels, there is one direction: value = ½ (evidence + transrate).

    **null** is half of evidence's; TransRate's is taken away already. **low** and **high** are as far from
    the value as half of both intervals: the two mostly err together. See both for what they are invariant
    under and what they cost.

    Args:
        features: (n, d) finite numbers of any type, an array or a tensor; computed in float64.
        labels: (n,) class numbers, (n,) floats or (n, L) columns of 0 and 1; see `labels.kind_of`.
        groups: (n,) names; rows of one group, as the words of a sentence, go into one half.
        nulls: how many shuffles evidence gets; with 0 null is None, and noise scores less exactly 0.
        halves: how many of them evidence gets; with fewer than 2 there is no interval.
        seed: of the shuffles and halves; the same seed gives the same score.

    Raises:
        ValueError: if the shapes do not fit, a feature is not finite, or there is one class or group only.
    """
    return mean_of(
        evidence(features, labels, groups=groups, nulls=nulls, halves=halves, seed=seed),
        transrate(features, labels, groups=groups, nulls=NULLS if nulls else 0, seed=seed),
        as_targets(labels),
    )


def mean_of(worth: Score, told: Score, targets: Targets) -> Score:
    """Return the `transfer` of features whose `evidence` is *worth*, and whose `transrate` is *told*."""
    directions = len(targets.weights) - 1 if targets.kind == "classes" else 1
    value = _mean(worth.value, told.value, directions)
    half = None if worth.low is None else _mean(_half(worth), _half(told), directions)
    return Score(
        name="transfer",
        version=VERSION,
        value=value,
        low=None if half is None else value - half,
        high=None if half is None else value + half,
        null=None if worth.null is None else _mean(worth.null, 0.0, directions),
        null_spread=None if worth.null_spread is None else _mean(worth.null_spread, 0.0, directions),
    )


def _mean(of_evidence: float, of_transrate: float, directions: int) -> float:
    return 0.5 * (of_evidence + of_transrate / directions)


def _half(score: Score) -> float:
    low, high = score.interval
    return 0.5 * (high - low)

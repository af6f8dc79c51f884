"""A metric turns features into a `Score`; with all its scores and its cost a candidate is `Scored`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hubscan.records.accuracy import Accuracy, LeftOut
from hubscan.records.candidate import Candidate, Identity, Pair
from hubscan.records.features import Pooling

UNTRAINED: Final = "untrained weights: three quarters of its score counts"
SHARE_OF_UNTRAINED: Final = 0.75
ROUNDING: Final = 1e-6  # nats; constant features score 1e-16, which is no more than zero


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one checkpoint; higher is better.

    `value` ranks. Whatever was not computed is None; the metric that ranks has an interval and a null.
    """

    name: str
    version: int
    value: float
    low: float | None = None  # bounds of the value, had other rows been drawn (95 %)
    high: float | None = None
    raw: float | None = None  # versions before `transrate@4`: the number before its correction for chance
    null: float | None = None  # mean over shuffled labels
    null_spread: float | None = None  # standard deviation over the shuffles
    notes: tuple[str, ...] = ()  # what a reader should know before trusting it
    accuracy: Accuracy | None = None  # of the linear head that comes with `transrate`

    @property
    def label(self) -> str:
        """Name and version, as results carry them: `transrate@4`."""
        return f"{self.name}@{self.version}"

    @property
    def chance(self) -> float:
        """Return the value for labels that tell nothing: that of shuffled ones, or 0 if it is corrected.

        Metrics that no shuffling changes, such as the number of parameters, have none: minus infinity.
        """
        if self.raw is not None:
            return 0.0
        return -math.inf if self.null is None else self.null

    @property
    def discounted(self) -> Score:
        """Return what counts of it where the weights are untrained: three quarters of what is above chance.

        A metric that knows no chance counts as it is.
        """
        if self.chance == -math.inf:
            return self

        def counts(number: float) -> float:
            return self.chance + SHARE_OF_UNTRAINED * (number - self.chance)

        return replace(
            self,
            value=counts(self.value),
            low=None if self.low is None else counts(self.low),
            high=None if self.high is None else counts(self.high),
        )

    @property
    def interval(self) -> tuple[float, float]:
        """Return the bounds; without any the value itself, twice."""
        return (
            self.value if self.low is None else self.low,
            self.value if self.high is None else self.high,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What one candidate took."""

    download_bytes: int  # bytes that arrived on this disk; 0 when all lay in the cache
    seconds: float  # from fetch to score, wall clock
    rows_per_second: float  # of the extraction alone
    peak_bytes: int  # peak of the worker's resident memory; on a GPU of the memory allocated there
    cached: bool = False  # the features came from an earlier scan, and so did `rows_per_second`


@dataclass(frozen=True, slots=True)
class Scored:
    """One candidate that made it through."""

    candidate: Candidate | Pair
    scores: Mapping[str, Score]  # metric name to score; the first one ranks
    width: int
    parameters: int
    pooling: Pooling
    layer: str  # "last", "mean", or the number of the best one
    cost: Cost
    device: str
    dtype: str
    processor: str
    layers: Mapping[str, Layer] = field(default_factory=dict)  # every layer, if they were asked for
    features: str | None = None  # their address in the feature store, for metrics asked for later
    untrained: bool = False  # the weights are as an initialisation leaves them
    accuracy: Accuracy | None = None  # of a linear head on rows it was not fitted to; None in older runs
    failures: Mapping[str, str] = field(default_factory=dict)  # metrics that could not be computed, and why
    left_out: Mapping[str, LeftOut] = field(
        default_factory=dict
    )  # by layer; a run keeps them in `predictions/`

    @property
    def parts(self) -> tuple[Candidate, ...]:
        """Return the checkpoints whose features were joined; of one checkpoint none."""
        return self.candidate.parts if isinstance(self.candidate, Pair) else ()

    @property
    def identity(self) -> Identity:
        """Return what tells its checkpoint from the others of its run, whichever layer stands for it."""
        return self.candidate.identity

    @property
    def leading(self) -> Score:
        """Return the first score: that of the metric that ranks."""
        return next(iter(self.scores.values()))

    @property
    def above_chance(self) -> bool:
        """Return whether the whole interval of the first score lies above what shuffled labels give."""
        score = self.leading
        return score.interval[0] > score.chance + ROUNDING

    @property
    def head_accuracy(self) -> float:
        """Return the accuracy of the linear head; minus infinity where it is not known."""
        return self.accuracy.value if self.accuracy else -math.inf

    @property
    def standing(self) -> Score:
        """Return the score that ranks: the first one, discounted if the weights are untrained.

        A score describes the features as they are, and random weights can give good ones, of small images
        for instance. Fine-tuning starts from the weights, and random ones are no head start: fine-tuning
        added 0.1 points of accuracy to what their frozen features gave, against 2.8 for pretrained encoders
        (medians over the benchmark, which also explains the factor of three quarters).
        """
        return self.leading.discounted if self.untrained else self.leading

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with the layer where it is one of several."""
        return (
            self.candidate.name
            if self.layer in ("last", "mean")
            else f"layer {self.layer} of {self.candidate.name}"
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """Return what a reader should know: what the listing tells, and what loading told."""
        return (*self.candidate.flags, *((UNTRAINED,) if self.untrained else ()))


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a checkpoint."""

    width: int
    scores: Mapping[str, Score]
    accuracy: Accuracy | None = None
    failures: Mapping[str, str] = field(default_factory=dict)

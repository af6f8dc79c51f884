"""A metric turns features into a `Score`; with all its scores and its cost a candidate is `Scored`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hubscan.records.candidate import Candidate, Identity, Pair
from hubscan.records.features import Pooling

UNTRAINED: Final = "untrained weights: three quarters of its score counts"
SHARE_OF_UNTRAINED: Final = 0.75


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one checkpoint, in nats unless the metric says otherwise; higher is better.

    `value` ranks. What a metric was not asked for, or has no notion of, is None; the metric that
    ranks has all of it but perhaps `raw`.
    """

    name: str
    version: int
    value: float
    low: float | None = None  # bounds of the value, had other rows been drawn (95 %)
    high: float | None = None
    raw: float | None = None  # the uncorrected number of the source
    null: float | None = None  # what shuffled labels give in place of raw
    null_spread: float | None = None  # standard deviation of that over the shuffles
    notes: tuple[str, ...] = ()  # what a reader should know before trusting it

    @property
    def label(self) -> str:
        """Name and version, as results carry them: `transrate@1`."""
        return f"{self.name}@{self.version}"

    @property
    def chance(self) -> float:
        """Return what the value would be if the labels told nothing.

        A metric that has a raw number is corrected already; of another one it is what shuffled
        labels gave; parameter counts, say, know no chance.
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

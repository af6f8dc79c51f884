"""The `Score` that a metric gives a checkpoint, and a candidate with its scores and cost (`Scored`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hubscan.records.accuracy import Accuracy, LeftOut
from hubscan.records.candidate import Candidate, Identity, Pair
from hubscan.records.features import Pooling

SHARE_OF_UNTRAINED: Final = 0.75
UNTRAINED: Final = f"randomly initialised (score × {SHARE_OF_UNTRAINED})"
ROUNDING: Final = 1e-6  # nats; constant features score 1e-16, which is not above 0


@dataclass(frozen=True, slots=True)
class Score:
    """The value of one metric for one checkpoint; higher is better.

    Fields that were not computed are None. The metric that ranks has an interval and a null.
    """

    name: str
    version: int
    value: float
    low: float | None = None  # bounds of the 95 % interval over other samples of rows
    high: float | None = None
    raw: float | None = None  # only versions before `transrate@4`: the value before correction for chance
    null: float | None = None  # mean over shuffled labels
    null_spread: float | None = None  # standard deviation over the shuffles
    notes: tuple[str, ...] = ()  # what the user should know before trusting the score
    accuracy: Accuracy | None = None  # of the linear head that is fitted along with `transrate`

    @property
    def label(self) -> str:
        """Return the name and version: `transrate@4`."""
        return f"{self.name}@{self.version}"

    @property
    def chance(self) -> float:
        """Return the score of shuffled labels; 0 if the score is corrected for chance.

        Metrics that ignore the labels, such as the number of parameters, have none: minus infinity.
        """
        if self.raw is not None:
            return 0.0
        return -math.inf if self.null is None else self.null

    @property
    def discounted(self) -> Score:
        """Return the score of randomly initialised weights: 75 % of what is above chance counts.

        A metric without a chance level is not discounted.
        """
        if self.chance == -math.inf:
            return self

        def discount(number: float) -> float:
            return self.chance + SHARE_OF_UNTRAINED * (number - self.chance)

        return replace(
            self,
            value=discount(self.value),
            low=None if self.low is None else discount(self.low),
            high=None if self.high is None else discount(self.high),
        )

    @property
    def interval(self) -> tuple[float, float]:
        """Return the bounds of the interval; if there is none, the value twice."""
        return (
            self.value if self.low is None else self.low,
            self.value if self.high is None else self.high,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of evaluating one candidate."""

    download_bytes: int  # bytes downloaded; 0 if all files were in the cache
    seconds: float  # wall-clock time from fetch to score
    rows_per_second: float  # only while features were computed
    peak_bytes: int  # peak resident memory of the worker; on a GPU, peak allocated GPU memory
    cached: bool = False  # the features and `rows_per_second` are from an earlier scan
    recomputed: bool = False  # features of an earlier scan were damaged, and computed again


@dataclass(frozen=True, slots=True)
class Scored:
    """One candidate with its scores."""

    candidate: Candidate | Pair
    scores: Mapping[str, Score]  # metric name to score; the first one ranks
    width: int
    parameters: int
    pooling: Pooling
    layer: str  # "last", "mean", or the number of the best layer
    cost: Cost
    device: str
    dtype: str
    processor: str
    layers: Mapping[str, Layer] = field(default_factory=dict)  # every layer, with `--layers best` or `each`
    features: str | None = None  # their address in the feature store, to compute more metrics later
    untrained: bool = False  # the weights are randomly initialised
    accuracy: Accuracy | None = None  # of a linear head on rows it was not fitted to; None in older runs
    failures: Mapping[str, str] = field(default_factory=dict)  # metrics that could not be computed, and why
    left_out: Mapping[str, LeftOut] = field(
        default_factory=dict
    )  # by layer; a run stores them in `predictions/`

    @property
    def parts(self) -> tuple[Candidate, ...]:
        """Return the two checkpoints of a joined pair; () for a single checkpoint."""
        return self.candidate.parts if isinstance(self.candidate, Pair) else ()

    @property
    def identity(self) -> Identity:
        """Return the name and revision of its checkpoint, which are the same for all layers."""
        return self.candidate.identity

    @property
    def leading(self) -> Score:
        """Return the score of the metric that ranks: the first one."""
        return next(iter(self.scores.values()))

    @property
    def above_chance(self) -> bool:
        """Return whether the whole interval of the first score is above the score of shuffled labels."""
        score = self.leading
        return score.interval[0] > score.chance + ROUNDING

    @property
    def head_accuracy(self) -> float:
        """Return the accuracy of the linear head; minus infinity if it is not known."""
        return self.accuracy.value if self.accuracy else -math.inf

    @property
    def standing(self) -> Score:
        """Return the score that ranks: the first one, discounted if the weights are randomly initialised.

        A score describes the frozen features, and random weights can give good ones, for small images for
        instance. Fine-tuning starts from the weights, and random ones give it no advantage: it added 0.1
        points of accuracy to what their frozen features gave, against 2.8 for pretrained encoders (medians
        over the benchmark, which also explains the factor of 0.75).
        """
        return self.leading.discounted if self.untrained else self.leading

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with the layer if several layers are ranked."""
        return (
            self.candidate.name
            if self.layer in ("last", "mean")
            else f"layer {self.layer} of {self.candidate.name}"
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the flags of the listing, and whether the loaded weights are randomly initialised."""
        return (*self.candidate.flags, *((UNTRAINED,) if self.untrained else ()))


@dataclass(frozen=True, slots=True)
class Layer:
    """The scores of one layer of a checkpoint."""

    width: int
    scores: Mapping[str, Score]
    accuracy: Accuracy | None = None
    failures: Mapping[str, str] = field(default_factory=dict)

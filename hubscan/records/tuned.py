"""Fine-tuned checkpoints (`Tuned`), and how their order compares with the ranking (`Verdict`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from hubscan.records.accuracy import NAMES, Predicted
from hubscan.records.candidate import Candidate, Identity


@dataclass(frozen=True, slots=True)
class Training:
    """How checkpoints are fine-tuned, the same for all of a run."""

    how: Literal["full", "lora", "head"] = "full"  # train all weights, LoRA's, or a head on frozen features
    # Learning rates to try, times 100 for a table of static vectors; the validation rows choose.
    rates: tuple[float, ...] = (3e-5, 3e-4)
    batch: int = 32  # rows per step
    epochs: int = 40  # at most, with each rate
    patience: int = 5  # a rate ends after this many epochs without improvement, if they have 160 steps
    seconds: float = 1800.0  # for one checkpoint, with all rates
    seed: int = 0
    precision: Literal["float32", "mixed"] = "float32"  # see `hubscan.finetune.precision`


@dataclass(frozen=True, slots=True)
class Tuned:
    """One fine-tuned candidate.

    Old lines, written before predictions were stored, have `outcomes` and `frozen` instead. They are shown
    unchanged, and never compared with new ones.
    """

    candidate: Candidate
    training: Training
    measure: str  # an `AccuracyKind`; in old lines "accuracy", "R²" or "ranking precision"
    held: tuple[int, ...]  # test rows, as indices into the sample
    rate: float | None  # the best learning rate; None if none beat the frozen features
    epochs: int  # until the best one, with that rate
    settled: bool  # every rate ended without further improvement; else time or epochs ran out
    trained: int  # number of trained weights
    seconds: float
    device: str
    predictions: Predicted = ()  # for each test row, after fine-tuning
    frozen_predictions: Predicted = ()  # the same of the head on frozen features, where training started
    accuracy: float | None = None  # of `predictions`
    frozen_accuracy: float | None = None
    outcomes: tuple[
        float, ...
    ] = ()  # only old lines: one value for each test row; the accuracy is their mean
    frozen: tuple[float, ...] = ()  # only old lines: the same of the head on frozen features

    @property
    def identity(self) -> Identity:
        """Return the name and revision of its checkpoint."""
        return self.candidate.identity

    @property
    def measure_name(self) -> str:
        """Return the display name of the kind of accuracy."""
        return NAMES.get(self.measure, self.measure)

    @property
    def value(self) -> float:
        """Return the fine-tuned accuracy, on the test rows."""
        return sum(self.outcomes) / len(self.outcomes) if self.accuracy is None else self.accuracy

    @property
    def start(self) -> float:
        """Return the accuracy, on the test rows, of the head on frozen features where training started."""
        return sum(self.frozen) / len(self.frozen) if self.frozen_accuracy is None else self.frozen_accuracy


class Bounded(NamedTuple):
    """A value with the bounds of its 95 % interval over other test rows."""

    value: float
    low: float
    high: float


RECOMMENDED: Final = "recommended"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well one way of choosing a checkpoint agrees with fine-tuning."""

    followed: str  # "transrate@4", "accuracy", "recommended", "size" or "downloads"; in old runs also "probe"
    pick: int  # index in `Verdict.tuned` of the checkpoint that it puts first
    regret: Bounded  # fine-tuned accuracy of the best checkpoint minus that of the pick; 0 is best
    kendall: Bounded | None  # weighted Kendall, 1 is best; None for fewer than three checkpoints
    pearson: Bounded | None  # Pearson's r; both are None if all numbers to rank by are equal


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the ranking compares with fine-tuned accuracy."""

    measure: str  # as in `Tuned`
    tuned: tuple[Tuned, ...]  # from best to worst
    values: tuple[Bounded, ...]  # fine-tuned accuracy, in the order of `tuned`
    agreements: tuple[Agreement, ...]  # that of the ranking is first
    held: int  # number of test rows
    heads: tuple[float | None, ...] = ()  # accuracy of the scan's linear head, if it is of the same kind
    gains: tuple[Bounded, ...] = ()  # accuracy gained by training; old verdicts have neither heads nor gains

    @property
    def measure_name(self) -> str:
        """Return the display name of the kind of accuracy."""
        return NAMES.get(self.measure, self.measure)

    @property
    def best(self) -> Tuned:
        """Return the checkpoint with the best fine-tuned accuracy."""
        return self.tuned[0]

    @property
    def advice(self) -> Agreement:
        """Return the agreement of the recommended checkpoint; if it was not fine-tuned, of the ranking."""
        own = (agreement for agreement in self.agreements if agreement.followed == RECOMMENDED)
        return next(own, self.agreements[0])

    @property
    def picked(self) -> Tuned:
        """Return the fine-tuned checkpoint that hubscan recommended, or that it ranked first."""
        return self.tuned[self.advice.pick]

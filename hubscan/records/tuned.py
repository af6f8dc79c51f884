"""Some are `Tuned`, and a `Verdict` says whether the ranking was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from hubscan.records.accuracy import NAMES, Predicted
from hubscan.records.candidate import Candidate, Identity


@dataclass(frozen=True, slots=True)
class Training:
    """How checkpoints are fine-tuned to see whether a ranking was right; the same for all."""

    how: Literal["full", "lora", "head"] = "full"  # all weights, LoRA's, or a head's on frozen features
    # Each is tried, of a table of vectors a hundred times it; rows that are not held out choose.
    rates: tuple[float, ...] = (3e-5, 3e-4)
    batch: int = 32  # rows a step
    epochs: int = 40  # at most, with each rate
    patience: int = 5  # epochs without getting better that end a rate, if they have 160 steps
    seconds: float = 1800.0  # for all of one checkpoint
    seed: int = 0
    precision: Literal["float32", "mixed"] = "float32"  # see `hubscan.finetune.precision`


@dataclass(frozen=True, slots=True)
class Tuned:
    """One candidate, fine-tuned.

    Lines that were written before predictions were kept have `outcomes` and `frozen` instead. They are
    shown as they are, and never compared with new ones.
    """

    candidate: Candidate
    training: Training
    measure: str  # an `AccuracyKind`; in old lines "accuracy", "R²" or "ranking precision"
    held: tuple[int, ...]  # rows of the sample that were held out
    rate: float | None  # the learning rate that did best; None where none beat the frozen features
    epochs: int  # trained with it until then
    settled: bool  # every rate was tried until it got no better; else time or epochs ran out
    trained: int  # weights that were trained
    seconds: float
    device: str
    predictions: Predicted = ()  # for each held-out row, once fine-tuned
    frozen_predictions: Predicted = ()  # those of the head on frozen features, where training started
    accuracy: float | None = None  # of `predictions`
    frozen_accuracy: float | None = None
    outcomes: tuple[float, ...] = ()  # old lines: how each held-out row came out; their mean is the measure
    frozen: tuple[float, ...] = ()  # old lines: the same of the head on frozen features

    @property
    def identity(self) -> Identity:
        """Return what tells its checkpoint from the others of its run."""
        return self.candidate.identity

    @property
    def measure_name(self) -> str:
        """Return what people call the measure."""
        return NAMES.get(self.measure, self.measure)

    @property
    def value(self) -> float:
        """Return what fine-tuning gives on the held-out rows."""
        return sum(self.outcomes) / len(self.outcomes) if self.accuracy is None else self.accuracy

    @property
    def start(self) -> float:
        """Return what the head on frozen features, where training started, gives on them."""
        return sum(self.frozen) / len(self.frozen) if self.frozen_accuracy is None else self.frozen_accuracy


class Bounded(NamedTuple):
    """A number, and where it would lie had other rows been held out (95 %)."""

    value: float
    low: float
    high: float


RECOMMENDED: Final = "recommended"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well fine-tuning agrees with a list that one could follow."""

    followed: str  # "transrate@4", "accuracy", "recommended", "size" or "downloads"; once "probe", too
    pick: int  # the first of the list: its place in `Verdict.tuned`
    regret: Bounded  # what the pick gives less than the best one, in the unit of the measure; 0 at best
    kendall: Bounded | None  # weighted Kendall, 1 at best; None for fewer than three checkpoints
    pearson: Bounded | None  # None where the list has no numbers that differ


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the ranking compares with what fine-tuning gave."""

    measure: str  # as in `Tuned`
    tuned: tuple[Tuned, ...]  # from the best to the worst
    values: tuple[Bounded, ...]  # theirs, in this order
    agreements: tuple[Agreement, ...]  # the ranking's own first
    held: int  # rows held out
    heads: tuple[float | None, ...] = ()  # accuracy of the scan's linear head, if it is of the same kind
    gains: tuple[Bounded, ...] = ()  # over the start of training; old verdicts have neither of the two

    @property
    def measure_name(self) -> str:
        """Return what people call the measure."""
        return NAMES.get(self.measure, self.measure)

    @property
    def best(self) -> Tuned:
        """Return what did best."""
        return self.tuned[0]

    @property
    def advice(self) -> Agreement:
        """Return how the recommended checkpoint did; the first of the ranking if that was not fine-tuned."""
        own = (agreement for agreement in self.agreements if agreement.followed == RECOMMENDED)
        return next(own, self.agreements[0])

    @property
    def picked(self) -> Tuned:
        """Return the checkpoint that hubscan would have had us take."""
        return self.tuned[self.advice.pick]

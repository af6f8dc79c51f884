"""Some are `Tuned`, and a `Verdict` says whether the ranking was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

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
    """One candidate, fine-tuned."""

    candidate: Candidate
    training: Training
    measure: str  # "accuracy", "R²" or "ranking precision": the mean of `outcomes`
    outcomes: tuple[float, ...]  # how each held-out row came out, in the order of the sample
    frozen: tuple[float, ...]  # the same of the head on frozen features, where training began
    held: tuple[int, ...]  # which rows of the sample these are
    rate: float | None  # the learning rate that did best; None where none beat the frozen features
    epochs: int  # trained with it until then
    settled: bool  # every rate was tried until it got no better; else time or epochs ran out
    trained: int  # weights that were trained
    seconds: float
    device: str

    @property
    def identity(self) -> Identity:
        """Return what tells its checkpoint from the others of its run."""
        return self.candidate.identity

    @property
    def value(self) -> float:
        """Return what fine-tuning gives on the held-out rows."""
        return sum(self.outcomes) / len(self.outcomes)

    @property
    def start(self) -> float:
        """Return what the head on frozen features gives on them."""
        return sum(self.frozen) / len(self.frozen)


class Bounded(NamedTuple):
    """A number, and where it would lie had other rows been held out (95 %)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a list that one could follow stands to what fine-tuning gives."""

    followed: str  # "transrate@3", "probe@1", "size" or "downloads"
    pick: int  # the first of the list: its place in `Verdict.tuned`
    regret: Bounded  # what the pick gives less than the best one, in the unit of the measure; 0 at best
    kendall: Bounded | None  # weighted Kendall, 1 at best; None for fewer than three checkpoints
    pearson: Bounded | None  # None where the list has no numbers that differ


@dataclass(frozen=True, slots=True)
class Verdict:
    """What fine-tuning said."""

    measure: str
    tuned: tuple[Tuned, ...]  # from the best to the worst
    values: tuple[Bounded, ...]  # theirs, in this order
    agreements: tuple[Agreement, ...]  # the ranking's own first
    held: int  # rows held out

    @property
    def best(self) -> Tuned:
        """Return what did best."""
        return self.tuned[0]

    @property
    def picked(self) -> Tuned:
        """Return what the ranking would have had us take."""
        return self.tuned[self.agreements[0].pick]

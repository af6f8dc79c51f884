"""Where candidates run: candidates and a sample in, their results out as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from hubscan.recipe import Recipe
from hubscan.records import Candidate, Sample, Scored, Skipped, Training, Tuned

Result = Scored | Tuned | Skipped


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one candidate is."""

    model: str
    stage: str
    done: int = 0  # rows, where the stage counts rows
    rows: int = 0


class Engine(Protocol):
    """Runs candidates so that what ends one of them ends no other."""

    def run(
        self,
        candidates: Sequence[Candidate],
        sample: Sample,
        recipe: Recipe,
        training: Training | None = None,
    ) -> Iterator[Progress | Result]:
        """Yield progress, and exactly one result for each candidate, in no promised order.

        With *training* candidates are fine-tuned instead of scored.
        """
        ...

    def close(self) -> None:
        """End whatever still runs."""
        ...

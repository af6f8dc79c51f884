"""What an engine promises, whatever machines it runs on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hubscan.records import Candidate, Job, Scored, Skipped, Tuned

Result = Scored | Tuned | Skipped


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one candidate is."""

    model: str
    stage: str
    done: int = 0  # rows, where the stage counts rows
    rows: int = 0


class Engine(Protocol):
    """Runs candidates so that what ends one of them ends no other.

    - Every candidate gets exactly one result, and results do not depend on the engine or on the workers.
    - A candidate that crashes its process, is killed, or is silent or busy for too long is `Skipped` with the
      reason; the others go on.
    - There is one worker for each device.
    - It runs once, and nothing of a run is kept in it: whatever a stopped run left undone can be given to
      another engine.

    A new engine passes tests/test_engine_contract.py.
    """

    def start(self) -> None:
        """Begin what takes long before there is a sample, such as the imports of a worker."""
        ...

    def run(
        self, candidates: Sequence[Candidate], sample: Path | bytes, job: Job
    ) -> Iterator[Progress | Result]:
        """Yield progress, and exactly one result for each candidate, in no promised order.

        Args:
            candidates: what to run.
            sample: the file that `hubscan.sample_file.write` wrote with its inputs, or the content of it.
            job: what each candidate goes through.

        Raises:
            HubscanError: if no worker can run anything here, whatever the candidate.
        """
        ...

    def close(self) -> None:
        """End whatever still runs, and leave nothing behind; may be called at any time, and twice."""
        ...

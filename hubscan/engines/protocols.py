"""The interface of engines, which run candidates, and what each of them guarantees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hubscan.records import Candidate, Job, Scored, Skipped, Tuned

Result = Scored | Tuned | Skipped


@dataclass(frozen=True, slots=True)
class Progress:
    """The stage that one candidate has reached."""

    model: str
    stage: str
    done: int = 0  # rows, if the stage counts rows
    rows: int = 0
    wait: str = ""  # why it waits and for how long, such as "the Hub limits requests: waiting 200 s"


class Engine(Protocol):
    """Runs candidates in isolation: a candidate that fails does not affect the others.

    - Every candidate gets exactly one result, and results do not depend on the engine or on the workers.
    - A candidate that crashes its process, is killed, or is silent or busy for too long is `Skipped` with the
      reason; the others continue.
    - There is one worker for each device.
    - An engine runs once and keeps no state of a run: the candidates that a stopped run left undone can be
      given to another engine.

    A new engine passes tests/test_engine_contract.py.
    """

    def start(self) -> None:
        """Start slow work that does not need the sample, such as the imports of a worker."""
        ...

    def run(
        self, candidates: Sequence[Candidate], sample: Path | bytes, job: Job
    ) -> Iterator[Progress | Result]:
        """Yield progress, and exactly one result for each candidate, in any order.

        Args:
            candidates: what to run.
            sample: a file that `hubscan.sample_file.write` wrote with the inputs, or its content.
            job: what to do with each candidate.

        Raises:
            HubscanError: if no worker can run at all, whatever the candidate.
            DiskError: if a worker cannot write a file, which is no candidate's fault.
        """
        ...

    def close(self) -> None:
        """End all running work and clean up; may be called at any time, and twice."""
        ...

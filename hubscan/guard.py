"""Turn any exception from the work on one candidate into a `Skipped` that names the stage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from hubscan import disk, environment
from hubscan.errors import DiskError, HubscanError
from hubscan.processes import OUT_OF_MEMORY
from hubscan.records import Candidate, Skipped

T = TypeVar("T")
FAILED: Final = {
    "load": "its files cannot be loaded",
    "embed": "its network cannot read the inputs: its config may contradict its weights",
}
"""What an unexpected exception means at a stage."""
Enter = Callable[[str], None]
"""Called with the name of the stage that begins."""
Report = Callable[[str, int, int], None]
"""Called with the stage, the rows done and their total (0, 0 if the stage does not count rows)."""

NO_MEMORY = "out of memory"

log = logging.getLogger(__name__)


def guarded(candidate: Candidate, report: Report, work: Callable[[Enter], T]) -> T | Skipped:
    """Return the result of *work*; if it raises, a `Skipped` at the stage that it entered last.

    Raises:
        DiskError: if a file cannot be written, which is no candidate's fault.
    """
    stage = "fetch"

    def enter(name: str) -> None:
        nonlocal stage
        stage = name
        report(name, 0, 0)

    try:
        with environment.explained(), disk.explained():
            return work(enter)
    except DiskError:
        raise
    except HubscanError as error:
        reason = error.reason(candidate.model)
    except MemoryError:
        reason = NO_MEMORY
    except Exception as error:
        if OUT_OF_MEMORY.search(str(error)):  # torch and others do not raise a MemoryError
            return Skipped.of(candidate, stage, NO_MEMORY)
        log.exception("%s failed at %s", candidate.model, stage)
        first_line = (str(error).strip() or "no message").splitlines()[0]
        reason = f"{FAILED.get(stage, 'hubscan failed')} ({type(error).__name__}: {first_line[:200]})"
    return Skipped.of(candidate, stage, reason)

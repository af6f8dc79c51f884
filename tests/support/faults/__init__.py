"""Faults of candidates: what a checkpoint can do to the process that reads it, whatever engine runs it.

`variables` are what workers have to inherit; with them each worker imports `sitecustomize.py` when it
starts. A candidate is struck when it enters the stage "embed", if its folder holds a file that names the fault.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE: Final = "fault"
MET: Final = "met"
ONE_PROCESS: Final = "HUBSCAN_TEST_ONE_PROCESS"
"""Variable that names a file that is not there: the first process that starts makes it, and all others end."""

_REPOSITORY: Final = Path(__file__).parents[3]


def variables() -> dict[str, str]:
    """Return the environment variables with which a worker suffers faults."""
    return {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(_REPOSITORY)])}


def put(fault: str, folder: Path) -> None:
    """Give the checkpoint in *folder* the function of `sitecustomize.py` that is called *fault*."""
    (folder / FILE).write_text(fault)

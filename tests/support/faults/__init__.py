"""Inject faults: what a checkpoint can do to the process that reads it, whatever engine runs it.

Workers inherit `variables`; with them, each worker imports `sitecustomize.py` when it starts. A fault strikes
a candidate when it enters the stage "embed", if its folder contains a file that names the fault.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE: Final = "fault"
MET: Final = "met"
ONE_PROCESS: Final = "HUBSCAN_TEST_ONE_PROCESS"
"""Variable with the path of a missing file: the first process to start creates it, and all others exit."""

_REPOSITORY: Final = Path(__file__).parents[3]


def variables() -> dict[str, str]:
    """Return the environment variables that enable faults in workers."""
    return {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(_REPOSITORY)])}


def put(fault: str, folder: Path) -> None:
    """Make the checkpoint in *folder* trigger the function *fault* of `sitecustomize.py`."""
    (folder / FILE).write_text(fault)

"""Watch a scan and all its processes with an audit hook: what they start, unpickle, open and connect to.

Python imports `sitecustomize` at start if this folder is on PYTHONPATH, also in hubscan's workers. The hook
writes a line for each event that a scan should not cause. It sees what Python code does; a library's own C
code that opens a file by name does not pass it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def audited(
    environment: Mapping[str, str], log: Path, data: Iterable[Path], hosts: Iterable[str]
) -> dict[str, str]:
    """Return *environment* with the hook.

    Args:
        environment: of the first process.
        log: the file for the events.
        data: folders that hubscan may read and write: caches, run folders, local data.
        hosts: `host:port` of the endpoint and where it redirects.
    """
    log.touch()
    packages = [Path(path) for path in sys.path if path]
    return {
        **{name: value for name, value in environment.items() if not name.startswith("TORCHINDUCTOR")},
        "PYTHONPATH": os.pathsep.join([str(FOLDER), environment.get("PYTHONPATH", "")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HUBSCAN_AUDIT_LOG": str(log),
        "HUBSCAN_AUDIT_DATA": os.pathsep.join(str(path.resolve()) for path in data),
        "HUBSCAN_AUDIT_CODE": os.pathsep.join(str(path.resolve()) for path in packages),
        "HUBSCAN_AUDIT_HOSTS": ",".join(hosts),
    }


def events(log: Path) -> list[dict[str, Any]]:
    """Return the events in *log*, each once."""
    return [json.loads(line) for line in dict.fromkeys(log.read_text().splitlines())]

"""Draw a sample in a separate process, and return it with the memory that was used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.hub.fixtures import environment, run_python

CODE = r"""
import json, re, sys
from pathlib import Path
from dataclasses import asdict
from hubscan import recipe
from hubscan.errors import HubscanError
from hubscan.sample import draw
from hubscan.sample.select import random_access
random_access.FREE_BYTES = {free_bytes} or random_access.FREE_BYTES
try:
    sample = draw(recipe.resolve(json.loads({keys!r})).sample_request)
except HubscanError as error:
    print(json.dumps({{"error": f"{{type(error).__name__}}: {{error}}"}}))
    sys.exit()
print(json.dumps({{
    "draw": asdict(sample.draw),
    "row_ids": sample.row_ids.tolist(),
    "labels": sample.labels.tolist(),
    "groups": None if sample.groups is None else sample.groups.tolist(),
    "input_bytes": sum(len(value) for values in sample.inputs.values() for value in values),
    # Not getrusage: it includes the memory of the process before exec.
    "peak_bytes": int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024,
}}))
"""


def drawn(
    endpoint: str, home: Path, *, free_bytes: int = 0, cold: bool = False, **keys: Any
) -> dict[str, Any]:
    """Return the sample that a recipe of *keys* gives in a new process that uses the Hub at *endpoint*.

    *free_bytes* replaces `FREE_BYTES`, the least read budget of a sample, so that a small split is limited.
    """
    code = CODE.format(keys=json.dumps(keys), free_bytes=free_bytes)
    done = run_python(code, environment(endpoint, home), timeout=280, cold=cold)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found

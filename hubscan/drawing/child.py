"""Draw a sample in this process, and leave it in files for the parent and the workers.

    python -m hubscan.drawing.child

The parent sends one line: the `SampleRequest`, and the folder. The answers are "opened" once the columns are
known, "drawn" once the files are written, and "failed" with an error to be raised in the parent; and in
between "limit", "waiting" and "warning".
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any, Final

from hubscan import allowance, disk, environment
from hubscan import errors as known
from hubscan.drawing.names import LABELS, WITH_INPUTS
from hubscan.errors import HubscanError
from hubscan.processes import MemoryLimit, Messages, Warnings, end_with_parent, private_stdout
from hubscan.records import SampleRequest

READING: Final = 2_000_000_000  # bytes of memory to read with
COPIES: Final = 3  # of the sample: as drawn, as a table, and as it is written


def main() -> None:
    """Serve one request."""
    end_with_parent()
    say = Messages(private_stdout())
    logging.getLogger().addHandler(Warnings(say))
    try:
        with environment.explained(), disk.explained():
            _serve(say)
    except HubscanError as error:
        say("failed", error=_class(error), text=str(error))


def _serve(say: Messages) -> None:
    # Imports take seconds, so they come before the request, for which the process may have to wait.
    from hubscan import sample_file
    from hubscan.hub import rate_limits
    from hubscan.report.plan import examples
    from hubscan.sample import open_dataset

    asked = json.loads(sys.stdin.readline() or "null")
    if asked is None:
        return
    request = SampleRequest(**{key: _frozen(value) for key, value in asked["request"].items()})
    most = allowance.most(READING + COPIES * request.max_bytes)
    MemoryLimit(watched=False).set(most)
    say("limit", bytes=most)
    with rate_limits.heard(say.waits):
        split = open_dataset(request)
        say("opened")
        sample = split.draw()
    place = Path(asked["place"])
    sample_file.write(sample, place / WITH_INPUTS, inputs=True)
    sample_file.write(sample, place / LABELS, inputs=False)
    say("drawn", modalities=list(sample.inputs), examples=examples(sample))


def _class(error: HubscanError) -> str:
    """Return the name of the most special class of *error* that the parent knows."""
    return next(kind.__name__ for kind in type(error).__mro__ if hasattr(known, kind.__name__))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    main()

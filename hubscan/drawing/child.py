"""Draw a sample in this process, and leave it in files for the parent and the workers.

    python -m hubscan.drawing.child

The parent sends one request: the `SampleRequest`, and the folder. The answers are "opened" once the columns
are known, and "drawn" once the files are written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hubscan.drawing.names import LABELS, WITH_INPUTS
from hubscan.helper.child import limit_memory, requests, serve
from hubscan.processes import Messages
from hubscan.records import SampleRequest

READING: Final = 2_000_000_000  # bytes of memory to read with
COPIES: Final = 3  # of the sample: as drawn, as a table, and as it is written


def _work(say: Messages) -> None:
    # Imports take seconds, so they come before the request, for which the process may have to wait.
    from hubscan import sample_file
    from hubscan.hub import rate_limits
    from hubscan.report.plan import examples
    from hubscan.sample import open_dataset

    for asked in requests():
        request = SampleRequest(**{key: _frozen(value) for key, value in asked["request"].items()})
        limit_memory(say, READING + COPIES * request.max_bytes)
        with rate_limits.heard(say.waits):
            split = open_dataset(request)
            say("opened")
            sample = split.draw()
        place = Path(asked["place"])
        sample_file.write(sample, place / WITH_INPUTS, inputs=True)
        sample_file.write(sample, place / LABELS, inputs=False)
        say("drawn", modalities=list(sample.inputs), examples=examples(sample))
        return


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    serve(_work)

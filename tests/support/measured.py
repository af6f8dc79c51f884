"""Draw samples in processes of their own, and measure the memory and the time that each takes.

One process imports what drawing needs, and forks another for each sample, so that every measurement begins
with the same memory. A process that takes much more than it may is ended by the system.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

MOST_BYTES: Final = 6 * 2**30  # of address space, beyond which a sample ends with a MemoryError


@dataclass(frozen=True, slots=True)
class Drawn:
    """What became of a sample."""

    outcome: str  # the error, or how many rows were drawn, which were dropped, and the notes
    drawn: bool
    peak: int  # bytes of memory, with about 170 MB of libraries
    seconds: float


class Drawer:
    """Draws samples in processes forked from one that has imported the libraries."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def draw(self, dataset: object, **asked: Any) -> Drawn:
        """Return what became of the sample that *asked* describes; the process must not end otherwise."""
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps({"dataset": str(dataset), "samples": 10, **asked}) + "\n")
        self._server.stdin.flush()
        return Drawn(**json.loads(self._server.stdout.readline()))


@contextmanager
def drawer() -> Iterator[Drawer]:
    """Start the process that forks, and end it."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.measured"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with server:
        yield Drawer(server)
        assert server.stdin
        server.stdin.close()


def _serve() -> None:
    import hubscan.sample.draw  # noqa: F401 - before the forks

    for line in sys.stdin:
        reading, writing = os.pipe()
        if (forked := os.fork()) == 0:
            os.write(writing, json.dumps(_measured(json.loads(line))).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            found = answer.read()
        _, status = os.waitpid(forked, 0)
        ended = {"outcome": f"ended by {status}", "drawn": False, "peak": MOST_BYTES, "seconds": 0}
        print(found.decode() or json.dumps(ended), flush=True)


def _measured(asked: dict[str, Any]) -> dict[str, Any]:
    from hubscan import recipe
    from hubscan.errors import HubscanError
    from hubscan.sample import draw

    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    begun, drawn = time.perf_counter(), False
    try:
        sample = draw(recipe.resolve(asked).sample_request)
        drawn = True
        told = [f"{count} × {reason}" for reason, count in sample.draw.dropped.items()] + [*sample.draw.notes]
        outcome = "; ".join([f"{sample.draw.rows} rows", *told])
    except HubscanError as error:
        outcome = str(error)
    except BaseException as error:
        outcome = f"TRACEBACK {type(error).__name__}: {error}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"outcome": outcome, "drawn": drawn, "peak": peak, "seconds": time.perf_counter() - begun}


if __name__ == "__main__":
    _serve()

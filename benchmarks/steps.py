"""How long does each step of a scan take, on the demo's checkpoints and data?

    python benchmarks/steps.py .demo

First run `hubscan demo --build-only --folder .demo`. Commands start as a user starts them, with the
demo's Hub on this machine. Short ones run in interleaved rounds, and the table shows their median. CPU
seconds include those of the worker.
"""

from __future__ import annotations

import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tables import print_table

from hubscan.cli.demo import COMMANDS
from hubscan.demo.hub import Hub, serve

TEXT, IMAGES = COMMANDS
SHORT = {
    "start: --help": "hubscan --help",
    "search: query alone": "hubscan search --task text-classification --format quiet",
    "sample: 400 of 25,000 texts, and query": f"{TEXT} --dry-run",
}
LONG = {
    "text, 5 checkpoints, cold": f"{TEXT} --run text",
    "text again, features cached": f"{TEXT} --run text --fresh",
    "images, 3 checkpoints, cold": f"{IMAGES} --run images",
    "images again, features cached": f"{IMAGES} --run images --fresh",
}
ROUNDS = 5

Measured = tuple[float, float, int]  # wall seconds, CPU seconds, bytes that the Hub sent


def main(folder: Path) -> None:
    """Print the table."""
    rounds: dict[str, list[Measured]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as home, serve(folder) as hub:
        for _ in range(ROUNDS):
            for name, command in SHORT.items():
                rounds[name].append(measured(command, hub, Path(home)))
        for name, command in LONG.items():
            rounds[name].append(measured(command, hub, Path(home)))
    lines = []
    for name, found in rounds.items():
        wall, cpu, sent = (statistics.median(column) for column in zip(*found, strict=True))
        lines.append([name, f"{wall:.2f}", f"{cpu:.2f}", f"{sent / 1e6:.1f}"])
    print_table(["step", "seconds", "CPU seconds", "MB sent"], lines)


def measured(command: str, hub: Hub, home: Path) -> Measured:
    """Run *command*; return its time and the bytes that the Hub sent."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HUBSCAN_CACHE": str(home / "features"),
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    }
    before, begun, requests = _cpu(), time.perf_counter(), len(hub.requests)
    arguments = [sys.executable, "-m", "hubscan", *shlex.split(command)[1:]]
    subprocess.run(arguments, env=environment, cwd=home, check=True, capture_output=True)
    wall, cpu = time.perf_counter() - begun, _cpu() - before
    return wall, cpu, sum(served.body_bytes for served in hub.requests[requests:])


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""How much time does a kill cost a scan that is then resumed?

    python benchmarks/resume.py .demo

First run `hubscan demo --build-only --folder .demo`. Each scan begins without any file in a cache. It is
killed once with SIGKILL, after a share of the time of the undisturbed scan before it, and then continued with
`--resume`.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
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

ASKED = f"{COMMANDS[0]} --samples 200 --run run"
RESUMED = "hubscan rank --run run --resume"
SHARES = (0.25, 0.5, 0.75)
ROUNDS = 3

Measured = tuple[float, int]  # seconds, results on disk when it was killed


def main(folder: Path) -> None:
    """Print the table."""
    found: dict[str, list[Measured]] = defaultdict(list)
    with serve(folder) as hub:
        for _ in range(ROUNDS):
            found["not killed"].append(scanned(hub, None))
            whole = found["not killed"][-1][0]
            for share in SHARES:
                found[f"killed after {share:.0%} of the time"].append(scanned(hub, share * whole))
    base = statistics.median(wall for wall, _ in found["not killed"])
    lines = []
    for name, rounds in found.items():
        wall, kept = (statistics.median(column) for column in zip(*rounds, strict=True))
        lines.append([name, f"{wall:.1f}", f"{wall / base:.2f}", f"{wall - base:+.1f}", f"{kept:.0f}"])
    print_table(["scan", "seconds", "ratio", "difference, s", "results kept"], lines)


def scanned(hub: Hub, kill_after: float | None) -> Measured:
    """Scan, with a kill after so many seconds, and check that no result on disk was computed again."""
    with tempfile.TemporaryDirectory() as name:
        home, asked, kept = Path(name), ASKED, []
        begun = time.perf_counter()
        if kill_after is not None:
            process = _started(asked, hub, home)
            time.sleep(kill_after)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept = _results(home)
            asked = RESUMED if (home / "run" / "lock.yaml").exists() else f"{ASKED} --fresh"
        assert _started(asked, hub, home).wait() == 0, "the scan failed"
        results = _results(home)
        assert results[: len(kept)] == kept and len(set(results)) == len(results)
        return time.perf_counter() - begun, len(kept)


def _started(command: str, hub: Hub, home: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HUBSCAN_CACHE": str(home / "features"),
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    }
    arguments = [sys.executable, "-m", "hubscan", *shlex.split(command)[1:]]
    return subprocess.Popen(
        arguments, env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _results(home: Path) -> list[str]:
    """Return the names of the checkpoints whose results are on disk."""
    file = home / "run" / "results.jsonl"
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [json.loads(line)["candidate"]["model"] for line in lines]


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

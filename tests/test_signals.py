"""Ctrl-C and its relatives: exit code, the command that continues, no traceback, no process and no file left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hubscan.processes import temporary_folder
from tests.hub import LabHub, environment
from tests.support.commands import SMALL
from tests.support.fault_table import record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

ASKED = ("rank", "--dataset", "reviews", "--model", "tester/plain-bert", *SMALL, "--run", "run")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Requests at which the Hub is slow, and whether the run folder has a run by then.
MOMENTS = {
    "the dataset is drawn": (r"GET /datasets/tester/reviews/resolve/.*", False),
    "candidates are resolved": (r"GET /api/models/tester/plain-bert.*", False),
    "weights are downloaded": (r"HEAD /tester/plain-bert/resolve/.*config.json", True),
}


class Scan:
    """A scan whose Hub is slow at one moment."""

    def __init__(self, hub: LabHub, folder: Path, moment: str) -> None:
        pattern, self.resumable = MOMENTS[moment]
        hub.faults.add(pattern, times=9, delay=6)
        (folder / "tmp").mkdir()
        before = len(hub.requests)
        places = {"HUBSCAN_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hubscan", *ASKED],
            env=environment(hub.endpoint, folder / "home") | places, cwd=folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        path = pattern.split(" ")[1].removesuffix(".*").replace(".*", "")
        part = path.split("/resolve/")[0] + "/resolve/" if "/resolve/" in path else path
        wait_for(lambda: any(part in asked.path for asked in hub.requests[before:]))
        self.workers = psutil.Process(self.process.pid).children(recursive=True)

    def ended(self, within: float) -> tuple[int, str]:
        """Return the exit code and stderr; check that no worker is left."""
        _, err = self.process.communicate(timeout=within)
        _, alive = psutil.wait_procs(self.workers, timeout=5)
        assert alive == [] and "Traceback" not in err
        return self.process.returncode, err


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


Start = Callable[[str], Scan]


@pytest.fixture
def start(own_hub: LabHub, tmp_path: Path) -> Iterator[Start]:
    made: list[Scan] = []

    def started(moment: str) -> Scan:
        made.append(Scan(own_hub, tmp_path, moment))
        return made[-1]

    yield started
    for scan in made:
        scan.process.kill()
        scan.process.wait()


@pytest.mark.parametrize("sent", SIGNALS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_ends_a_scan_in_an_orderly_way(start: Start, moment: str, sent: signal.Signals) -> None:
    scan = start(moment)
    os.kill(scan.process.pid, sent)
    code, err = scan.ended(within=30)
    assert code == 128 + sent and "Interrupted" in err
    assert ("To continue: hubscan rank --run run --resume" in err) == scan.resumable
    assert (scan.folder / "run").exists() == scan.resumable
    assert not (scan.folder / "run" / "in-use.json").exists()
    assert list((scan.folder / "tmp").glob("hubscan-*")) == []
    record("scan", f"{sent.name} while {moment}", f"exit {code}; no process and no temporary file left")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_second_signal_ends_a_scan_at_once(start: Start, moment: str) -> None:
    scan = start(moment)
    os.kill(scan.process.pid, signal.SIGINT)
    time.sleep(0.05)
    begun = time.monotonic()
    if scan.process.poll() is None:
        os.kill(scan.process.pid, signal.SIGINT)
    code, _ = scan.ended(within=10)
    # A shell reports 130 for both; the second is that of Python, which has begun to exit.
    assert code in (130, -signal.SIGINT) and time.monotonic() - begun < 3
    record("scan", f"Ctrl-C twice while {moment}", "exit 130 at once; no process left")


def test_workers_end_with_a_scan_that_is_killed(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scan = start("weights are downloaded")
    assert scan.workers
    scan.process.kill()
    scan.ended(within=10)
    assert list((scan.folder / "tmp").glob("hubscan-*"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with temporary_folder() as mine:
        assert [str(left) for left in (tmp_path / "tmp").glob("hubscan-*")] == [mine]
    record("scan", "kill -9 of the scan", "its workers end; the next scan removes its temporary folder")

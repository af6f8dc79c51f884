"""A full, read-only or limited disk: one line that says where, nothing lost, and the scan can be resumed."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from hubscan import disk
from hubscan.errors import DiskError
from hubscan.run import load_run
from tests.hub import LabHub, environment
from tests.support.commands import SMALL, models, ranked
from tests.support.fault_table import record

ASKED = (
    "rank",
    "--dataset",
    "reviews",
    "--model",
    "tester/seeing-bert",
    "--model",
    "tester/plain-bert",
    *SMALL,
)
mounts = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount")
RESUME = "To continue: hubscan rank --run run --resume"


class Disk:
    """A small file system of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True)

    def remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.place)], check=True)

    def fill(self) -> None:
        with (self.place / "filler").open("wb", buffering=0) as file, pytest.raises(OSError):
            for size in (2**20, 1):
                while True:
                    file.write(b"x" * size)

    def mend(self) -> None:
        self.remount("rw")
        (self.place / "filler").unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine mounts nothing")
    yield made
    subprocess.run(["umount", "-l", str(made.place)], check=True)


Scan = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def scan(own_hub: LabHub, tmp_path: Path) -> Scan:
    """Run a scan in a new process, with every folder that it writes in *tmp_path*."""
    (tmp_path / "tmp").mkdir()
    places = {"HUBSCAN_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    variables = environment(own_hub.endpoint, tmp_path / "home") | places

    def run(*arguments: str, **overrides: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hubscan", *arguments, "--format", "json"],
            env=variables | overrides, cwd=tmp_path, capture_output=True, text=True, timeout=200,
        )  # fmt: skip

    return run


def last_error(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return line


def spoil(made: Disk, fault: str) -> None:
    made.fill() if fault == "full" else made.remount("ro")


WORDS = {"full": "its disk is full (", "read-only": "ead-only"}


@mounts
@pytest.mark.parametrize("fault", WORDS)
def test_the_clients_cache_stops_the_scan_and_no_candidate_is_blamed(
    scan: Scan, small_disk: Disk, fault: str
) -> None:
    home = {"HF_HOME": str(small_disk.place)}
    small_disk.place.joinpath("hub").mkdir()
    spoil(small_disk, fault)
    done = scan(*ASKED, "--run", "run", **home)
    line = last_error(done)
    assert WORDS[fault] in line and str(small_disk.place) in line and "HF_HOME" in line
    assert "skipped" not in done.stderr
    record("cache of the Hub's client", f"its disk is {fault}", line)


@mounts
def test_a_disk_that_weights_fill_says_how_much_is_needed_and_the_scan_resumes(
    scan: Scan, small_disk: Disk, tmp_path: Path
) -> None:
    home = {"HF_HOME": str(small_disk.place)}
    small_disk.fill()
    os.truncate(small_disk.place / "filler", (small_disk.place / "filler").stat().st_size - 48 * 1024)
    done = scan(*ASKED, "--run", "run", **home)
    line = last_error(done)
    assert " free, " in line and " needed); make space there, or set HF_HOME" in line
    assert RESUME in done.stderr
    assert load_run(tmp_path / "run").results() == []
    record("cache of the Hub's client", "weights fill its disk", line)
    small_disk.mend()
    resumed = ranked(scan("rank", "--run", "run", "--resume", **home))
    assert set(models(resumed)) == {"tester/seeing-bert", "tester/plain-bert"} and not resumed["skipped"]
    record("cache of the Hub's client", "resume after weights filled its disk", "the whole ranking")


@mounts
@pytest.mark.parametrize("fault", WORDS)
def test_a_feature_cache_that_cannot_be_written_is_said_once(
    scan: Scan, small_disk: Disk, fault: str
) -> None:
    spoil(small_disk, fault)
    done = scan(*ASKED, "--run", "run", HUBSCAN_CACHE=str(small_disk.place))
    assert len(models(ranked(done))) == 2
    (line,) = [line for line in done.stderr.splitlines() if "cannot be written" in line]
    assert str(small_disk.place) in line and "so features are " in line
    record("feature store", f"its disk is {fault}", f"ranked; {line}")


@mounts
@pytest.mark.parametrize("fault", WORDS)
def test_a_run_folder_that_cannot_be_written_is_one_line(
    scan: Scan, small_disk: Disk, tmp_path: Path, fault: str
) -> None:
    spoil(small_disk, fault)
    line = last_error(scan(*ASKED, "--run", "disk/run"))
    assert ("disk is full (" in line or "Read-only file system" in line) and "disk/run" in line
    assert not (small_disk.place / "run").exists()
    record("run folder", f"its disk is {fault} from the start", line)


@mounts
@pytest.mark.slow
@pytest.mark.parametrize("fault", WORDS)
def test_a_temporary_folder_that_cannot_be_written_is_replaced(
    scan: Scan, small_disk: Disk, fault: str
) -> None:
    spoil(small_disk, fault)
    done = scan(*ASKED, "--run", "run", TMPDIR=str(small_disk.place))
    assert len(models(ranked(done))) == 2
    record(
        "temporary folder", f"its disk is {fault} from the start", "ranked; another temporary folder is used"
    )


@mounts
def test_a_disk_that_fills_while_results_are_written_loses_none(
    own_hub: LabHub, small_disk: Disk, tmp_path: Path
) -> None:
    own_hub.faults.add(r"HEAD /tester/plain-bert/resolve/.*config.json", times=3, delay=4)
    variables = environment(own_hub.endpoint, tmp_path / "home") | {"HUBSCAN_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [sys.executable, "-m", "hubscan", *ASKED, "--run", "run", "--format", "json"],
        env=variables, cwd=small_disk.place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    results = small_disk.place / "run" / "results.jsonl"
    wait_for(process, lambda: results.exists() and results.read_bytes().endswith(b"\n"))
    before = results.read_bytes()
    small_disk.fill()
    out, err = process.communicate(timeout=200)
    line = last_error(subprocess.CompletedProcess([], process.returncode, out, err))
    assert "the run folder, run, cannot be written: its disk is " in line and RESUME in err
    assert len(load_run(small_disk.place / "run").results()) == 1
    record("run folder", "its disk becomes full during the scan", line)
    small_disk.mend()
    resumed = subprocess.run(
        [sys.executable, "-m", "hubscan", "rank", "--run", "run", "--resume", "--format", "json"],
        env=variables, cwd=small_disk.place, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert set(models(ranked(resumed))) == {"tester/seeing-bert", "tester/plain-bert"}
    assert results.read_bytes().startswith(before)


def wait_for(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None and time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_a_limit_on_the_size_of_files_is_one_line(own_hub: LabHub, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hubscan", *ASKED, "--run", "run", "--format", "json"],
        env=environment(own_hub.endpoint, tmp_path / "home") | {"HUBSCAN_CACHE": str(tmp_path / "cache")},
        cwd=tmp_path, capture_output=True, text=True, timeout=200,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )  # fmt: skip
    line = last_error(done)
    assert "a file would be larger than is allowed" in line and RESUME in done.stderr
    record("cache of the Hub's client", "files have a size limit (ulimit -f)", line)


@pytest.mark.parametrize("code", [*disk.REASONS, *disk.REASONS_OF_OURS])
@pytest.mark.parametrize("place", ["the run folder", "hubscan's cache", "the cache of the Hub's client"])
def test_each_fault_of_a_known_folder_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, place: str
) -> None:
    folders = {
        "the run folder": tmp_path / "run",
        "hubscan's cache": tmp_path / "cache",
        "the cache of the Hub's client": tmp_path / "hub",
    }
    monkeypatch.setenv("HUBSCAN_CACHE", str(folders["hubscan's cache"]))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(DiskError) as raised, disk.explained(disk.run_folder(tmp_path / "run")):
        try:
            raise OSError(code, os.strerror(code), str(folders[place] / "below" / "file"))
        except OSError as error:
            raise ValueError("what a library makes of it") from error
    line = str(raised.value)
    assert line.startswith(f"{place}, {folders[place]}, cannot be written: ") and "\n" not in line
    record(place.removeprefix("the "), os.strerror(code), line)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ENOENT])
def test_a_file_of_the_user_that_cannot_be_read_is_no_fault_of_a_disk(tmp_path: Path, code: int) -> None:
    with pytest.raises(OSError) as raised, disk.explained():
        raise OSError(code, os.strerror(code), str(tmp_path / "mine"))
    assert raised.value.errno == code


def test_a_name_that_looks_like_a_fault_is_none() -> None:
    with pytest.raises(ValueError), disk.explained():
        raise ValueError("no tensor called 'No space left on device (os error 28)'")
    with pytest.raises(DiskError, match="its disk is full"), disk.explained(in_rust=True):
        raise RuntimeError("I/O error: No space left on device (os error 28)")

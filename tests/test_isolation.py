"""What one process may do to the others: nothing. Limits of memory, and processes that end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from hubscan import allowance, engines, sample_file
from hubscan.errors import SettingError
from hubscan.feature_store import LocalStore
from hubscan.media import images
from hubscan.records import Scored, Skipped
from tests.support import faults
from tests.support.engine_runs import checkpoint, outcome, recipe, texts
from tests.support.fault_table import record
from tests.support.images import png

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of the kernel of Linux")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.parquet"
    sample_file.write(texts(60), path, inputs=True)
    return path


@LINUX
def test_a_candidate_that_needs_more_memory_is_skipped_and_the_others_go_on(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (faults.variables() | {"HUBSCAN_MEMORY": "2GB"}).items():
        monkeypatch.setenv(name, value)
    hungry = checkpoint(tmp_path / "hungry", 0, fault="hungry")
    aborts = checkpoint(tmp_path / "aborts", 1, fault="aborts")
    small = checkpoint(tmp_path / "small", 2)
    found = outcome("local", [hungry, aborts, small], file, LocalStore(tmp_path / "store"))
    for candidate, fault in ((hungry, "torch asks for 8 GB"), (aborts, "C++ code asks for too much")):
        result = found.of(candidate)
        assert isinstance(result, Skipped) and result.stage == "embed"
        assert result.reason == "out of memory: it needs more than 2.0 GB; set HUBSCAN_MEMORY to allow more"
        record("checkpoint", f"{fault}, with HUBSCAN_MEMORY=2GB", result.reason)
    assert isinstance(found.of(small), Scored)


def test_the_limit_grows_with_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUBSCAN_MEMORY", raising=False)
    monkeypatch.setattr(allowance, "machine_bytes", lambda: 64 * 10**9)
    of = allowance.of_candidate
    assert of(10**9, 10**9, trains=False) == 25 * 10**9
    assert of(10**9, 10**9, trains=True) == 41 * 10**9
    assert of(10**9, 10**11, trains=False) == of(10**9, None, trains=False) == 64 * 10**9
    monkeypatch.setenv("HUBSCAN_MEMORY", "3.5GB")
    assert of(10**9, 10**9, trains=False) == of(10**9, None, trains=False) == 3_500_000_000


@pytest.mark.parametrize("value", ["much", "-1", "0", "1e400GB", "9" * 40])
def test_a_limit_that_is_no_size_is_refused_before_anything_starts(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSCAN_MEMORY", value)
    with pytest.raises(SettingError, match=r"HUBSCAN_MEMORY=.*: is not a size; set it to one such as 8GB"):
        engines.create(recipe("local"))


def test_too_little_memory_for_an_image_says_nothing_about_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    content = png(4, 4)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", exhausted)
    with pytest.raises(MemoryError):
        images.decode(content)


SCAN = """
import sys
from pathlib import Path
from tests.support.engine_runs import events
from hubscan.feature_store import LocalStore
from hubscan.hub import listing
from hubscan.records import Query
candidates = list(listing.named([sys.argv[1]], Query(), "text"))
for event in events("local", candidates, Path(sys.argv[2]), LocalStore(Path(sys.argv[3]))):
    print(event.stage, flush=True)
"""


@LINUX
@pytest.mark.parametrize("fault", ["hang", "busy"])
def test_no_worker_survives_a_killed_parent(fault: str, tmp_path: Path, file: Path) -> None:
    checkpoint(tmp_path / "candidate", 0, fault=fault)
    command = [sys.executable, "-c", SCAN, str(tmp_path / "candidate"), str(file), str(tmp_path / "store")]
    parent = subprocess.Popen(command, env=os.environ | faults.variables(), stdout=subprocess.PIPE)
    with closing(parent.stdout) as lines:  # type: ignore[type-var]
        assert lines is not None and any(line == b"embed\n" for line in lines)
        (worker,) = psutil.Process(parent.pid).children()
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        begun = time.monotonic()
        worker.wait(5)
    record("scan", f"kill -9 while a worker is in an endless {fault}", "no worker survives")
    assert time.monotonic() - begun < 5

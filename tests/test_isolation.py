"""What one process may do to the others: nothing. Limits of memory, and processes that end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hubscan import allowance, engines, sample_file
from hubscan.drawing.parent import Drawing
from hubscan.errors import DatasetError, HubscanError, SettingError
from hubscan.feature_store import LocalStore
from hubscan.media import images
from hubscan.records import Sample, SampleRequest, Scored, Skipped
from tests.support import faults
from tests.support.engine_runs import checkpoint, outcome, processes, recipe, texts
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


ROWS: Final = "text,label\n" + "".join(f"word {row},{'ab'[row % 2]}\n" for row in range(40))


def drawn_from(file: Path, folder: Path, stall_seconds: float = 60.0, signalled: int = 0) -> Sample:
    """Draw from *file* in another process, which gets a signal while it does."""
    before = processes()
    with closing(Drawing(SampleRequest(str(file)), folder, stall_seconds)) as drawing:
        if signalled:
            (child,) = processes() - before
            os.kill(child, signalled)
        drawing.opened()
        return drawing.drawn().sample


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text(ROWS)
    return file


def test_a_sample_is_on_disk_and_only_its_labels_come_back(csv: Path, tmp_path: Path) -> None:
    with closing(Drawing(SampleRequest(str(csv)), tmp_path, 60.0)) as drawing:
        drawing.opened()
        found = drawing.drawn()
    whole = sample_file.read(found.file)
    assert found.sample.inputs == {"text": ()} and len(whole.inputs["text"]) == 40
    assert found.sample.draw == whole.draw and found.sample.labels.tolist() == whole.labels.tolist()
    assert len(found.examples) == 2


@LINUX
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGSEGV, "its process was ended by SIGSEGV"),
        (signal.SIGKILL, r"its process was ended by SIGKILL \(out of memory\?\)"),
        (signal.SIGSTOP, "no progress for 2 s"),
    ],
)
def test_what_ends_or_stops_the_process_that_draws_is_one_line(
    number: signal.Signals, reason: str, csv: Path, tmp_path: Path
) -> None:
    before = processes()
    with pytest.raises(DatasetError, match=f"rows.csv: cannot be read: {reason}; convert the data") as error:
        drawn_from(csv, tmp_path, stall_seconds=2.0, signalled=number)
    assert processes() == before
    record("dataset", f"{number.name} of the process that reads it", str(error.value))


@LINUX
def test_one_text_that_a_small_file_repeats_stays_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSCAN_MEMORY", "600MB")
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), pa.array(["a" * 100_000_000]))
    file = tmp_path / "repeated.parquet"
    pq.write_table(pa.table({"text": texts, "label": ["a", "b"] * 100}), file, compression="zstd")
    del texts
    with pytest.raises(HubscanError) as error:
        drawn_from(file, tmp_path)
    assert "repeated.parquet" in str(error.value)
    record("dataset", "a text of 100 MB that 200 rows name, with 600 MB of memory", str(error.value))


def test_an_error_in_the_process_that_draws_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"missing.csv: no such file or folder; check --dataset") as error:
        drawn_from(tmp_path / "missing.csv", tmp_path)
    assert type(error.value) is DatasetError


@LINUX
def test_ctrl_c_while_rows_are_drawn_leaves_no_process_and_no_file(csv: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code = "import sys; from hubscan.cli import main; main(sys.argv[1:])"
    arguments = ["rank", "--dataset", str(csv), "--model", str(tmp_path), "--run", str(tmp_path / "run")]
    variables = os.environ | {"TMPDIR": str(temporary), "HUBSCAN_CACHE": str(tmp_path / "cache")}
    scan = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], env=variables, stderr=subprocess.PIPE, text=True
    )
    assert scan.stderr is not None and "Drawing the sample" in scan.stderr.readline()
    children = psutil.Process(scan.pid).children()
    scan.send_signal(signal.SIGINT)
    said = scan.stderr.read()
    assert scan.wait() == 130 and "Traceback" not in said
    psutil.wait_procs(children, timeout=5)
    assert not any(child.is_running() for child in children) and not list(temporary.glob("hubscan-*"))
    record("scan", "Ctrl-C while the sample is drawn", f"exit 130: {said.strip()}")

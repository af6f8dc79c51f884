"""Features on disk, larger than memory, and features in tensors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hubscan.scores import transrate
from hubscan.scores.linalg.centered import rows_of
from tests.support.features import SHAPES, same, separated

Array = npt.NDArray[Any]


@pytest.mark.parametrize(("n", "d", "classes"), SHAPES)
def test_rows_read_in_blocks_from_disk_score_as_those_in_memory(
    n: int, d: int, classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = separated(n, d, classes)
    expected = transrate(features, labels)
    np.save(tmp_path / "features.npy", features)
    monkeypatch.setattr("hubscan.scores.linalg.centered.BLOCK_NUMBERS", 7 * d)
    on_disk = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert len(list(rows_of(on_disk).blocks())) == -(-n // 7)
    same(transrate(on_disk, labels), expected)


@pytest.mark.parametrize(("n", "d", "classes"), SHAPES)
def test_a_tensor_scores_as_an_array(n: int, d: int, classes: int) -> None:
    features, labels = separated(n, d, classes)
    same(transrate(torch.tensor(features), torch.tensor(labels)), transrate(features, labels))


def test_columns_of_labels_score_alike_in_tensors_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = separated(200, 30, 4)
    columns = (labels[:, None] == np.arange(4)) | (np.arange(200)[:, None] % np.array([3, 90, 7, 11]) == 0)
    expected = transrate(features, columns)
    same(transrate(torch.tensor(features), torch.tensor(columns)), expected)
    monkeypatch.setattr("hubscan.scores.linalg.centered.BLOCK_NUMBERS", 500)
    same(transrate(features, columns), expected)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
def test_tensors_of_less_precision_are_computed_in_double(kind: torch.dtype) -> None:
    features, labels = separated(80, 12, 4)
    low = torch.tensor(features).to(kind)
    same(transrate(low, labels), transrate(low.double(), labels))
    assert transrate(low, labels) == transrate(low, labels)


def test_what_a_tensor_cannot_be_is_refused_like_an_array() -> None:
    labels = np.array([0, 1])
    for features, said in (
        (torch.tensor([[1.0], [float("nan")]]), "NaN"),
        (torch.tensor([[1j], [2]]), "real"),
        (torch.zeros(2), "expected"),
        (torch.zeros(3, 2), "as many labels"),
    ):
        with pytest.raises(ValueError, match=said):
            transrate(features, labels)


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")


def peak(rows: int, width: int, folder: Path, halves: int, group_size: int = 0) -> int:
    """Return the peak private memory, in bytes, of a process that scores features from disk."""
    rng, path = np.random.default_rng(0), folder / f"{rows}.npy"
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, width))
    for first in range(0, rows, 10_000):
        mapped[first : first + 10_000] = rng.normal(size=(10_000, width))
    mapped.flush()
    command = [sys.executable, "-c", PEAK, str(path), str(halves), str(group_size)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


@LINUX
def test_the_number_of_rows_does_not_bound_memory(tmp_path: Path) -> None:
    few, many = (peak(rows, 128, tmp_path, halves=2) for rows in (10_000, 70_000))
    assert many - few < 60_000 * 128 * 4  # bytes: half a kilobyte per row, the size of the rows in float32


@LINUX
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("group_size", "halves"), [(0, 10), (3, 2), (5000, 2)])
def test_a_hundred_thousand_rows_of_width_768_take_less_memory_than_they_have_on_disk(
    group_size: int, halves: int, tmp_path: Path
) -> None:
    assert peak(100_000, 768, tmp_path, halves, group_size) < 100_000 * 768 * 4


PEAK = """
import sys, threading, time
import numpy as np
from hubscan.scores import transrate
from hubscan.scores.linalg import centered

centered.BLOCK_NUMBERS = 2**18

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) * 1024

features = np.load(sys.argv[1], mmap_mode="r")
highest, done = 0, False
def watch():
    global highest
    while not done:
        highest = max(highest, anonymous())
        time.sleep(0.002)
watcher = threading.Thread(target=watch)
watcher.start()
halves, group_size = int(sys.argv[2]), int(sys.argv[3])
groups = np.arange(len(features)) // group_size if group_size else None
score = transrate(features, np.arange(len(features)) % 5, groups=groups, halves=halves)
assert 0 <= score.accuracy.value <= 1
done = True
watcher.join()
print(highest)
"""

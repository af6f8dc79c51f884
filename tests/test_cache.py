from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hubscan import cache
from hubscan.cli import main
from hubscan.records import Features, Pooling


def made(value: float = 1.0, rows: int = 5) -> Features:
    matrix = np.full((rows, 3), value, dtype=np.float32)
    layers = {str(i): matrix * i for i in range(12)}  # "10" sorts before "2", but does not come before it
    return Features(layers, Pooling("cls", "declared"), 17, "cpu", "float32", "Tokenizer", 12.5, False)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path))
    return tmp_path


def test_features_come_back_as_they_were_kept() -> None:
    name = cache.address({"revision": "abc"})
    assert cache.load(name) is None
    cache.store(name, made())
    found = cache.load(name)
    assert found is not None
    assert np.array_equal(found.matrix, made().matrix) and found.matrix.dtype == np.float32
    assert list(found.layers) == [str(i) for i in range(12)]
    assert all(np.array_equal(found.layers[name], made().layers[name]) for name in found.layers)
    assert (found.pooling, found.parameters, found.rows_per_second) == (Pooling("cls", "declared"), 17, 12.5)


def test_every_fact_decides_the_address_and_their_order_does_not() -> None:
    assert cache.address({"a": 1, "b": None}) == cache.address({"b": None, "a": 1})
    assert (
        len({cache.address({"a": 1}), cache.address({"a": 2}), cache.address({"a": "1"}), cache.address({})})
        == 4
    )


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_file_is_no_features_and_is_gone(damage: str) -> None:
    name = cache.address({})
    cache.store(name, made())
    (file,) = cache.entries()
    content = file.read_bytes()
    file.write_bytes({"cut": content[:-7], "garbage": b"x" * 50, "empty": b""}[damage])
    assert cache.load(name) is None
    assert list(cache.entries()) == []


def test_what_was_read_least_recently_gives_way_first() -> None:
    names = [cache.address({"i": i}) for i in range(4)]
    for age, name in enumerate(names):
        cache.store(name, made(age))
        file = next(f for f in cache.entries() if f.stem == name)
        os.utime(file, (1000 + age, 1000 + age))
    size = next(cache.entries()).stat().st_size
    cache.load(names[0])
    assert cache.prune(2 * size) == 2 * size
    assert [cache.load(name) is not None for name in names] == [True, False, False, True]


def test_a_cache_that_cannot_be_written_does_not_end_a_scan(place: Path) -> None:
    (place / "features").write_text("a file where a folder should be")
    cache.store(cache.address({}), made())
    assert cache.load(cache.address({})) is None


@pytest.mark.parametrize(
    ("keep", "limit"),
    [("0", 0), ("2B", 2), ("500MB", 500_000_000), ("1.5g", 1_500_000_000), ("5G", 5 * 10**9)],
)
def test_what_may_stay_is_a_byte_size(keep: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []

    def prune(budget_bytes: int) -> int:
        limits.append(budget_bytes)
        return 0

    monkeypatch.setattr(cache, "prune", prune)
    done = CliRunner().invoke(main, ["cache", "prune", "--keep", keep])
    assert (done.exit_code, done.stdout, limits) == (0, "0 B freed\n", [limit])


@pytest.mark.parametrize("keep", ["-1", "much", "5X", ""])
def test_what_is_no_byte_size_removes_nothing(keep: str) -> None:
    cache.store(cache.address({}), made())
    done = CliRunner().invoke(main, ["cache", "prune", "--keep", keep])
    said = f"Error: --keep {keep}: not a number of bytes, such as 500MB or 5G\n"
    assert (done.exit_code, done.stderr, len(list(cache.entries()))) == (2, said, 1)

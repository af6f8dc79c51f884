from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from hubscan.cli import main
from hubscan.feature_store import (
    DamagedFeatures,
    LocalStore,
    StoredFeatures,
    address,
    content_digests,
    open_store,
)
from hubscan.records import Features, Pooling

LAYERS = [str(i) for i in range(12)]  # "10" sorts before "2", but does not come before it


def features(rows: list[int], value: float = 1.0, dtype: str = "float32") -> Features:
    """Return features in which row r of layer l is (r + l) · value."""
    layers = {
        name: np.array([[(row + number) * value] * 3 for row in rows], np.float32).reshape(-1, 3)
        for number, name in enumerate(LAYERS)
    }
    return Features(layers, Pooling("cls", "declared"), 17, "cpu", dtype, "Tokenizer", 12.5, False)


def keys(rows: list[int]) -> npt.NDArray[np.int64]:
    return np.array([(row, 0) for row in rows], np.int64).reshape(-1, 2)


def made(rows: list[int], value: float = 1.0, text: str = "row", dtype: str = "float32") -> StoredFeatures:
    contents = content_digests(f"{text} {row}" for row in rows)
    return StoredFeatures(features(rows, value, dtype), keys(rows), contents)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "features")


def test_features_come_back_as_they_were_kept(store: LocalStore) -> None:
    name = address({"revision": "abc"})
    assert store.load(name) is None
    store.save(name, made([3, 1, 2]))
    found = store.load(name)
    assert found is not None
    assert list(found.features.layers) == LAYERS
    for layer, matrix in features([3, 1, 2]).layers.items():
        assert np.array_equal(found.features.layers[layer], matrix) and matrix.dtype == np.float32
    assert replace(found.features, layers={}) == replace(features([]), layers={})
    assert found.keys.tolist() == [[3, 0], [1, 0], [2, 0]]
    assert found.contents.tolist() == content_digests(["row 3", "row 1", "row 2"]).tolist()


def test_every_fact_decides_the_address_and_their_order_does_not() -> None:
    assert address({"a": 1, "b": None}) == address({"b": None, "a": 1})
    assert len({address({"a": 1}), address({"a": 2}), address({"a": "1"}), address({})}) == 4


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "one bit"])
def test_a_damaged_file_is_no_features_and_is_gone(store: LocalStore, damage: str) -> None:
    name = address({})
    store.save(name, made([0, 1]))
    (file,) = store.entries()
    content = file.read_bytes()
    flipped = content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]
    file.write_bytes({"cut": content[:-7], "garbage": b"x" * 50, "empty": b"", "one bit": flipped}[damage])
    with pytest.raises(DamagedFeatures):
        store.load(name)
    assert store.load(name) is None and list(store.entries()) == []


def test_features_of_another_address_are_no_features(store: LocalStore) -> None:
    mine, other = address({"a": 1}), address({"a": 2})
    store.save(other, made([0]))
    (file,) = store.entries()
    place = store.folder / mine[:2] / file.name.replace(other, mine)
    place.parent.mkdir(exist_ok=True)
    file.rename(place)
    with pytest.raises(DamagedFeatures):
        store.load(mine)
    assert not place.exists()


def test_a_file_whose_time_cannot_be_set_is_read_and_stays(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    store.save(address({}), made([0]))
    monkeypatch.setattr(Path, "touch", refuse)
    assert store.load(address({})) is not None and len(list(store.entries())) == 1


def test_what_was_read_least_recently_gives_way_first(store: LocalStore) -> None:
    names = [address({"i": i}) for i in range(4)]
    for age, name in enumerate(names):
        store.save(name, made([age]))
        file = next(f for f in store.entries() if f.stem == name)
        os.utime(file, (1000 + age, 1000 + age))
    size = next(store.entries()).stat().st_size
    store.load(names[0])
    assert store.prune(2 * size) == 2 * size
    assert [store.load(name) is not None for name in names] == [True, False, False, True]


def test_a_store_keeps_to_its_budget(tmp_path: Path) -> None:
    size = 0
    for budget in (10**9, 1):
        store = LocalStore(tmp_path / str(budget), budget)
        store.save(address({}), made([0]))
        size = sum(file.stat().st_size for file in store.entries())
        assert (size > 0) == (budget > 1)


def test_a_store_that_cannot_be_written_does_not_end_a_scan(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("a file where a folder should be")
    store = LocalStore(tmp_path / "features")
    store.save(address({}), made([0]))
    assert store.load(address({})) is None


def test_a_store_is_opened_again_by_its_place_and_is_in_the_cache_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path))
    store = open_store()
    assert store.place == str(tmp_path / "features") and open_store(store.place).place == store.place


ROWS = st.lists(st.integers(0, 9), unique=True, max_size=10)


@given(kept=ROWS, new=ROWS, wanted=ROWS)
def test_rows_of_two_samples_stand_in_one_matrix_each_once_and_the_newer_ones_count(
    kept: list[int], new: list[int], wanted: list[int]
) -> None:
    both = made(kept).with_rows_of(made(new, 100.0))
    assert sorted(both.keys[:, 0].tolist()) == sorted({*kept, *new})
    places = both.places(keys(wanted))
    assert [place < 0 for place in places] == [row not in {*kept, *new} for row in wanted]
    here = [row for row, place in zip(wanted, places, strict=True) if place >= 0]
    found = both.at(places[places >= 0]).layers["2"][:, 0]
    assert found.tolist() == [(row + 2) * (100.0 if row in new else 1.0) for row in here]


def test_a_row_with_another_content_is_not_here() -> None:
    kept = made([4, 5, 6])
    contents = content_digests(["row 4", "changed", "row 6"])
    assert kept.places(keys([4, 5, 6]), contents).tolist() == [0, -1, 2]
    assert kept.places(keys([6, 7])).tolist() == [2, -1]


def test_rows_that_were_computed_otherwise_do_not_stand_in_one_matrix() -> None:
    assert made([1]).extends(made([2], 5.0))
    assert not made([1]).extends(made([2], dtype="bfloat16"))


def test_cache_ls_counts_and_cache_prune_keeps_a_size_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path))
    store = LocalStore(tmp_path / "features")
    store.save(address({}), made([0]))
    size = sum(file.stat().st_size for file in store.entries())
    run = CliRunner().invoke
    assert f"{tmp_path / 'features'}: 1 features, {size / 1000:.1f} kB" in run(main, ["cache", "ls"]).output
    for keep in ("5G", "500MB", "1.5g", str(size)):
        assert run(main, ["cache", "prune", "--keep", keep]).output == "0 B freed\n"
    assert run(main, ["cache", "prune", "--keep", "2B"]).output == f"{size / 1000:.1f} kB freed\n"
    assert list(store.entries()) == []


@pytest.mark.parametrize("keep", ["-1", "much", "5X", ""])
def test_what_is_no_byte_size_removes_nothing(
    keep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path))
    open_store().save(address({}), made([0]))
    done = CliRunner().invoke(main, ["cache", "prune", "--keep", keep])
    said = f"Error: --keep {keep}: not a size such as 500MB or 5G\n"
    assert (done.exit_code, done.stderr) == (2, said)
    assert open_store().load(address({})) is not None

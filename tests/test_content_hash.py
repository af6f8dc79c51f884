"""What pins files on this disk: their content up to a gigabyte, names, lengths and pieces beyond."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubscan.sample.sources import content_hash as module
from hubscan.sample.sources.content_hash import content_hash


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "data").mkdir()
    found = [tmp_path / "data" / name for name in ("large.bin", "small.bin")]
    found[0].write_bytes(bytes(range(256)) * 1200)
    found[1].write_bytes(b"small")
    return found


def changed(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def test_of_little_every_byte_counts_and_no_date_does(files: list[Path]) -> None:
    before = content_hash(files[0].parent, files)
    os.utime(files[0], (1, 1))
    assert content_hash(files[0].parent, files) == before
    changed(files[0], 12_345)
    assert content_hash(files[0].parent, files) != before


def test_of_much_names_lengths_ends_and_pieces_count(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE_BYTES", 131_072)  # a share of 64 KiB, pieces of 4 KiB every 20,207
    root, large, small = files[0].parent, *files
    before = content_hash(root, files)
    os.utime(large, (1, 1))
    assert content_hash(root, files) == before
    for file, place in ((large, 0), (large, 20_300), (large, 307_199), (small, 2)):
        changed(file, place)
        assert content_hash(root, files) != before
        changed(file, place)
    changed(large, 10_000)
    assert content_hash(root, files) == before, "between two pieces: the docstring says so"
    large.write_bytes(large.read_bytes() + b"x")
    assert content_hash(root, files) != before
    renamed = large.rename(root / "other.bin")
    assert content_hash(root, [renamed, small]) != before


def test_a_file_of_many_gigabytes_is_pinned_in_a_moment(tmp_path: Path) -> None:
    file = tmp_path / "sparse.parquet"
    with file.open("wb") as stream:
        stream.truncate(10**12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WHOLE_BYTES", 2**24)
        assert content_hash(file, [file]).startswith("sha256:")

"""Rows that cannot be used: each gives way to another and is counted, or there is one clear line."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.media.images import decode
from hubscan.records import Sample
from hubscan.sample import cells, draw
from tests.hub.large import noise

ROWS = 400
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def texts(folder: Path, spoil: dict[int, Any], **keys: Any) -> Sample:
    values: list[Any] = [f"text {i}" for i in range(ROWS)]
    for row, value in spoil.items():
        values[row] = value
    return _drawn(folder, {"text": values, "label": [i % 2 for i in range(ROWS)]}, **keys)


def pictures(folder: Path, spoil: dict[int, Any], **keys: Any) -> Sample:
    random = np.random.default_rng(0)
    images: list[Any] = [{"bytes": noise(random, 6), "path": None} for _ in range(ROWS)]
    for row, value in spoil.items():
        images[row] = value if isinstance(value, dict) else {"bytes": value, "path": None}
    return _drawn(folder, {"image": pa.array(images, STORED), "label": [i % 2 for i in range(ROWS)]}, **keys)


def _drawn(folder: Path, columns: dict[str, Any], **keys: Any) -> Sample:
    pq.write_table(pa.table(columns), folder / "data.parquet", row_group_size=50)
    return draw(
        recipe.resolve({"dataset": str(folder / "data.parquet"), "samples": 100, **keys}).sample_request
    )


def image(mode: str, form: str, side: int = 8, **how: Any) -> bytes:
    stored = io.BytesIO()
    values = np.full((side, side), 900, np.uint16)
    picture = Image.fromarray(values) if mode == "I;16" else Image.new(mode, (side, side))
    picture.save(stored, form, **how)
    return stored.getvalue()


def animated() -> bytes:
    stored = io.BytesIO()
    frames = [Image.new("P", (8, 8), shade) for shade in (1, 2, 3)]
    frames[0].save(stored, "GIF", save_all=True, append_images=frames[1:])
    return stored.getvalue()


def many_pixels() -> bytes:
    return image("1", "PNG", side=10_001)  # 100 megapixels and a little, 12 kB


GOOD_PICTURES = {
    "one pixel": image("RGB", "PNG", side=1),
    "CMYK": image("CMYK", "TIFF"),
    "animated": animated(),
    "16 bits": image("I;16", "PNG"),
    "palette with alpha": image("P", "PNG", transparency=0),
}


@pytest.mark.parametrize("name", GOOD_PICTURES)
def test_unusual_pictures_are_drawn_and_can_be_decoded(tmp_path: Path, name: str) -> None:
    sample = pictures(tmp_path, dict.fromkeys(range(ROWS), GOOD_PICTURES[name]))
    assert sample.draw.rows == 100 and sample.draw.dropped == {} and sample.draw.duplicates == 99
    assert isinstance(sample.inputs["image"][0], bytes)
    assert decode(sample.inputs["image"][0]).mode == "RGB"


BAD_PICTURES: dict[str, tuple[Any, str]] = {
    "100 megapixels": (many_pixels(), "too many pixels"),
    "truncated": (noise(np.random.default_rng(1), 6)[:-40], "corrupt image"),
    "not an image": (b"GIF or so", "not an image"),
    "no bytes": (b"", "empty input"),
    "null": ({"bytes": None, "path": None}, "empty input"),
    "a path that leads nowhere": ({"bytes": None, "path": "gone.png"}, "image file missing"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_picture_that_cannot_be_used_gives_way_to_another_and_is_counted(tmp_path: Path, name: str) -> None:
    value, reason = BAD_PICTURES[name]
    bad = set(range(0, ROWS, 5))
    sample = pictures(tmp_path, dict.fromkeys(bad, value))
    assert sample.draw.classes == {"0": 50, "1": 50}
    assert list(sample.draw.dropped) == [reason] and 5 < sample.draw.dropped[reason] <= len(bad)
    assert not bad & set(sample.row_ids.tolist())


BAD_TEXTS: dict[str, tuple[Any, str]] = {
    "empty": ("", "empty input"),
    "whitespace": (" \t\n  ", "empty input"),
    "null": (None, "empty input"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_text_that_says_nothing_gives_way_to_another_and_is_counted(tmp_path: Path, name: str) -> None:
    value, reason = BAD_TEXTS[name]
    bad = set(range(0, ROWS, 5))
    sample = texts(tmp_path, dict.fromkeys(bad, value))
    assert sample.draw.classes == {"0": 50, "1": 50} and list(sample.draw.dropped) == [reason]
    assert not bad & set(sample.row_ids.tolist())


def test_what_replaces_a_bad_row_is_what_a_split_without_it_would_have_given(tmp_path: Path) -> None:
    bad = set(range(0, ROWS, 3))
    spoilt = texts(tmp_path, dict.fromkeys(bad, " "))
    missing = _drawn(
        tmp_path,
        {
            "text": [f"text {i}" for i in range(ROWS)],
            "label": [None if i in bad else i % 2 for i in range(ROWS)],
        },
    )
    assert spoilt.inputs == missing.inputs and np.array_equal(spoilt.row_ids, missing.row_ids)


def test_a_class_whose_rows_are_all_bad_is_left_out_and_the_others_fill_the_sample(tmp_path: Path) -> None:
    labels = ["fine", "also fine", "spoilt", "fine"] * (ROWS // 4)
    values = [f"text {i}" if label != "spoilt" else "" for i, label in enumerate(labels)]
    sample = _drawn(tmp_path, {"text": values, "label": labels})
    assert sample.draw.classes == {"also fine": 50, "fine": 50}
    assert sample.draw.dropped == {"empty input": 100}


def test_a_text_of_ten_megabytes_is_cut_and_the_cut_is_said(tmp_path: Path) -> None:
    sample = texts(tmp_path, {7: "word " * 2_000_000}, samples=ROWS)
    longest = sample.inputs["text"][sample.row_ids.tolist().index(7)]
    assert isinstance(longest, str) and len(longest) == cells.MOST_CHARACTERS
    assert sample.draw.rows == ROWS
    assert sample.draw.notes == ("texts of over 500,000 characters were cut there: 1",)


def test_exact_copies_are_counted_and_near_ones_are_not(tmp_path: Path) -> None:
    values = {i: "the same" for i in range(100)} | {
        i: f"nearly the same{' ' * (i - 99)}" for i in range(100, 200)
    }
    sample = texts(tmp_path, values, samples=ROWS)
    assert sample.draw.duplicates == 99 and sample.draw.rows == ROWS


def test_a_text_that_is_no_text_is_counted(tmp_path: Path) -> None:
    offsets, data = np.arange(0, 41, 2, dtype=np.int32), b"ab" * 19 + b"\xff\xfe"
    text = pa.StringArray.from_buffers(20, pa.py_buffer(offsets), pa.py_buffer(data))
    sample = _drawn(tmp_path, {"text": text, "label": [0, 1] * 10})
    assert sample.draw.dropped == {"text is not UTF-8": 1} and sample.draw.rows == 19


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a parquet file"),
        (b"PAR1 but no more PAR1", "corrupt"),
        (b"PAR1" + b"\x00" * 100 + (2**31 - 1).to_bytes(4, "little") + b"PAR1", "corrupt"),
        (b"<html>not found</html>", "not a parquet file"),
    ],
)
def test_a_file_that_is_no_parquet_is_named_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "data.parquet").write_bytes(content)
    with pytest.raises(DatasetError, match=said) as refused:
        draw(recipe.resolve({"dataset": str(tmp_path / "data.parquet")}).sample_request)
    assert "data.parquet" in str(refused.value) and "\n" not in str(refused.value)


def test_a_parquet_with_a_damaged_page_is_named_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "data.parquet"
    pq.write_table(pa.table({"text": [f"t{i}" for i in range(100)], "label": [0, 1] * 50}), file)
    content = bytearray(file.read_bytes())
    content[4:400] = b"\xff" * 396
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"data.parquet: corrupt"):
        draw(recipe.resolve({"dataset": str(file)}).sample_request)


def test_shards_that_differ_in_their_columns_are_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number, name in enumerate(("label", "other")):
        pq.write_table(pa.table({"text": ["a"], name: [1]}), tmp_path / f"data/train-{number}.parquet")
    with pytest.raises(DatasetError, match=r"train-1.parquet: has no column 'label'"):
        draw(recipe.resolve({"dataset": str(tmp_path)}).sample_request)

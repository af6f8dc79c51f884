"""Rows that cannot be used: each gives way to another and is counted, or there is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.media.images import decode
from hubscan.sample import cells, draw
from tests.support.bad_rows import BAD_IMAGES, BAD_TEXTS, ROWS, UNUSUAL_IMAGES, images, sample_of, texts


@pytest.mark.parametrize("name", UNUSUAL_IMAGES)
def test_unusual_images_are_sampled_and_can_be_decoded(tmp_path: Path, name: str) -> None:
    sample = images(tmp_path, dict.fromkeys(range(ROWS), UNUSUAL_IMAGES[name]))
    assert sample.draw.rows == 100 and sample.draw.dropped == {} and sample.draw.duplicates == 99
    assert isinstance(sample.inputs["image"][0], bytes)
    assert decode(sample.inputs["image"][0]).mode == "RGB"


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_an_image_that_cannot_be_used_is_replaced_and_counted(tmp_path: Path, name: str) -> None:
    value, reason = BAD_IMAGES[name]
    bad = set(range(0, ROWS, 5))
    sample = images(tmp_path, dict.fromkeys(bad, value))
    assert sample.draw.classes == {"0": 50, "1": 50}
    assert list(sample.draw.dropped) == [reason] and 5 < sample.draw.dropped[reason] <= len(bad)
    assert not bad & set(sample.row_ids.tolist())


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_blank_text_is_replaced_and_counted(tmp_path: Path, name: str) -> None:
    value, reason = BAD_TEXTS[name]
    bad = set(range(0, ROWS, 5))
    sample = texts(tmp_path, dict.fromkeys(bad, value))
    assert sample.draw.classes == {"0": 50, "1": 50} and list(sample.draw.dropped) == [reason]
    assert not bad & set(sample.row_ids.tolist())


def test_what_replaces_a_bad_row_is_what_a_split_without_it_would_have_given(tmp_path: Path) -> None:
    bad = set(range(0, ROWS, 3))
    spoilt = texts(tmp_path, dict.fromkeys(bad, " "))
    missing = sample_of(
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
    sample = sample_of(tmp_path, {"text": values, "label": labels})
    assert sample.draw.classes == {"also fine": 50, "fine": 50}
    assert sample.draw.dropped == {"empty input": 100}


def test_a_text_of_ten_megabytes_is_cut_and_the_cut_is_said(tmp_path: Path) -> None:
    sample = texts(tmp_path, {7: "word " * 2_000_000}, samples=ROWS)
    longest = sample.inputs["text"][sample.row_ids.tolist().index(7)]
    assert isinstance(longest, str) and len(longest) == cells.MOST_CHARACTERS
    assert sample.draw.rows == ROWS
    assert sample.draw.notes == ("texts truncated to 500,000 characters: 1",)


def test_exact_copies_are_counted_and_near_ones_are_not(tmp_path: Path) -> None:
    values = {i: "the same" for i in range(100)} | {
        i: f"nearly the same{' ' * (i - 99)}" for i in range(100, 200)
    }
    sample = texts(tmp_path, values, samples=ROWS)
    assert sample.draw.duplicates == 99 and sample.draw.rows == ROWS


def test_a_text_that_is_no_text_is_counted(tmp_path: Path) -> None:
    offsets, data = np.arange(0, 41, 2, dtype=np.int32), b"ab" * 19 + b"\xff\xfe"
    text = pa.StringArray.from_buffers(20, pa.py_buffer(offsets), pa.py_buffer(data))
    sample = sample_of(tmp_path, {"text": text, "label": [0, 1] * 10})
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

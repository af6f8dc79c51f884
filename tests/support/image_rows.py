"""Rows with an image of their own each, and the ways in which datasets keep them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hubscan.media.images import decode
from hubscan.records import Sample, SampleRequest
from hubscan.sample import draw

ROWS = 12
NAMES = ("dark", "light")


def image(row: int, kind: str = "PNG") -> bytes:
    """Return an image of its own for each row, whose brightness is that of its class."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200 * (row % 2) + row, 0, 0)).save(file, kind)
    return file.getvalue()


IMAGES = [image(row) for row in range(ROWS)]
LABELS = [NAMES[row % 2] for row in range(ROWS)]


def drawn(place: Path | str, **keys: Any) -> Sample:
    return draw(SampleRequest(str(place), **keys))


def assert_whole(sample: Sample, column: str | None = None) -> None:
    """Check that every row has its own image and label."""
    assert sample.draw.rows == ROWS and not sample.draw.dropped
    names = list(sample.draw.classes)
    assert sorted(names) == list(NAMES)
    found = set()
    for content, label in zip(sample.inputs["image"], sample.labels.tolist(), strict=True):
        assert isinstance(content, bytes)
        red = np.asarray(decode(content))[0, 0, 0]
        assert names[label] == NAMES[int(red >= 200)]
        found.add(int(red))
    assert len(found) == ROWS
    assert column is None or sample.draw.columns["image"] == column


def parquet(place: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), place / "data.parquet")
    return place / "data.parquet"


def photos(place: Path, folder: str = "photos", names: Sequence[str] = ()) -> list[str]:
    """Write the images, and return their paths relative to *place*."""
    names = names or [f"{folder}/{LABELS[row]}_{row:03}.png" for row in range(ROWS)]
    for name, content in zip(names, IMAGES, strict=True):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return list(names)


def table(file: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), file)
    elif file.suffix == ".jsonl":
        file.write_text("\n".join(map(json.dumps, rows)))
    else:
        with file.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, list(rows[0]), delimiter="\t" if file.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return file


def labelled(column: str, values: Sequence[object]) -> list[dict[str, object]]:
    return [{column: value, "label": label} for value, label in zip(values, LABELS, strict=True)]


def packed(file: Path, contents: Mapping[str, bytes | str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file


def by_class(under: str = "") -> dict[str, bytes | str]:
    return {f"{under}{LABELS[row]}/{row}.png": IMAGES[row] for row in range(ROWS)}


METADATA = "file_name,label\n" + "".join(f"{row}.png,{LABELS[row]}\n" for row in range(ROWS))
FLAT: dict[str, bytes | str] = {f"{row}.png": IMAGES[row] for row in range(ROWS)}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 1234\n"

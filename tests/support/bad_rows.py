"""Texts and images that hubscan cannot use, unusual ones that it can, and samples of datasets with them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hubscan import recipe
from hubscan.records import Sample
from hubscan.sample import draw
from tests.hub.large import noise

ROWS = 400
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def texts(folder: Path, spoil: dict[int, Any], **keys: Any) -> Sample:
    """Return a sample of texts in two classes, after replacing the rows named in *spoil*."""
    values: list[Any] = [f"text {i}" for i in range(ROWS)]
    for row, value in spoil.items():
        values[row] = value
    return sample_of(folder, {"text": values, "label": [i % 2 for i in range(ROWS)]}, **keys)


def images(folder: Path, spoil: dict[int, Any], **keys: Any) -> Sample:
    """Return a sample of images in two classes, after replacing the rows named in *spoil*."""
    random = np.random.default_rng(0)
    values: list[Any] = [{"bytes": noise(random, 6), "path": None} for _ in range(ROWS)]
    for row, value in spoil.items():
        values[row] = value if isinstance(value, dict) else {"bytes": value, "path": None}
    return sample_of(
        folder, {"image": pa.array(values, STORED), "label": [i % 2 for i in range(ROWS)]}, **keys
    )


def sample_of(folder: Path, columns: dict[str, Any], **keys: Any) -> Sample:
    """Write *columns* to a parquet file, and return a sample of 100 of its rows."""
    pq.write_table(pa.table(columns), folder / "data.parquet", row_group_size=50)
    return draw(
        recipe.resolve({"dataset": str(folder / "data.parquet"), "samples": 100, **keys}).sample_request
    )


def _image(mode: str, form: str, side: int = 8, **how: Any) -> bytes:
    stored = io.BytesIO()
    shades = np.full((side, side), 900, np.uint16)
    made = Image.fromarray(shades) if mode == "I;16" else Image.new(mode, (side, side))
    made.save(stored, form, **how)
    return stored.getvalue()


def _animated() -> bytes:
    stored = io.BytesIO()
    frames = [Image.new("P", (8, 8), shade) for shade in (1, 2, 3)]
    frames[0].save(stored, "GIF", save_all=True, append_images=frames[1:])
    return stored.getvalue()


def _many_pixels() -> bytes:
    return _image("1", "PNG", side=10_001)  # 100 megapixels and a little, 12 kB


UNUSUAL_IMAGES = {
    "one pixel": _image("RGB", "PNG", side=1),
    "CMYK": _image("CMYK", "TIFF"),
    "animated": _animated(),
    "16 bits": _image("I;16", "PNG"),
    "palette with alpha": _image("P", "PNG", transparency=0),
}

BAD_IMAGES: dict[str, tuple[Any, str]] = {
    "100 megapixels": (_many_pixels(), "too many pixels"),
    "truncated": (noise(np.random.default_rng(1), 6)[:-40], "corrupt image"),
    "not an image": (b"GIF or so", "not an image"),
    "no bytes": (b"", "empty input"),
    "null": ({"bytes": None, "path": None}, "empty input"),
    "a path that leads nowhere": ({"bytes": None, "path": "gone.png"}, "image file missing"),
}

BAD_TEXTS: dict[str, tuple[Any, str]] = {
    "empty": ("", "empty input"),
    "whitespace": (" \t\n  ", "empty input"),
    "null": (None, "empty input"),
}

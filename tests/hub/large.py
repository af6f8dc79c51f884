"""Make large datasets quickly: parquet shards, sorted by label."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

GROUP_ROWS = 100


def text_shards(
    folder: Path, *, shards: int, rows: int, row_bytes: int, classes: int = 2, group_rows: int = GROUP_ROWS
) -> None:
    """Write *shards* files of *rows* incompressible texts, sorted by label."""
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz      ", np.uint8)
    for shard in range(shards):
        content = letters[random.integers(0, 32, rows * row_bytes, np.uint8)]
        offsets = np.arange(rows + 1, dtype=np.int32) * row_bytes
        text = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(content))
        _write(
            folder, shard, shards, {"text": text, "label": _labels(shard, shards, rows, classes)}, group_rows
        )
    _card(folder, [{"name": "text", "dtype": "string"}], classes)


def image_shards(
    folder: Path, *, shards: int, rows: int, side: int, classes: int = 2, group_rows: int = GROUP_ROWS
) -> None:
    """Write *shards* files of *rows* images of noise, *side* pixels wide and high, sorted by label."""
    random = np.random.default_rng(0)
    stored = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for shard in range(shards):
        images = [{"bytes": noise(random, side), "path": None} for _ in range(rows)]
        columns = {"image": pa.array(images, stored), "label": _labels(shard, shards, rows, classes)}
        _write(folder, shard, shards, columns, group_rows)
    _card(folder, [{"name": "image", "dtype": "image"}], classes)


def noise(random: np.random.Generator, side: int) -> bytes:
    """Return an uncompressed PNG of noise, 3 bytes per pixel."""
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8)).save(file, "PNG", compress_level=0)
    return file.getvalue()


def _labels(shard: int, shards: int, rows: int, classes: int) -> pa.Array:
    places = np.arange(shard * rows, (shard + 1) * rows)
    return pa.array(places * classes // (shards * rows), pa.int64())


def _write(folder: Path, shard: int, shards: int, columns: dict[str, pa.Array], group_rows: int) -> None:
    file = folder / f"data/train-{shard:05}-of-{shards:05}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(columns), file, row_group_size=group_rows, compression="none", use_dictionary=["label"]
    )


def _card(folder: Path, inputs: list[dict[str, str]], classes: int) -> None:
    names = {str(number): f"class {number}" for number in range(classes)}
    label = {"name": "label", "dtype": {"class_label": {"names": names}}}
    info = json.dumps({"features": [*inputs, label]})
    (folder / "README.md").write_text(f"---\ndataset_info: {info}\n---\n")

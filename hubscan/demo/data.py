"""Convert labelled rows from packages to parquet files with the layout of the Hub.

Each function returns the front matter for the card: `configs` and `dataset_info`.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hubscan.demo.checkpoint import Facts, the_file

LONGEST_FIELD: Final = 10_000_000  # characters; the default limit of csv is below the longest review


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its values, and its type as written in a card and by `datasets`."""

    name: str
    values: Any  # pyarrow.Array
    card_type: Facts
    feature: Facts


def imdb(source: Path, out: Path) -> Facts:
    """Write the film reviews in the order of the package and of the Hub: all neg, then all pos."""
    csv.field_size_limit(LONGEST_FIELD)
    with the_file(source, "*.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "imdb"]
    labels = [int(row["label"]) for row in rows]
    columns = [
        _texts("text", [row["text"] for row in rows]),
        _classes("label", labels, ["neg", "pos"]),
    ]
    return _write_train(out, columns, config="plain_text", rows_a_group=1000)


def digits(source: Path, out: Path) -> Facts:
    """Write the handwritten digits of scikit-learn as grey PNG files of 8 × 8 pixels."""
    from sklearn.datasets import load_digits

    bundled = load_digits()
    images = [_png((pixels * 255 / 16).round().astype("uint8")) for pixels in bundled.images]
    labels = _classes("label", bundled.target.tolist(), [str(digit) for digit in range(10)])
    return _write_train(out, [_images("image", images), labels], config="default", rows_a_group=100)


def _texts(name: str, values: list[str]) -> Column:
    import pyarrow as pa

    return Column(name, pa.array(values), {"dtype": "string"}, {"dtype": "string", "_type": "Value"})


def _classes(name: str, values: list[int], names: list[str]) -> Column:
    import pyarrow as pa

    in_card = {"dtype": {"class_label": {"names": {str(i): label for i, label in enumerate(names)}}}}
    return Column(name, pa.array(values, pa.int64()), in_card, {"names": names, "_type": "ClassLabel"})


def _images(name: str, files: list[bytes]) -> Column:
    import pyarrow as pa

    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    values = pa.array([{"bytes": file, "path": None} for file in files], kind)
    return Column(name, values, {"dtype": "image"}, {"_type": "Image"})


def _png(pixels: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _write_train(out: Path, columns: list[Column], config: str, rows_a_group: int) -> Facts:
    """Write one parquet file; a reader has to fetch a whole row group to read one row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = "data" if config == "default" else config
    features = {"info": {"features": {column.name: column.feature for column in columns}}}
    table = pa.table({column.name: column.values for column in columns})
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    path = out / folder / "train-00000-of-00001.parquet"
    path.parent.mkdir()
    pq.write_table(table, path, row_group_size=rows_a_group)
    info = {
        "config_name": config,
        "features": [{"name": column.name, **column.card_type} for column in columns],
        "splits": [{"name": "train", "num_bytes": table.nbytes, "num_examples": table.num_rows}],
        "download_size": path.stat().st_size,
        "dataset_size": table.nbytes,
    }
    files = [{"split": "train", "path": f"{folder}/train-*"}]
    return {"dataset_info": info, "configs": [{"config_name": config, "data_files": files}]}

"""Store the left-out predictions of a checkpoint's linear heads in one file, with a column per layer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hubscan.errors import RunError
from hubscan.records import LabelKind, LeftOut, SampleInfo
from hubscan.untrusted import json_of

_RIDGES: Final = b"hubscan.ridges"
_TYPES: Final[Mapping[LabelKind, pa.DataType]] = {
    "class": pa.int32(),
    "token": pa.int32(),
    "number": pa.float64(),
    "multilabel": pa.list_(pa.uint8()),
}


def as_bytes(left_out: Mapping[str, LeftOut], kind: LabelKind) -> bytes:
    """Return the content of the file: predictions for labels of *kind*, and ridge penalties, by layer."""
    columns = {layer: pa.array(found.predicted, _TYPES[kind]) for layer, found in left_out.items()}
    ridges = json.dumps({layer: found.ridge for layer, found in left_out.items()}).encode()
    file = pa.BufferOutputStream()
    table = pa.table(columns).replace_schema_metadata({_RIDGES: ridges})
    pq.write_table(table, file, compression="zstd", write_page_checksum=True)
    return bytes(file.getvalue())


def read(file: BinaryIO, path: Path, draw: SampleInfo) -> dict[str, LeftOut]:
    """Return the predictions, by layer, for the rows of the sample *draw*.

    Args:
        file: opened for reading.
        path: its name for messages.
        draw: the description of the sample.

    Raises:
        RunError: if it does not contain one prediction for each row.
    """
    try:
        return _checked(pq.ParquetFile(file, page_checksum_verification=True), draw)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{path}: damaged ({reason}); remove it, or scan again with --fresh") from error


def _checked(file: pq.ParquetFile, draw: SampleInfo) -> dict[str, LeftOut]:
    if file.metadata.num_rows != draw.rows:
        raise ValueError(f"{file.metadata.num_rows} rows, but the sample has {draw.rows}")
    if any(field.type != _TYPES[draw.label_kind] for field in file.schema_arrow):
        raise ValueError(f"not predictions for labels of kind {draw.label_kind}")
    ridges: Any = json_of((file.schema_arrow.metadata or {})[_RIDGES])
    table = file.read()
    found = {}
    for layer in table.column_names:
        ridge = float(ridges[layer])
        if not 0.0 <= ridge < math.inf:
            raise ValueError(f"the ridge penalty is {ridge}")
        found[layer] = LeftOut(ridge, _predicted(table[layer], draw))
    return found


def _predicted(column: pa.ChunkedArray, draw: SampleInfo) -> Any:
    """Return the predictions of one layer, after checking that every value is possible."""
    values = column.to_pylist()
    numbers = np.asarray(values, np.float64)  # rejects rows of different lengths, and turns null into NaN
    several = draw.label_kind == "multilabel"
    if numbers.shape != ((draw.rows, len(draw.classes)) if several else (draw.rows,)):
        raise ValueError(f"predictions have shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise ValueError("a prediction is not a finite number")
    most = {"class": len(draw.classes) - 1, "token": len(draw.classes) - 1, "multilabel": 1}
    if draw.label_kind != "number" and not ((numbers >= 0) & (numbers <= most[draw.label_kind])).all():
        raise ValueError("a predicted class does not exist")
    return tuple(map(tuple, values)) if several else tuple(values)

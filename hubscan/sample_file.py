"""Write and read a `Sample` as parquet: with inputs for workers, without them for the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from hubscan.records import Input, LabelKind, Sample, SampleInfo

_DRAW = b"hubscan.draw"
_INPUT = "input."
_TYPES: Final[dict[LabelKind, Any]] = {
    "class": np.int64,
    "token": np.int64,
    "number": np.float64,
    "multilabel": np.uint8,
}


def write(sample: Sample, path: Path, *, inputs: bool) -> None:
    """Write row ids, labels, group numbers and the `SampleInfo`, and the inputs if *inputs* is true.

    For token labels there is a row for each word, and the sentence is stored with its first word.
    """
    columns = {"row": pa.array(sample.row_ids), "label": pa.array(sample.labels.tolist(), _type(sample))}
    if sample.places is not None:
        columns |= {"input": pa.array(sample.places[:, 0]), "word": pa.array(sample.places[:, 1])}
    if sample.group_numbers is not None:
        columns["group"] = pa.array(sample.group_numbers)
    if inputs:
        for name, values in sample.inputs.items():
            columns[_INPUT + name] = pa.array(_one_a_row(values, sample))
    described = json.dumps(asdict(sample.draw)).encode()
    table = pa.table(columns).replace_schema_metadata({_DRAW: described})
    pq.write_table(table, path, compression="zstd")


def read(path: Path) -> Sample:
    """Return the sample in *path*, with the inputs that the file has."""
    table = pq.read_table(path)
    draw: SampleInfo = TypeAdapter(SampleInfo).validate_python(json.loads(table.schema.metadata[_DRAW]))
    names = [name for name in table.column_names if name.startswith(_INPUT)]
    labels = np.array(table["label"].to_pylist(), _TYPES[draw.label_kind])
    places = None
    if "word" in table.column_names:
        places = np.stack([table["input"].to_numpy(), table["word"].to_numpy()], axis=1).astype(np.int64)
    has_groups = "group" in table.column_names  # not in files of earlier versions
    return Sample(
        draw=draw,
        inputs={name.removeprefix(_INPUT): _inputs(table[name]) for name in names},
        labels=labels.reshape(table.num_rows, -1) if draw.label_kind == "multilabel" else labels,
        row_ids=table["row"].to_numpy().astype(np.int64),
        places=places,
        group_numbers=table["group"].to_numpy().astype(np.int64) if has_groups else None,
    )


def _type(sample: Sample) -> pa.DataType:
    kind = pa.from_numpy_dtype(_TYPES[sample.draw.label_kind])
    return pa.list_(kind) if sample.draw.label_kind == "multilabel" else kind


def _one_a_row(values: Sequence[Input], sample: Sample) -> list[Input | None]:
    if sample.places is None:
        return list(values)
    first = set(np.unique(sample.places[:, 0], return_index=True)[1].tolist())
    return [values[place] if row in first else None for row, place in enumerate(sample.places[:, 0])]


def _inputs(column: pa.ChunkedArray) -> tuple[Input, ...]:
    found = (value for value in column.to_pylist() if value is not None)
    return tuple(tuple(value) if isinstance(value, list) else value for value in found)

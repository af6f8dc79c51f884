"""A `Sample` in, a parquet file out, and back: with inputs for workers, without for the run folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from hubscan.records import Draw, Sample

_DRAW = b"hubscan.draw"
_INPUT = "input."


def write(sample: Sample, path: Path, *, inputs: bool) -> None:
    """Write row ids, labels and the draw's description, and the inputs too if asked."""
    columns = {"row": pa.array(sample.row_ids), "label": pa.array(sample.labels)}
    if inputs:
        columns |= {_INPUT + name: pa.array(values) for name, values in sample.inputs.items()}
    described = json.dumps(asdict(sample.draw)).encode()
    table = pa.table(columns).replace_schema_metadata({_DRAW: described})
    pq.write_table(table, path, compression="zstd")


def read(path: Path) -> Sample:
    """Return the sample in *path*, with such inputs as the file has."""
    table = pq.read_table(path)
    described = json.loads(table.schema.metadata[_DRAW])
    names = [name for name in table.column_names if name.startswith(_INPUT)]
    return Sample(
        draw=TypeAdapter(Draw).validate_python(described),
        inputs={name.removeprefix(_INPUT): tuple(table[name].to_pylist()) for name in names},
        labels=table["label"].to_numpy().astype(np.int64),
        row_ids=table["row"].to_numpy().astype(np.int64),
    )

"""Write and read a `Sample` as parquet: with inputs for workers, without them for the run folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from hubscan.records import Input, LabelKind, Sample, SampleInfo
from hubscan.untrusted import json_of

MOST_DESCRIBED: Final = 2**26  # bytes; 300,000 class names take 10 MB
MOST_LISTED: Final = 2**28  # values of all lists of labels
PART_BYTES: Final = 2**26  # of inputs that are written at once
_DRAW = b"hubscan.draw"
_INPUT = "input."
_TYPES: Final[dict[LabelKind, Any]] = {
    "class": np.int64,
    "token": np.int64,
    "number": np.float64,
    "multilabel": np.uint8,
}


class Damaged(ValueError):
    """A file is not a sample; the message is a reason of one line, without the file's name."""


def as_bytes(sample: Sample, *, inputs: bool) -> bytes:
    """Return the content of the file that `write` writes."""
    file = pa.BufferOutputStream()
    write(sample, file, inputs=inputs)
    return bytes(file.getvalue())


def write(sample: Sample, path: Path | pa.NativeFile, *, inputs: bool) -> None:
    """Write row ids, labels, group numbers and the `SampleInfo`, and the inputs if *inputs* is true.

    For token labels there is a row for each word, and the sentence is stored with its first word.
    """
    columns = {"row": pa.array(sample.row_ids), "label": pa.array(sample.labels.tolist(), _type(sample))}
    if sample.places is not None:
        columns |= {"input": pa.array(sample.places[:, 0]), "word": pa.array(sample.places[:, 1])}
    if sample.group_numbers is not None:
        columns["group"] = pa.array(sample.group_numbers)
    plain = pa.table(columns)
    given = {_INPUT + name: _one_a_row(values, sample) for name, values in sample.inputs.items() if inputs}
    types = {name: pa.array(values[:1]).type for name, values in given.items()}
    schema = pa.schema([*plain.schema, *types.items()], {_DRAW: json.dumps(asdict(sample.draw)).encode()})
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as file:
        for begin, end in _parts(list(given.values()), len(sample.labels)):
            part = plain.slice(begin, end - begin)
            for name, values in given.items():
                part = part.append_column(name, pa.array(values[begin:end], types[name]))
            file.write_table(part.replace_schema_metadata(schema.metadata))


def _parts(columns: Sequence[Sequence[Input | None]], rows: int) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of parts of *rows* rows, so that only one is copied at a time."""
    begin, held = 0, 0
    for row in range(rows):
        held += sum(_size(values[row]) for values in columns)
        if held > PART_BYTES:
            yield begin, row + 1
            begin, held = row + 1, 0
    if begin < rows or not rows:
        yield begin, rows


def _size(value: Input | None) -> int:
    return sum(map(len, value)) if isinstance(value, tuple) else len(value or "")


def read(file: Path | BinaryIO, *, rows: int | None = None) -> Sample:
    """Return the sample in *file*, with the inputs that the file has.

    With *rows*, the file must have as many, which is checked before they are read.

    Raises:
        Damaged: if it is not a sample, or not a consistent one.
        OSError: if it cannot be read.
    """
    try:
        opened = pq.ParquetFile(file, page_checksum_verification=True)
        _refuse_other_size(opened.metadata, rows)
        return _checked(_sample(opened))
    except (Damaged, FileNotFoundError):
        raise
    except (OSError, ValueError, LookupError, TypeError, RecursionError, pa.ArrowException) as error:
        raise Damaged(" ".join(str(error).split())[:200] or type(error).__name__) from error


def _sample(file: pq.ParquetFile) -> Sample:
    names = [name for name in file.schema_arrow.names if name.startswith(_INPUT)]
    inputs: dict[Any, list[Input]] = {name: [] for name in names}
    parts = [file.schema_arrow.empty_table().drop_columns(names)]
    for group in range(file.num_row_groups):  # so that only one part is in memory twice
        part = file.read_row_group(group)
        for name in names:
            inputs[name] += _inputs(part[name])
        parts.append(part.drop_columns(names))
    table = pa.concat_tables(parts)
    described = json_of(table.schema.metadata[_DRAW], most_bytes=MOST_DESCRIBED)
    draw: SampleInfo = TypeAdapter(SampleInfo).validate_python(described)
    labels = np.array(table["label"].to_pylist(), _TYPES[draw.label_kind])
    places = None
    if "word" in table.column_names:
        places = np.stack([_integers(table["input"]), _integers(table["word"])], axis=1)
    has_groups = "group" in table.column_names  # not in files of earlier versions
    return Sample(
        draw=draw,
        inputs={name.removeprefix(_INPUT): tuple(values) for name, values in inputs.items()},
        labels=labels.reshape(table.num_rows, -1) if draw.label_kind == "multilabel" else labels,
        row_ids=_integers(table["row"]),
        places=places,
        group_numbers=_integers(table["group"]) if has_groups else None,
    )


def _refuse_other_size(metadata: Any, rows: int | None) -> None:
    """Refuse a small file that claims to contain more rows, or longer lists, than belong to it."""
    if rows is not None and metadata.num_rows != rows:
        raise Damaged(f"it has {metadata.num_rows:,} rows instead of {rows:,}")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    values = sum(group.column(place).num_values for group in groups for place in range(group.num_columns))
    if values > MOST_LISTED:
        raise Damaged(f"it has more than {MOST_LISTED:,} values")


def _checked(sample: Sample) -> Sample:
    """Refuse numbers that no sample has: labels of no class, places of no row."""
    labels, classes = sample.labels, len(sample.draw.classes)
    if sample.draw.label_kind == "number":
        fine = labels.ndim == 1 and bool(np.isfinite(labels).all())
    elif sample.draw.label_kind == "multilabel":
        fine = labels.shape[1] == classes and bool((labels <= 1).all())
    else:
        fine = labels.ndim == 1 and bool(((labels >= 0) & (labels < classes)).all())
    places = sample.row_ids if sample.places is None else sample.places
    if not fine or len(labels) != sample.draw.rows or bool((places < 0).any()):
        raise Damaged("its rows do not fit its description")
    return sample


def _integers(column: pa.ChunkedArray) -> Any:
    if column.null_count or not pa.types.is_integer(column.type):
        raise Damaged("a number is missing")
    return column.to_numpy().astype(np.int64)


def _type(sample: Sample) -> pa.DataType:
    kind = pa.from_numpy_dtype(_TYPES[sample.draw.label_kind])
    return pa.list_(kind) if sample.draw.label_kind == "multilabel" else kind


def _one_a_row(values: Sequence[Input], sample: Sample) -> list[Input | None]:
    if sample.places is None:
        return list(values)
    first = set(np.unique(sample.places[:, 0], return_index=True)[1].tolist())
    return [values[place] if row in first else None for row, place in enumerate(sample.places[:, 0])]


def _inputs(column: pa.ChunkedArray) -> Iterator[Input]:
    found = (value for value in column.to_pylist() if value is not None)
    return (tuple(value) if isinstance(value, list) else value for value in found)

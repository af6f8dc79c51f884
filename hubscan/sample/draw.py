"""A recipe in, the drawn `Sample` out: one pass over the stream, never more than the sample in memory."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import datasets
import fsspec
import numpy as np
import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.hub import counted
from hubscan.pictures import PictureError, decode
from hubscan.recipe import TASKS
from hubscan.records import Draw, Input, Modality, Sample
from hubscan.sample.columns import Columns, find, modality_of
from hubscan.sample.keys import row_keys
from hubscan.sample.reservoir import Reservoir
from hubscan.sample.source import Source, open_split

if TYPE_CHECKING:
    from hubscan.recipe import Recipe

BATCH_ROWS = 1000
UNLABELLED = -1  # what a ClassLabel column holds where the label was withheld


def draw(recipe: Recipe) -> Sample:
    """Return the sample that *recipe* asks for: equal shares of the classes, uniform within each.

    The same recipe and commit give the same rows, in the order of the split. Rows without a label
    and empty texts are passed over, pictures that cannot be decoded are taken out; each is counted
    by its reason in `Draw.dropped`.

    Raises:
        HubError: if the Hub cannot be reached.
        DatasetError: if the dataset, split or columns do not give rows of at least two classes.
    """
    # A server that truncates for ever would otherwise hold a scan for nine minutes.
    datasets.config.STREAMING_READ_MAX_RETRIES = 5
    with counted() as traffic:
        source = open_split(recipe)
        modality = TASKS[recipe.task] if recipe.task else modality_of(source.rows)
        asked = recipe.input_columns[0] if recipe.input_columns else None
        columns = find(source.rows, modality, asked, recipe.label_column)
        sample = _collected(recipe, source, columns, modality)
    return replace(sample, draw=replace(sample.draw, bytes_read=traffic.bytes_read))


def _collected(recipe: Recipe, source: Source, columns: Columns, modality: Modality) -> Sample:
    reservoir = Reservoir[Any](recipe.samples)
    dropped: Counter[str] = Counter()
    seen = 0
    # Decoding is ours: a corrupt picture would end the stream.
    rows = source.rows.decode(False) if modality == "image" else source.rows
    stream = rows.select_columns([columns.input, columns.label]).with_format("arrow")
    for table in stream.iter(batch_size=BATCH_ROWS):
        _keep(table, columns, row_keys(recipe.seed, seen, table.num_rows), seen, reservoir, dropped)
        seen += table.num_rows
        if len(reservoir.labels) > recipe.samples // 2:
            raise DatasetError(
                f"{source.dataset}, column {columns.label!r}: over {recipe.samples // 2} different values; "
                "is it a class? pass another --label-column, or draw at least two rows a class with --samples"
            )
    kept = list(_readable(reservoir, modality, dropped))
    return _sample(recipe, source, columns, modality, kept, seen, dropped)


def _keep(
    table: pa.Table,
    columns: Columns,
    keys: np.ndarray[Any, np.dtype[np.uint64]],
    first: int,
    reservoir: Reservoir[Any],
    dropped: Counter[str],
) -> None:
    """Offer the rows of one batch; only what is kept is made into Python objects."""
    inputs = table.column(columns.input)
    for place, (label, key) in enumerate(
        zip(table.column(columns.label).to_pylist(), keys.tolist(), strict=True)
    ):
        if label is None or (columns.class_names and label == UNLABELLED):
            dropped["missing label"] += 1
        elif reservoir.takes(label, key):
            value = inputs[place].as_py()
            if value is None or (isinstance(value, str) and not value.strip()):
                dropped["empty input"] += 1
            else:
                reservoir.add(label, key, first + place, value)


def _readable(
    reservoir: Reservoir[Any], modality: Modality, dropped: Counter[str]
) -> Iterator[tuple[object, int, Input]]:
    for label, row, value in reservoir:
        if modality == "text":
            yield label, row, value
            continue
        try:
            content = _content(value)
            decode(content)
        except PictureError as reason:
            dropped[str(reason)] += 1
        else:
            yield label, row, content


def _content(value: Mapping[str, Any]) -> bytes:
    """Return the bytes of an image cell: they lie in it, or in a file that it names."""
    if value["bytes"] is not None:
        return bytes(value["bytes"])
    try:
        with fsspec.open(value["path"], "rb") as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        raise PictureError("image file missing") from error


def _sample(
    recipe: Recipe,
    source: Source,
    columns: Columns,
    modality: Modality,
    kept: list[tuple[object, int, Input]],
    seen: int,
    dropped: Counter[str],
) -> Sample:
    values = _ordered_classes({label for label, _, _ in kept}, columns, source, dropped)
    number = {value: i for i, value in enumerate(values)}
    labels = np.array([number[label] for label, _, _ in kept], dtype=np.int64)
    row_ids = np.array([row for _, row, _ in kept], dtype=np.int64)
    inputs = tuple(value for _, _, value in kept)
    names = [_class_name(value, columns) for value in values]
    description = Draw(
        dataset=source.dataset,
        revision=source.revision,
        config=source.config,
        split=source.split,
        columns={modality: columns.input, "label": columns.label},
        label_kind="class",
        classes=dict(zip(names, np.bincount(labels).tolist(), strict=True)),
        rows=len(kept),
        seed=recipe.seed,
        rows_seen=seen,
        dropped=dict(dropped),
        bytes_read=0,
        fingerprint="",
    )
    fingerprint = _fingerprint(description, row_ids, labels, inputs)
    return Sample(replace(description, fingerprint=fingerprint), {modality: inputs}, labels, row_ids)


def _ordered_classes(found: set[Any], columns: Columns, source: Source, dropped: Counter[str]) -> list[Any]:
    where = f"{source.dataset}, split {source.split!r}, column {columns.label!r}"
    if not found:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in dropped.items()) or "no rows"
        raise DatasetError(f"{where}: no labelled row ({reasons}); try another --split or --label-column")
    if len(found) == 1:
        only = _class_name(next(iter(found)), columns)
        raise DatasetError(
            f"{where}: one class only ({only}), so there is nothing to tell apart; "
            "try another --split or --label-column"
        )
    return sorted(found)


def _class_name(value: Any, columns: Columns) -> str:
    return columns.class_names[value] if columns.class_names else str(value)


def _fingerprint(
    description: Draw,
    row_ids: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    inputs: tuple[Input, ...],
) -> str:
    """Hash what was drawn and what it was drawn from, down to the bytes of the inputs."""
    # Where a local file lies does not change its rows; its revision is a hash over its content.
    aside = {"bytes_read", "fingerprint"} | ({"dataset"} if description.local else set())
    origin = {k: v for k, v in asdict(description).items() if k not in aside}
    digest = hashlib.sha256(json.dumps(origin, sort_keys=True).encode())
    digest.update(row_ids.tobytes() + labels.tobytes())
    for value in inputs:
        content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()

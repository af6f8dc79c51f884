"""Build the `Sample`, its description and its fingerprint from the rows that were drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hubscan.errors import DatasetError
from hubscan.records import Input, Sample, SampleInfo, SampleRequest
from hubscan.records.sample import content
from hubscan.sample.cells import POINTER
from hubscan.sample.columns import Columns
from hubscan.sample.groups import Numbers, linked, numbered
from hubscan.sample.label_codes import Coder
from hubscan.sample.select.drawn_rows import DrawnRows, Pick
from hubscan.sample.sources.source import Source

HOW_NOT_WHAT = {
    *("bytes_read", "requests", "groups", "groups_read", "block_rows", "notes", "fingerprint"),
    "group_count",  # the group numbers themselves are hashed
    "split_shares",
}
MOST_SHARES: Final = 10_000  # with more classes, their shares of the split are not kept


def assemble(
    request: SampleRequest, source: Source, columns: Columns, coder: Coder, drawn: DrawnRows
) -> Sample:
    """Return the sample of the rows in *drawn*.

    Raises:
        DatasetError: if no rows were drawn, their labels are all the same, or they are all one group.
    """
    where = f"{source.dataset}, split {source.split!r}, column {', '.join(columns.labels)!r}"
    dropped = dict(coder.dropped + drawn.dropped)
    if not drawn.picks:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in dropped.items()) or "no rows"
        if dropped.get(POINTER):
            raise DatasetError(f"{where}: no usable labelled row ({reasons}); run git lfs pull in its folder")
        raise DatasetError(
            f"{where}: no usable labelled row ({reasons}); try another --split or --label-column"
        )
    labels, classes = _labels(drawn.picks, columns, coder)
    _refuse_same_labels(labels, classes, columns, where)
    rows = {pick.drawn.row: pick.drawn for pick in drawn.picks}
    inputs = {modality: tuple(row.inputs[modality] for row in rows.values()) for modality in columns.inputs}
    copies = numbered(map(_digest, zip(*inputs.values(), strict=True)))
    row_ids = np.array([pick.drawn.row for pick in drawn.picks], np.int64)
    of_input = numbered(row_ids.tolist())  # inputs are in the order in which the picks first use them
    of_column = None if columns.group is None else _groups_of_column(drawn.picks)
    group_numbers = linked(*(key for key in (copies[of_input], of_column) if key is not None))
    _refuse_one_group(group_numbers, columns)
    description = SampleInfo(
        dataset=source.dataset,
        revision=source.revision,
        config=source.config,
        split=source.split,
        columns=columns.roles(),
        label_kind=columns.kind,
        classes=classes,
        rows=len(row_ids),
        seed=request.seed,
        rows_seen=drawn.rows_seen,
        dropped=dropped,
        bytes_read=0,
        fingerprint="",
        duplicates=len(copies) - len(np.unique(copies)),
        groups=drawn.groups,
        groups_read=drawn.groups_read,
        block_rows=drawn.block_rows,
        notes=drawn.notes,
        split_shares=_split_shares(coder, drawn),
        group_count=None if of_column is None else len(np.unique(of_column)),
    )
    words = np.array([pick.word for pick in drawn.picks], np.int64)
    places = np.stack([of_input, words], axis=1) if columns.kind == "token" else None
    sample = Sample(description, inputs, labels, row_ids, places, group_numbers)
    return replace(sample, draw=replace(description, fingerprint=_fingerprint(sample, of_column)))


def _groups_of_column(picks: Sequence[Pick]) -> Numbers:
    """Return the number (n,) of the group-column value of each pick.

    A row without a value is its own group.
    """
    rows = (pick.drawn for pick in picks)
    return numbered(("row", row.row) if row.group is None else ("value", row.group) for row in rows)


def _labels(picks: Sequence[Pick], columns: Columns, coder: Coder) -> tuple[npt.NDArray[Any], dict[str, int]]:
    """Return the labels in the form of `Sample.labels`, and the number of rows of each class by name."""
    if columns.kind == "number":
        return np.array([pick.drawn.label.number for pick in picks], np.float64), {}
    token = columns.kind == "token"
    rows = [(pick.tag,) if token else pick.drawn.label.codes for pick in picks]
    counts = np.bincount([code for codes in rows for code in codes], minlength=len(coder.values))
    order = [code for code in coder.order() if counts[code]]
    number = {code: place for place, code in enumerate(order)}
    names = coder.names()
    classes = {names[code]: int(counts[code]) for code in order}
    if columns.kind != "multilabel":
        return np.array([number[codes[0]] for codes in rows], np.int64), classes
    matrix = np.zeros((len(rows), len(order)), np.uint8)
    for row, codes in enumerate(rows):
        matrix[row, [number[code] for code in codes]] = 1
    return matrix, classes


def _split_shares(coder: Coder, drawn: DrawnRows) -> dict[str, float] | None:
    """Return the share of each class among the labelled rows or words of the split.

    With several labels per row, it is the share of rows that have the label. None if the labels are
    numbers, if there are over 10,000 classes, or if not every row was seen.
    """
    kind, names = coder.columns.kind, coder.names()
    if kind == "number" or not drawn.all_seen or len(names) > MOST_SHARES:
        return None
    # A row may have several labels or an empty list of them; it counts unless its label is missing.
    several = kind == "multilabel"
    labelled = drawn.rows_seen - coder.dropped.total() if several else int(coder.counts.sum())
    return {names[code]: int(coder.counts[code]) / labelled for code in coder.order()}


def _refuse_same_labels(
    labels: npt.NDArray[Any], classes: dict[str, int], columns: Columns, where: str
) -> None:
    """Refuse labels that are all the same."""
    if columns.kind == "number":
        same = f"one number only ({labels[0]:g})" if len(np.unique(labels)) < 2 else None
    elif columns.kind == "multilabel":
        varied = ((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any()
        same = None if varied else f"all rows have the same labels ({', '.join(classes) or 'none'})"
    else:
        same = f"one class only ({next(iter(classes), 'none')})" if len(classes) < 2 else None
    if same:
        raise DatasetError(
            f"{where}: {same}, so there is nothing to predict; try another --split or --label-column"
        )


def _digest(inputs: Iterable[Input]) -> bytes:
    return hashlib.sha256(b"".join(map(content, inputs))).digest()


def _refuse_one_group(group_numbers: Numbers | None, columns: Columns) -> None:
    """Refuse a group column that puts all rows into one group."""
    if columns.group is not None and group_numbers is not None and not group_numbers.any():
        raise DatasetError(
            f"--group-column {columns.group}: all sampled rows belong to one group, so none can be left "
            "for evaluation; name another column, or leave it out"
        )


def _fingerprint(sample: Sample, of_column: Numbers | None) -> str:
    """Return a hash of the rows and their origin, including the bytes of the inputs and the groups."""
    # The path of a local file does not change its rows; its revision is a hash of its content.
    aside = HOW_NOT_WHAT | ({"dataset"} if sample.draw.local else set())
    origin = {k: v for k, v in asdict(sample.draw).items() if k not in aside}
    digest = hashlib.sha256(json.dumps(origin, sort_keys=True).encode())
    digest.update(sample.row_ids.tobytes() + np.ascontiguousarray(sample.labels).tobytes())
    if sample.places is not None:
        digest.update(sample.places.tobytes())
    if of_column is not None:
        digest.update(of_column.tobytes())
    for values in sample.inputs.values():
        for value in values:
            digest.update(content(value))
    return digest.hexdigest()

"""Random tables, written by pandas and Arrow in every format, come back as they are, or with an error."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.records import Sample
from hubscan.sample import draw

Row = tuple[Any, Any]  # a text and a label
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
LABELS = st.sampled_from(
    [
        ("a", "b"),
        ("", "x", " y"),
        ("None", "nan", "NA", "null"),
        ("1", "2", "1.0"),
        (0, 1),
        (-3, 7, 2**40),
        (True, False),
        ("ä", "\u2028", "#"),
    ]
)
TEXT_TYPES = st.sampled_from(
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
LABEL_TYPES = st.sampled_from(["plain", "dictionary", "view"])
PANDAS_DTYPES = st.sampled_from(["as they are", "category", "nullable", "pyarrow"])


@st.composite
def tables(draw: Any) -> list[Row]:
    """Rows whose texts are unlike each other, with nulls here and there."""
    classes = draw(LABELS)
    words = draw(st.lists(st.one_of(st.none(), WORDS), min_size=6, max_size=40))
    texts = [
        None if word is None else word if word.strip() == "" else f"{word}{i}" for i, word in enumerate(words)
    ]
    labels = draw(st.lists(st.one_of(st.none(), *[st.just(one) for one in classes] * 3), min_size=len(texts), max_size=len(texts)))  # fmt: skip
    return list(zip(texts, labels, strict=True))


def expected(rows: list[Row]) -> list[tuple[int, str, str]]:
    """Return what a sample of all usable rows has: the number, text and class of each."""
    return [
        (number, text, str(label))
        for number, (text, label) in enumerate(rows)
        if text is not None and text.strip() and label is not None and str(label).strip()
    ]


def found(path: Path) -> list[tuple[int, str, str]]:
    sample: Sample = draw(
        recipe.resolve(
            {"dataset": str(path), "samples": 200, "input_columns": ("text",), "label_columns": ("label",), "label_kind": "class"}
        ).sample_request
    )  # fmt: skip
    names = list(sample.draw.classes)
    labels = [names[code] for code in sample.labels]
    order = np.argsort(sample.row_ids)
    return [(int(sample.row_ids[at]), str(sample.inputs["text"][at]), labels[at]) for at in order]


def agrees(path: Path, rows: list[Row]) -> None:
    try:
        there = found(path)
    except DatasetError as error:
        assert "\n" not in str(error)
        wanted = expected(rows)
        classes = {label for _, _, label in wanted}
        empty = {kind for kind in ("text", "label") if all(row[kind == "label"] is None for row in rows)}
        few = len(classes) < 2 or len(classes) > 0.9 * len(wanted)
        assert few or empty or "not JSON" in str(error) or "either may be" in str(error), error
    else:
        assert there == expected(rows)


def column(values: list[Any], form: str) -> pa.Array:
    found = pa.array(values)
    if form == "dictionary" and not pa.types.is_null(found.type):
        return found.dictionary_encode()
    return found.cast(pa.string_view()) if form == "view" and pa.types.is_string(found.type) else found


def arrow(rows: list[Row], kind: pa.DataType, form: str) -> pa.Table:
    text = pa.array([text for text, _ in rows], pa.string()).cast(kind)
    beside = pa.array([None if i % 3 else {"n": [i]} for i in range(len(rows))])
    return pa.table({"beside": beside, "text": text, "label": column([label for _, label in rows], form)})


@SETTINGS
@given(
    rows=tables(),
    kind=TEXT_TYPES,
    form=LABEL_TYPES,
    group=st.integers(1, 50),
    version=st.sampled_from(["1.0", "2.4", "2.6"]),
    page=st.sampled_from(["1.0", "2.0"]),
    compression=st.sampled_from(["none", "snappy", "gzip", "zstd", "lz4", "brotli"]),
    dictionary=st.booleans(),
    schema=st.booleans(),
)
def test_what_arrow_writes_as_parquet_comes_back(
    rows: list[Row], kind: pa.DataType, form: str, group: int, version: Any, page: Any, compression: Any,
    dictionary: bool, schema: bool,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(
            arrow(rows, kind, form),
            f"{folder}/data.parquet",
            row_group_size=group,
            version=version,
            data_page_version=page,
            compression=compression,
            use_dictionary=dictionary,
            store_schema=schema,
        )
        agrees(Path(folder) / "data.parquet", rows)


@SETTINGS
@given(
    rows=tables(),
    kind=TEXT_TYPES,
    form=LABEL_TYPES,
    chunk=st.integers(1, 50),
    stream=st.booleans(),
    compression=st.sampled_from([None, "lz4", "zstd"]),
    parts=st.integers(1, 3),
)
def test_what_arrow_writes_as_ipc_comes_back(
    rows: list[Row], kind: pa.DataType, form: str, chunk: int, stream: bool, compression: Any, parts: int
) -> None:
    options = pa.ipc.IpcWriteOptions(compression=compression, unify_dictionaries=not stream)
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    table = arrow(rows, kind, form)
    size = -(-len(rows) // parts)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(parts):
            with make(f"{folder}/train-{number}.arrow", table.schema, options=options) as writer:
                writer.write_table(table.slice(number * size, size), max_chunksize=chunk)
        agrees(Path(folder) / "train-0.arrow" if parts == 1 else Path(folder), rows)


def frame(rows: list[Row], dtype: str) -> pd.DataFrame:
    made = pd.DataFrame(
        {"text": [text for text, _ in rows], "label": pd.Series([label for _, label in rows], dtype=object)}
    )
    if dtype == "category":
        return made.astype("category")
    if dtype in ("nullable", "pyarrow"):
        return made.convert_dtypes(dtype_backend="numpy_nullable" if dtype == "nullable" else "pyarrow")
    return made


@SETTINGS
@given(rows=tables(), dtype=PANDAS_DTYPES, feather=st.booleans())
def test_what_pandas_writes_as_a_table_comes_back(rows: list[Row], dtype: str, feather: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if feather:
            frame(rows, dtype).to_feather(f"{folder}/data.feather")
        else:
            frame(rows, dtype).to_parquet(f"{folder}/data.parquet")
        agrees(next(Path(folder).iterdir()), rows)


@SETTINGS
@given(
    rows=tables(),
    dtype=PANDAS_DTYPES,
    orient=st.sampled_from(["records", "lines", "columns", "index", "split", "table"]),
    indent=st.sampled_from([0, 2]),
    ascii_only=st.booleans(),
    name=st.sampled_from(["data.json", "data.jsonl", "data.ndjson", "data.json.gz"]),
)
def test_what_pandas_writes_as_json_comes_back(
    rows: list[Row], dtype: str, orient: Any, indent: int, ascii_only: bool, name: str
) -> None:
    lines: dict[str, Any] = (
        {"orient": "records", "lines": True} if orient == "lines" else {"orient": orient, "indent": indent}
    )
    with tempfile.TemporaryDirectory() as folder:
        frame(rows, dtype).to_json(f"{folder}/{name}", force_ascii=ascii_only, **lines)
        agrees(Path(folder) / name, rows)


@SETTINGS
@given(
    rows=tables(),
    form=st.sampled_from(["lines", "list", "columns", "under a key"]),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    missing=st.booleans(),
)
def test_what_python_writes_as_json_comes_back(
    rows: list[Row], form: str, indent: int | None, ascii_only: bool, end: str, missing: bool
) -> None:
    made = [{"text": text, "n": [i, {"x": text}], "label": label} for i, (text, label) in enumerate(rows)]
    if missing and form != "columns":
        made = [{key: value for key, value in row.items() if value is not None} for row in made]
    document: Any = {
        "list": made,
        "under a key": {"rows": made},
        "columns": {key: [row.get(key) for row in made] for key in ("text", "n", "label")},
    }.get(form)
    options: dict[str, Any] = {"ensure_ascii": ascii_only}
    content = (
        end.join(json.dumps(row, **options) for row in made)
        if form == "lines"
        else json.dumps(document, indent=indent, **options)
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data.json").write_bytes(content.encode())
        agrees(Path(folder) / "data.json", rows)

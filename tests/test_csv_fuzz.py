"""Random tables written by pandas, pyarrow and the csv module come back the same, or with an error."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from hubscan.errors import DatasetError
from hubscan.sample.sources.delimited.dialect import Dialect
from hubscan.sample.sources.delimited.file import Declared
from hubscan.sample.sources.delimited.records import Records
from hubscan.sample.sources.delimited.stream import DelimitedStream
from hubscan.sample.sources.files import open_file

FUZZ = settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
LETTERS = "ab \"',;\t|\n\\éü\u2028\u3042\U0001f600#"
WORDS = ["NA", "null", "None", "nan", "N/A", "1", "007", "0.5", "True", " a", "a ", '"', '""', "a, b", "a\tb"]
PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}

texts = st.one_of(st.text(LETTERS, max_size=12), st.sampled_from(WORDS))
labels = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6)), min_size=1),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=1),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1),
    st.lists(st.sampled_from([None, "Mild", "None", "NA", "null", "007", "7", "a b", "a;b"]), min_size=1),
)


@dataclass(frozen=True)
class Written:
    """How a table is written."""

    writer: str
    separator: str
    quoting: str
    ending: str
    mark: bool
    packed: str
    named: bool  # whether --separator is passed
    doubled: bool  # whether a quote is written twice; else behind a backslash
    suffix: str


dialects = st.builds(
    Written,
    st.sampled_from(["csv", "pandas", "pyarrow"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["QUOTE_MINIMAL", "QUOTE_ALL", "QUOTE_NONNUMERIC", "QUOTE_NONE"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.sampled_from(list(PACKED)),
    st.booleans(),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([".csv", ".csv", ".tsv"]),
)


def written(rows: list[tuple[Any, Any]], how: Written) -> bytes:
    """Return a file with *rows*; raise if the writer cannot write them so."""
    options: dict[str, Any] = {
        "quoting": getattr(csv, how.quoting),
        "lineterminator": how.ending,
        "doublequote": how.doubled,
        "escapechar": None if how.doubled else "\\",
    }
    if how.writer == "csv":
        opened = io.StringIO(newline="")
        writer = csv.writer(opened, delimiter=how.separator, **options)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
        text = opened.getvalue()
    else:
        columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        table = pa.table({name: pa.array(column) for name, column in columns.items()})
        if how.writer == "pyarrow":
            sink = io.BytesIO()
            style = {"QUOTE_ALL": "all_valid", "QUOTE_NONE": "none"}.get(how.quoting, "needed")
            form = pyarrow.csv.WriteOptions(delimiter=how.separator, quoting_style=style)
            pyarrow.csv.write_csv(table, sink, form)
            text = sink.getvalue().decode()
        else:
            frame = table.to_pandas(
                types_mapper={pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
            )
            text = frame.to_csv(index=False, sep=how.separator, **options)
    return PACKED[how.packed](text.encode("utf-8-sig" if how.mark else "utf-8"))


def read(content: bytes, how: Written) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
    """Return the rows of a file, and the notes about it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"table{how.suffix}{how.packed}"
        file.write_bytes(content)
        stream = DelimitedStream(
            [open_file(str(file))], "table", Declared(how.separator if how.named else None)
        )
        if set(stream.features) != {"text", "label"}:
            raise DatasetError("these are not the columns")
        found = pa.concat_tables(stream.tables(["text", "label"]), promote_options="permissive")
        return list(zip(found["text"].to_pylist(), found["label"].to_pylist(), strict=True)), tuple(
            stream.notes
        )


@FUZZ
@given(st.lists(texts, min_size=1, max_size=12), labels, dialects)
@example(["a\tb", '"'], ["Mild"], Written("csv", "\t", "QUOTE_MINIMAL", "\n", False, "", False, True, ".tsv"))
@example(["a"], [1], Written("csv", ";", "QUOTE_MINIMAL", "\r\n", True, ".gz", False, True, ".csv"))
def test_a_table_comes_back_as_it_was_written_or_with_an_error(
    cells: list[str], column: list[Any], how: Written
) -> None:
    # The first text is one, so the column is of texts; so is a column of labels that has one.
    cells = ["a word", *cells]
    if any(isinstance(label, str) for label in column):
        column = ["Mild", *column]
    rows = [(cell, column[place % len(column)]) for place, cell in enumerate(cells)]
    assume(how.ending != "\r" or not any("\n" in cell for cell in cells))  # no writer quotes it then
    assume(how.doubled or how.writer == "pyarrow" or not any("\\" in cell for cell in cells))
    # Without quoting, a quote at the beginning of a text is like one that opens a field.
    assume(how.quoting != "QUOTE_NONE" or not any('"' in cell for cell in cells))
    try:
        content = written(rows, how)
    except (csv.Error, pa.ArrowInvalid):
        return
    try:
        found, notes = read(content, how)
    except DatasetError as error:
        assert "\n" not in str(error)
        return
    if any("backslash" in note or "quote" in note for note in notes):
        return  # the text has other quotes, and the output says so
    assert [label for _, label in found] == [label for _, label in rows]
    assert [text for text, _ in found] == [cell or None for cell, _ in rows]


@FUZZ
@given(st.text('ab ",;\t\n\r\\', max_size=40), st.sampled_from(",;\t"), st.booleans(), st.booleans())
def test_lines_are_split_as_the_csv_module_splits_them(
    text: str, separator: str, quotes: bool, skips: bool
) -> None:
    dialect = Dialect(separator, quotes, skips)

    def lines() -> io.StringIO:
        return io.StringIO(text, newline="")

    try:
        expected = list(dialect.reader(lines()))
    except csv.Error:
        with pytest.raises(csv.Error):
            list(Records(lines(), dialect))
        return
    assert list(Records(lines(), dialect)) == expected

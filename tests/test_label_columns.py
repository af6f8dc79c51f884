"""Which columns are read, and as what: whole numbers stored as floats, names, texts beside lists."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.records import Sample
from hubscan.sample import draw

ROWS = 120
TEXTS = [f"this is text {row}" for row in range(ROWS)]


def drawn(columns: dict[str, Any] | pa.Table, folder: Path, **keys: Any) -> Sample:
    file = folder / "data.parquet"
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), file)
    return draw(recipe.resolve({"dataset": str(file), "samples": 40, **keys}).sample_request)


@pytest.mark.parametrize(
    "kind", [pa.float16(), pa.float32(), pa.float64(), pa.decimal128(5, 1), pa.decimal256(40, 2)], ids=str
)
def test_whole_numbers_stored_as_floats_are_classes_and_a_note_says_so(
    tmp_path: Path, kind: pa.DataType
) -> None:
    values: list[Any] = [None if row % 40 == 7 else row % 3 for row in range(ROWS)]
    stored = [
        None if v is None else Decimal(v) if pa.types.is_decimal(kind) else np.float16(v) for v in values
    ]
    sample = drawn({"text": TEXTS, "label": pa.array(stored, kind)}, tmp_path, samples=ROWS)
    assert sample.draw.label_kind == "class"
    assert sample.draw.classes == {str(c): values.count(c) for c in range(3)}
    assert sample.draw.dropped == {"missing label": 3}
    assert sample.labels.tolist() == [values[row] for row in sample.row_ids]
    assert sample.draw.notes == (
        "the labels are whole numbers stored as floats and are read as 3 classes; pass --label-kind number to "
        "predict them as numbers",
    )
    assert drawn({"text": TEXTS, "label": [v and 2 * v for v in values]}, tmp_path).draw.notes == ()


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl", "parquet", "feather"])
def test_a_frame_with_an_unlabelled_row_gives_the_same_classes_in_every_format(
    tmp_path: Path, form: str
) -> None:
    frame = pd.DataFrame({"text": TEXTS, "label": [None if row == 7 else row % 2 for row in range(ROWS)]})
    assert frame.label.dtype == "float64"
    file = tmp_path / ("data.arrow" if form == "feather" else f"data.{form}")
    if form in ("csv", "tsv"):
        frame.to_csv(file, index=False, sep="\t" if form == "tsv" else ",")
    elif form in ("json", "jsonl"):
        frame.to_json(file, orient="records", lines=form == "jsonl")
    elif form == "parquet":
        frame.to_parquet(file)
    else:
        frame.to_feather(file)
    sample = draw(recipe.resolve({"dataset": str(file), "samples": 100}).sample_request)
    assert sample.draw.classes == {"0": 50, "1": 50} and sample.draw.dropped == {"missing label": 1}


def test_a_fraction_anywhere_makes_the_column_numbers(tmp_path: Path) -> None:
    values = [float(row % 3) for row in range(ROWS)]
    values[-1] = 0.5
    sample = drawn({"text": TEXTS, "label": values}, tmp_path, samples=ROWS)
    assert sample.draw.label_kind == "number" and sample.draw.notes == ()
    assert sample.labels.tolist() == [values[row] for row in sample.row_ids]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([float(7 * row) for row in range(ROWS)], "number"),  # all different: prices, for instance
        ([float(7 * (row % 40)) for row in range(ROWS)], "number"),  # 40 values with gaps
        ([float(row % 40) for row in range(ROWS)], "class"),  # all the integers from 0 to 39
        ([1.0 + row % 40 for row in range(ROWS)], "class"),
        ([float(7 * (row % 20)) for row in range(ROWS)], "class"),
    ],
)
def test_floats_of_many_whole_values_are_numbers_unless_they_count_classes(
    tmp_path: Path, values: list[float], kind: str
) -> None:
    sample = drawn({"text": TEXTS, "label": values}, tmp_path, samples=ROWS)
    assert sample.draw.label_kind == kind
    other = "number" if kind == "class" else "class"
    assert f"pass --label-kind {other}" in sample.draw.notes[0]
    asked = drawn({"text": TEXTS, "label": values}, tmp_path, label_kind=kind, samples=ROWS)
    assert asked.draw.notes == () and np.array_equal(asked.labels, sample.labels)


def test_a_thousand_numbered_classes_need_no_declaration(tmp_path: Path) -> None:
    labels = [row % 1000 for row in range(3000)]
    sample = drawn({"text": [f"t {row}" for row in range(3000)], "label": labels}, tmp_path, samples=None)
    assert sample.draw.label_kind == "class" and len(sample.draw.classes) == 1000


def test_integers_with_gaps_get_a_note_and_a_few_get_none(tmp_path: Path) -> None:
    ages = drawn({"text": TEXTS, "label": [20 + 2 * (row % 30) for row in range(ROWS)]}, tmp_path, samples=60)
    assert (
        ages.draw.label_kind == "class"
        and "read as 30 classes; pass --label-kind number" in ages.draw.notes[0]
    )
    assert drawn({"text": TEXTS, "label": [row % 5 for row in range(ROWS)]}, tmp_path).draw.notes == ()


def test_indicator_columns_of_floats_with_a_gap_are_labels(tmp_path: Path) -> None:
    toxic = [None if row == 3 else float(row % 2) for row in range(ROWS)]
    columns = {"text": TEXTS, "toxic": toxic, "rude": [float(row % 3 == 0) for row in range(ROWS)]}
    sample = drawn(columns, tmp_path, label_columns=("toxic", "rude"), samples=ROWS)
    assert sample.draw.label_kind == "multilabel" and sample.draw.dropped == {"missing label": 1}
    assert sample.draw.classes == {"toxic": 59, "rude": 39}


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.bool_(), pa.int8()], ids=str)
def test_one_hot_lists_may_hold_floats_or_booleans(tmp_path: Path, kind: pa.DataType) -> None:
    lists = pa.array([[row % 2, int(row % 3 == 0), 1] for row in range(ROWS)], pa.list_(pa.int8())).cast(
        pa.list_(kind)
    )
    sample = drawn({"text": TEXTS, "labels": lists}, tmp_path, samples=ROWS)
    assert sample.draw.label_kind == "multilabel" and sample.draw.classes == {"0": 60, "1": 40, "2": 120}


def test_vectors_and_texts_are_not_taken_for_labels(tmp_path: Path) -> None:
    vectors = [[0.25, row / 7] for row in range(ROWS)]
    with pytest.raises(DatasetError, match=r"a list holds the number 0\.25, not a label; pass another"):
        drawn({"text": TEXTS, "vector": vectors}, tmp_path, label_columns=("vector",))
    with pytest.raises(
        DatasetError, match="column 'name' holds text values, not 0 or 1 for one label; name one"
    ):
        drawn({"text": TEXTS, "name": TEXTS, "x": [0, 1] * 60}, tmp_path, label_columns=("x", "name"))
    with pytest.raises(DatasetError, match="'yes' holds lists of true and false of different lengths"):
        lists = [[True] * (1 + row % 2) for row in range(ROWS)]
        drawn({"text": TEXTS, "yes": lists}, tmp_path, label_columns=("yes",))


@pytest.mark.parametrize("names", [("text", " label"), ("Text", "Label"), (" TEXT ", "LABEL\t")])
def test_names_match_without_case_and_outer_spaces(tmp_path: Path, names: tuple[str, str]) -> None:
    text, label = names
    columns = {text: TEXTS, label: [0, 1] * 60, "when": [row // 4 for row in range(ROWS)]}
    expected = {"text": text, "label": label}
    assert drawn(columns, tmp_path).draw.columns == expected
    asked = {"label_columns": ("label",), "input_columns": ("text",), "group_column": "WHEN"}
    assert drawn(columns, tmp_path, **asked).draw.columns == expected | {"group": "when"}


def test_an_exact_name_wins_and_several_others_are_asked_about(tmp_path: Path) -> None:
    columns = {"text": TEXTS, "Label": [0, 1] * 60, "label": [0, 0, 1] * 40, "LABEL": [1, 0] * 60}
    sample = drawn(columns, tmp_path)
    assert sample.draw.columns["label"] == "label"
    assert sample.draw.notes[0] == (
        "the label is 'label', not 'Label' and 'LABEL'; pass --label-column to change that"
    )
    with pytest.raises(
        DatasetError, match="has 3 such columns; pass one of 'Label', 'label', 'LABEL' exactly"
    ):
        drawn(columns, tmp_path, label_columns=("lAbEl",))


def test_the_first_of_two_texts_is_read_and_a_note_names_the_other(tmp_path: Path) -> None:
    columns = {"title": TEXTS, "content": TEXTS, "lang": ["en"] * ROWS, "label": [0, 1] * 60}
    sample = drawn(columns, tmp_path)
    assert sample.draw.columns["text"] == "content"
    assert sample.draw.notes[-1] == (
        "the text is 'content', without 'title'; pass --input-column to change that"
    )
    assert "title" not in str(drawn(columns, tmp_path, input_columns=("content",)).draw.notes)


PAPERS = {
    "text": TEXTS,
    "labels": [["neg", "pos"][row % 2 :][:1] for row in range(ROWS)],
    "authors": [[f"author {row % 30}"] for row in range(ROWS)],
}


def test_a_text_wins_over_a_list_as_long_as_the_labels(tmp_path: Path) -> None:
    sample = drawn(PAPERS, tmp_path)
    assert sample.draw.label_kind == "multilabel" and sample.draw.columns["text"] == "text"
    assert sample.draw.notes[0] == (
        "column 'authors' has an item for each of the 'labels', but the texts are read, not its items; pass "
        "--task token-classification to change that"
    )
    for asked in (
        {"task": "text-classification"},
        {"label_kind": "multilabel"},
        {"input_columns": ("text",)},
    ):
        assert drawn(PAPERS, tmp_path, **asked).draw.label_kind == "multilabel"
    words = drawn(PAPERS, tmp_path, task="token-classification")
    assert words.draw.label_kind == "token" and words.draw.columns["text"] == "authors"


@pytest.mark.parametrize("extra", [{"id": [str(row) for row in range(ROWS)]}, {"lang": ["en"] * ROWS}, {}])
def test_words_with_tags_are_read_beside_ids_and_codes(tmp_path: Path, extra: dict[str, list[Any]]) -> None:
    columns = {"sequence": [["a", "b"]] * ROWS, "labels": [["x", "y"], ["y", "x"]] * 60, **extra}
    sample = drawn(columns, tmp_path)
    assert sample.draw.label_kind == "token" and sample.draw.columns["text"] == "sequence"
    assert sample.draw.notes == ()


@pytest.mark.parametrize("names", [("tokens", "labels"), ("pieces", "ner_tags"), ("Words", "labels")])
def test_words_called_words_win_over_a_text_and_a_note_says_so(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    columns = {names[0]: [["a", "b"]] * ROWS, names[1]: [["x", "x"], ["y", "x"]] * 60, "text": TEXTS}
    asked = {"label_columns": (names[1],)}
    sample = drawn(columns, tmp_path, **asked)
    assert sample.draw.label_kind == "token" and sample.draw.columns["text"] == names[0]
    assert "pass --task text-classification to change that" in sample.draw.notes[0]
    whole = drawn(columns, tmp_path, task="text-classification", **asked)
    assert whole.draw.label_kind == "multilabel" and whole.draw.columns["text"] == "text"


def test_a_missing_header_is_suspected_and_names_are_quoted(tmp_path: Path) -> None:
    columns = {"a plot that goes nowhere fast": TEXTS, "2": [0, 1] * 60}
    with pytest.raises(DatasetError, match=r"'2' \(integer\) \(is a header line missing\?\)"):
        drawn(columns, tmp_path, label_columns=("label",))
    with pytest.raises(DatasetError, match=r"'text' \(text\), 'stars' \(integer\)$"):
        drawn({"text": TEXTS, "stars": [1, 2] * 60}, tmp_path)


@pytest.mark.parametrize("word", ["NA", "None", "nan", "null", "N/A", "<NA>"])
def test_a_class_named_like_a_missing_value_is_kept_and_noted(tmp_path: Path, word: str) -> None:
    sample = drawn({"text": TEXTS, "label": [word, "EU", "AS"] * 40}, tmp_path, samples=ROWS)
    assert sample.draw.classes == {word: 40, "EU": 40, "AS": 40} and sample.draw.dropped == {}
    assert sample.draw.notes == (
        f"the class {word!r} is kept; leave the cell empty if it means that the label is missing",
    )


def test_classes_that_differ_only_in_case_or_spaces_are_noted(tmp_path: Path) -> None:
    sample = drawn({"text": TEXTS, "label": ["yes", "Yes ", "no"] * 40}, tmp_path)
    assert len(sample.draw.classes) == 3
    assert sample.draw.notes[0].startswith(
        "the classes 'yes' and 'Yes ' differ only in case or in spaces; write"
    )


def test_a_text_that_is_just_a_word_for_missing_is_kept_and_noted(tmp_path: Path) -> None:
    texts = ["nan" if row % 4 == 0 else text for row, text in enumerate(TEXTS)]
    sample = drawn({"text": texts, "label": ["EU", "AS"] * 60}, tmp_path, samples=ROWS)
    assert sample.inputs["text"].count("nan") == 30 and sample.draw.dropped == {}
    assert sample.draw.notes == (
        "texts that are just 'nan' (30) are kept; leave the cell empty if it means that there is no text",
    )


def test_advice_names_only_columns_that_can_be_what_is_asked_for(tmp_path: Path) -> None:
    columns = {"text": TEXTS, "raw": [b"x"] * ROWS, "stars": [1, 2] * 60}
    with pytest.raises(
        DatasetError, match=r"--label-column with one of 'text' \(text\), 'stars' \(integer\)$"
    ):
        drawn(columns, tmp_path)
    with pytest.raises(
        DatasetError, match=r"raw: holds binary values, not labels; pass one of 'text' .*, 'stars'"
    ):
        drawn(columns, tmp_path, label_columns=("raw",))
    with pytest.raises(
        DatasetError, match=r"none of the columns 'raw' \(binary\) can be a label; add a column"
    ):
        drawn({"raw": [b"x"] * ROWS}, tmp_path)
    with pytest.raises(
        DatasetError, match=r"no text column among 'raw' \(binary\); convert the data so that"
    ):
        drawn({"raw": [b"x"] * ROWS, "label": [0, 1] * 60}, tmp_path)

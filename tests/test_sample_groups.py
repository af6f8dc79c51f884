"""Which rows of a sample belong together, from the group column to the run folder."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given
from hypothesis import strategies as st

from hubscan import recipe, sample_file, scan
from hubscan.errors import DatasetError, RankingError
from hubscan.finetune.split import split_rows
from hubscan.records import Sample
from hubscan.report import sentences
from hubscan.report.plan import as_text
from hubscan.sample import draw
from hubscan.sample.assemble import _fingerprint
from hubscan.sample.groups import group_value, linked, numbered
from tests.support import samples

ROWS = 120


def drawn(dataset: Path, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(dataset), "samples": 40, **keys}).sample_request)


def patients(rows: int = ROWS) -> dict[str, list[Any]]:
    """Texts that all differ, of two classes and 17 patients."""
    return {
        "text": [f"text {i}" for i in range(rows)],
        "label": ["sick" if i % 2 else "well" for i in range(rows)],
        "patient": [f"p{i % 17}" for i in range(rows)],
    }


def saved(columns: dict[str, Any], folder: Path, form: str = "parquet") -> Path:
    file, table = folder / f"data.{form}", pa.table(columns)
    if form == "parquet":
        pq.write_table(table, file, row_group_size=30)
    elif form == "arrow":
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    elif form == "csv":
        table.to_pandas().to_csv(file, index=False)
    elif form == "jsonl":
        file.write_text("\n".join(map(json.dumps, table.to_pylist())))
    else:
        with tarfile.open(file, "w") as tar:
            for number, row in enumerate(table.to_pylist()):
                parts = {"txt": row.pop("text"), "cls": str(int(row.pop("label") == "sick"))}
                for suffix, text in {**parts, "json": json.dumps(row)}.items():
                    info = tarfile.TarInfo(f"{number:04}.{suffix}")
                    info.size = len(text.encode())
                    tar.addfile(info, io.BytesIO(text.encode()))
    return file


def first_seen(values: list[Any]) -> list[int]:
    return [list(dict.fromkeys(values)).index(value) for value in values]


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl", "tar"])
def test_rows_with_the_same_value_have_the_same_number_in_files_of_every_kind(
    tmp_path: Path, form: str
) -> None:
    columns = patients()
    sample = drawn(saved(columns, tmp_path, form), group_column="patient")
    values = [columns["patient"][row] for row in sample.row_ids]
    assert sample.groups is not None and sample.groups.tolist() == first_seen(values)
    assert sample.draw.columns["group"] == "patient"
    assert sample.draw.group_count == len(set(values))


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_group_column_changes_no_row_but_the_fingerprint(tmp_path: Path, form: str) -> None:
    file = saved(patients(), tmp_path, form)
    without, grouped = drawn(file), drawn(file, group_column="patient")
    assert without.row_ids.tolist() == grouped.row_ids.tolist() and without.inputs == grouped.inputs
    assert without.groups is None and without.draw.group_count is None
    assert without.draw.origin == grouped.draw.origin
    assert without.draw.fingerprint != grouped.draw.fingerprint


def test_another_grouping_is_another_sample(tmp_path: Path) -> None:
    sample = drawn(saved(patients(), tmp_path), group_column="patient")
    numbers = np.arange(40)
    prints = {_fingerprint(sample, of_column) for of_column in (numbers // 2, numbers // 4, None)}
    assert len(prints) == 3


CSV = "text,label,author\n" + "".join(
    f"review {i % 30},{'good' if i % 3 else 'bad'},a{i % 7}\n" for i in range(60)
)
TAGS = "\n".join(
    json.dumps({"tokens": [f"w{i}", "x", "y"], "tags": ["A", "B", "A"], "doc": i % 4}) for i in range(20)
)


@pytest.mark.parametrize(
    ("name", "content", "fingerprint"),
    [
        ("reviews.csv", CSV, "90642b71d648984e67006ea0b6a21a97f6e40bb55906cb82aad6dd805df638ec"),
        ("tags.jsonl", TAGS, "7b13ef1a8636c4079fbb45f5606c6fff6c8914d829234d4a12aa783d92a2e581"),
    ],
)
def test_without_a_group_column_fingerprints_are_what_they_were_before_there_was_one(
    tmp_path: Path, name: str, content: str, fingerprint: str
) -> None:
    (tmp_path / name).write_text(content)
    assert drawn(tmp_path / name, samples=20).draw.fingerprint == fingerprint


KINDS: dict[str, tuple[pa.Array, list[Any]]] = {
    "integer": (pa.array([3, 1, 3, None] * 30), [3, 1, 3, None]),
    "boolean": (pa.array([True, False, True, None] * 30), [True, False, True, None]),
    "float with NaN": (pa.array([0.5, 1.5, 0.5, float("nan")] * 30), [0.5, 1.5, 0.5, None]),
    "text with blanks": (pa.array(["a", "b", "a", " "] * 30), ["a", "b", "a", None]),
    "large text": (pa.array(["a", "b", "a", ""] * 30, pa.large_string()), ["a", "b", "a", None]),
    "date": (pa.array([date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 1), None] * 30), [1, 2, 1, None]),
    "time": (pa.array([datetime(2020, 1, 1, second=s) for s in (1, 2, 1, 3)] * 30), [1, 2, 1, 3]),
    "nanoseconds": (pa.array([1, 2, 1, None] * 30, pa.timestamp("ns")), [1, 2, 1, None]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_single_values_of_every_type_group_and_a_missing_one_stands_alone(tmp_path: Path, kind: str) -> None:
    column, values = KINDS[kind]
    sample = drawn(saved({**patients(), "patient": column}, tmp_path), group_column="patient", samples=60)
    expected = [
        f"alone {row}" if values[row % 4] is None else str(values[row % 4]) for row in sample.row_ids.tolist()
    ]
    assert sample.groups is not None and sample.groups.tolist() == first_seen(expected)
    assert sample.draw.group_count == len(set(expected))


def test_a_class_label_groups_and_is_not_taken_for_the_label(tmp_path: Path) -> None:
    columns = {**patients(), "patient": [i % 5 for i in range(ROWS)]}
    features = Features(
        {
            "text": Value("string"),
            "label": ClassLabel(names=["well", "sick"]),
            "patient": ClassLabel(names=[*"abcde"]),
        }
    )
    columns["label"] = [int(label == "sick") for label in columns["label"]]
    pq.write_table(Dataset.from_dict(columns, features).data.table, tmp_path / "data.parquet")
    sample = drawn(tmp_path / "data.parquet", group_column="patient")
    assert sample.draw.columns == {"text": "text", "label": "label", "group": "patient"}
    assert sample.draw.group_count == 5


def test_a_text_that_is_no_utf_8_groups_as_well() -> None:
    offsets = pa.py_buffer(np.array([0, 1, 2, 3], np.int32))
    column = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"\xff\xfe\xff"))
    table = pa.table({"patient": column})
    assert numbered(group_value(table, "patient", place) for place in range(3)).tolist() == [0, 1, 0]


REFUSED: dict[str, tuple[str, Any, dict[str, Any], str]] = {
    "list": ("patient", [["a"]] * ROWS, {}, r"--group-column patient: holds texts values, not single values"),
    "struct": ("patient", [{"x": 1}] * ROWS, {}, r"--group-column patient: holds dict values"),
    "image": ("patient", [{"bytes": b"x", "path": ""}] * ROWS, {}, r"--group-column patient: holds (image|dict) "),
    "no such column": ("doctor", [1] * ROWS, {}, "--group-column patient: no such column in .*; pass one of 'text'"),
    "the label": ("patient", ["a", "b"] * 60, {"label_columns": ("patient",)}, "patient: this is the label column"),
    "one group": ("patient", ["a"] * ROWS, {}, "--group-column patient: all sampled rows belong to one group"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_column_that_cannot_group_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    column, values, keys, said = REFUSED[name]
    columns = {key: values for key, values in patients().items() if key != "patient"} | {column: values}
    with pytest.raises(DatasetError, match=said) as refused:
        drawn(saved(columns, tmp_path), group_column="patient", **keys)
    assert "\n" not in str(refused.value)


def test_one_text_of_a_pair_may_group(tmp_path: Path) -> None:
    columns = {
        "question": [f"q{i // 6}" for i in range(ROWS)],
        "passage": [f"p{i}" for i in range(ROWS)],
        "label": ["no", "yes"] * 60,
    }
    asked = {"input_columns": ("question", "passage"), "group_column": "question"}
    sample = drawn(saved(columns, tmp_path), **asked)
    assert sample.draw.columns == {
        "text": "question",
        "text_2": "passage",
        "label": "label",
        "group": "question",
    }
    assert sample.groups is not None
    assert sample.groups.tolist() == first_seen([row // 6 for row in sample.row_ids.tolist()])


def test_a_second_text_that_groups_is_not_taken_for_an_input(tmp_path: Path) -> None:
    columns = {**patients(), "story": [f"text {i}" for i in range(ROWS)]}
    del columns["text"]
    sample = drawn(saved(columns, tmp_path), group_column="patient")
    assert sample.draw.columns == {"text": "story", "label": "label", "group": "patient"}


def test_exact_copies_belong_together_without_a_group_column(tmp_path: Path) -> None:
    columns = patients(20)
    columns["text"][7] = columns["text"][3] = columns["text"][2]
    sample = drawn(saved(columns, tmp_path))
    assert sample.groups is not None and sample.draw.duplicates == 2
    assert sample.groups.tolist() == first_seen([columns["text"][row] for row in sample.row_ids])
    assert sample.draw.group_count is None


def test_copies_link_the_groups_that_they_lie_in(tmp_path: Path) -> None:
    """Patients 0 and 1 share a text, and so do 1 and 2: all their rows are one group."""
    columns = {**patients(20), "patient": [i // 4 for i in range(20)]}
    columns["text"][4] = columns["text"][0]
    columns["text"][8] = columns["text"][5]
    sample = drawn(saved(columns, tmp_path), group_column="patient")
    assert sample.groups is not None and sample.draw.group_count == 5
    expected = [max(row // 4, 2) for row in sample.row_ids.tolist()]
    assert sample.groups.tolist() == first_seen(expected)


def sentences_of(documents: bool) -> dict[str, list[Any]]:
    words = [[f"word {i}", "and", "more"] for i in range(30)]
    words[9] = words[2]
    tags = [["A", "B", "A"] for _ in words]
    return {"tokens": words, "tags": tags, **({"doc": [i // 5 for i in range(30)]} if documents else {})}


def test_words_of_a_sentence_of_its_copy_and_of_its_document_belong_together(tmp_path: Path) -> None:
    alone = drawn(saved(sentences_of(documents=False), tmp_path), samples=90)
    assert alone.groups is not None and alone.draw.rows == 90
    assert alone.groups.tolist() == first_seen([2 if row == 9 else row for row in alone.row_ids.tolist()])
    grouped = drawn(saved(sentences_of(documents=True), tmp_path), samples=90, group_column="doc")
    assert grouped.groups is not None and grouped.draw.group_count == 6
    expected = [max(row // 5, 1) for row in grouped.row_ids.tolist()]  # the copy links documents 0 and 1
    assert grouped.groups.tolist() == first_seen(expected)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=20))
def test_linked_rows_are_the_connected_components_in_the_order_of_first_appearance(
    keys: list[tuple[int, int]],
) -> None:
    found = linked(*np.array(keys).T)
    component = list(range(len(keys)))
    for _ in keys:  # of two linked rows the smaller name wins, until nothing changes
        for i, one in enumerate(keys):
            for j, other in enumerate(keys):
                if one[0] == other[0] or one[1] == other[1]:
                    component[i] = component[j] = min(component[i], component[j])
    if len(set(component)) == len(keys):
        assert found is None
    else:
        assert found is not None and found.tolist() == first_seen(component)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_the_first_rows_of_a_larger_sample_have_the_numbers_of_a_smaller_one(
    tmp_path: Path, form: str
) -> None:
    file = saved(patients(), tmp_path, form)
    small, large = (drawn(file, group_column="patient", samples=n) for n in (25, 60))
    assert small.groups is not None and large.groups is not None
    assert small.groups.tolist() == large.groups[:25].tolist()
    assert large.only(np.arange(25)).groups.tolist() == small.groups.tolist()  # type: ignore[union-attr]


def test_rows_of_which_each_stands_alone_have_no_groups(tmp_path: Path) -> None:
    columns = {**patients(), "patient": list(range(ROWS))}
    sample = drawn(saved(columns, tmp_path), group_column="patient")
    assert sample.groups is None and sample.draw.group_count == 40
    assert samples.sample([0, 1], "token", np.array([[0, 1], [1, 0]])).groups is None


@pytest.mark.parametrize("inputs", [True, False])
def test_a_file_keeps_the_numbers_and_no_value_of_the_groups(tmp_path: Path, inputs: bool) -> None:
    columns = patients()
    columns["patient"] = [f"secret-{name}" for name in columns["patient"]]
    sample = drawn(saved(columns, tmp_path), group_column="patient")
    file = tmp_path / "sample.parquet"
    sample_file.write(sample, file, inputs=inputs)
    again = sample_file.read(file)
    assert pq.read_schema(file).field("group").type == pa.int64()
    assert again.groups is not None and sample.groups is not None
    assert again.groups.tolist() == sample.groups.tolist() and again.draw == sample.draw
    assert "secret" not in str(pq.read_table(file).to_pydict()) + str(pq.read_schema(file).metadata)


def test_a_file_of_words_written_before_there_were_group_numbers_groups_by_sentence(tmp_path: Path) -> None:
    sample = drawn(saved(sentences_of(documents=False), tmp_path), samples=90)
    file = tmp_path / "sample.parquet"
    sample_file.write(sample, file, inputs=True)
    table = pq.read_table(file)
    described = json.loads(table.schema.metadata[b"hubscan.draw"])
    del described["group_count"]
    old = table.drop_columns("group").replace_schema_metadata({"hubscan.draw": json.dumps(described)})
    pq.write_table(old, file)
    read = sample_file.read(file)
    assert read.groups is not None and read.places is not None and read.draw == sample.draw
    assert read.groups.tolist() == read.places[:, 0].tolist()


def test_the_resolved_recipe_names_the_group_column_apart_from_inputs_and_labels(tmp_path: Path) -> None:
    asked = recipe.resolve(
        {"dataset": str(saved(patients(), tmp_path)), "samples": 40, "group_column": "patient"}
    )
    settled = scan._settled(asked, draw(asked.sample_request))
    assert (settled.input_columns, settled.label_columns) == (("text",), ("label",))
    assert settled.group_column == "patient"
    assert draw(settled.sample_request).draw == draw(asked.sample_request).draw


def test_the_sample_line_says_how_many_groups_there_are(tmp_path: Path) -> None:
    sample = drawn(saved(patients(), tmp_path), group_column="patient", samples=ROWS)
    assert sentences.groups(sample.draw) == "17 groups by patient"
    (shown,) = [
        line for line in as_text(sample.draw, (), (), (), "").splitlines() if line.startswith("Groups")
    ]
    assert shown == "Groups      17 groups by patient"


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 2)), min_size=30, max_size=60), st.integers(0, 9)
)
def test_when_fine_tuning_groups_stay_together_and_parts_keep_their_shares_of_rows_and_of_groups_of_a_class(
    groups: list[tuple[int, int]], seed: int
) -> None:
    """Of each group its size, and the class of its rows."""
    sizes, classes = np.array(groups).T
    of = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(groups)), sizes))
    found = split_rows(samples.sample(classes[of], groups=of), seed)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(of)))
    inside = [set(of[rows].tolist()) for rows in found]
    assert sum(map(len, inside)) == len(set(of.tolist()))
    for share, rows, names in zip((0.6, 0.15, 0.25), found, inside, strict=True):
        assert abs(len(rows) - share * len(of)) <= 3 * 12
        for name in range(3):
            there = int((classes == name).sum())
            assert abs(sum(classes[group] == name for group in names) - share * there) <= 2


def test_groups_too_few_for_three_parts_are_refused() -> None:
    groups = np.arange(60) % 3
    with pytest.raises(RankingError, match="the rows form 3 groups, too few to train, validate and test"):
        split_rows(samples.sample(np.arange(60) % 2, groups=groups), 0)
    assert all(
        len(rows) for rows in split_rows(samples.sample(np.arange(60) % 2, groups=np.arange(60) % 4), 0)
    )

"""Every type in which Arrow, pandas and Polars store a column: the right values, or a line that names it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.records import Sample
from hubscan.sample import draw

N = 40
TEXTS = [f"row {i}" for i in range(N)]
NAMES = ["ab"[i % 2] for i in range(N)]
NUMBERS = [i % 2 + 1 for i in range(N)]


def views(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.string_view())


def categories(values: list[Any]) -> pa.Array:
    return pa.array(values).dictionary_encode()


def runs(values: list[Any]) -> pa.Array:
    return pc.run_end_encode(pa.array(values))


def large_categories(values: list[Any]) -> pa.Array:
    return pa.array(values).cast(pa.dictionary(pa.uint32(), pa.large_string()))


def ordered(values: list[Any]) -> pa.Array:
    found = pa.array(values).dictionary_encode()
    return pa.DictionaryArray.from_arrays(found.indices, found.dictionary, ordered=True)


def with_null_in_the_dictionary(values: list[Any]) -> pa.Array:
    found = pa.array(values).dictionary_encode()
    return pa.DictionaryArray.from_arrays(found.indices, pa.concat_arrays([found.dictionary, pa.nulls(1, found.dictionary.type)]))  # fmt: skip


OF_TEXTS: dict[str, Callable[[list[Any]], pa.Array]] = {
    "string": pa.array,
    "large_string": partial(pa.array, type=pa.large_string()),
    "string_view": views,
    "dictionary": categories,
    "large dictionary": large_categories,
    "ordered": ordered,
    "dictionary of views": lambda values: pa.DictionaryArray.from_arrays(  # as Polars writes categories
        pa.array(values).dictionary_encode().indices,
        pa.array(values).dictionary_encode().dictionary.cast(pa.string_view()),
    ),
    "null in the dictionary": with_null_in_the_dictionary,
    "runs": runs,
}
OF_NUMBERS: dict[str, Callable[[list[Any]], pa.Array]] = {
    **{
        str(kind): partial(pa.array, type=kind)
        for kind in (
            pa.int8(),
            pa.int16(),
            pa.int32(),
            pa.int64(),
            pa.uint8(),
            pa.uint16(),
            pa.uint32(),
            pa.uint64(),
        )
    },
    "dictionary": categories,
    "runs": runs,
}
OF_FLOATS: dict[str, Callable[[list[Any]], pa.Array]] = {
    "half": lambda values: pa.array(values, pa.float16()),
    "single": lambda values: pa.array(values, pa.float32()),
    "double": pa.array,
    "decimal32": lambda values: pa.array(map(Decimal, values), pa.decimal32(8, 2)),
    "decimal64": lambda values: pa.array(map(Decimal, values), pa.decimal64(12, 2)),
    "decimal128": lambda values: pa.array(map(Decimal, values), pa.decimal128(20, 2)),
    "decimal256": lambda values: pa.array(map(Decimal, values), pa.decimal256(50, 2)),
    "dictionary": categories,
}


def stored(table: pa.Table, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, file, row_group_size=options.pop("row_group_size", 16), **options)
    elif form == "stream":
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    else:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    return file.getvalue()


def drawn(path: Path | str, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(path), "samples": N, **keys}).sample_request)


def of(tmp_path: Path, columns: dict[str, Any], form: str = "parquet", **keys: Any) -> Sample:
    file = tmp_path / ("data.parquet" if form == "parquet" else "data.arrow")
    file.write_bytes(stored(pa.table(columns), form))
    return drawn(file, **keys)


def in_order(sample: Sample) -> tuple[list[Any], list[Any]]:
    order = np.argsort(sample.row_ids)
    names = list(sample.draw.classes)
    labels = [names[code] for code in sample.labels[order]] if names else sample.labels[order].tolist()
    return [sample.inputs["text"][place] for place in order], labels


FORMS = ("parquet", "stream", "file")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", OF_TEXTS)
def test_texts_in_any_type_are_texts_labels_and_groups(tmp_path: Path, kind: str, form: str) -> None:
    if form == "parquet" and kind in ("runs", "null in the dictionary", "dictionary of views"):
        pytest.skip("parquet has no such type")
    make = OF_TEXTS[kind]
    columns = {"text": make(TEXTS), "label": make(NAMES), "author": make([f"by {i % 7}" for i in range(N)])}
    sample = of(tmp_path, columns, form, input_columns=("text",), group_column="author")
    assert in_order(sample) == (TEXTS, NAMES) and sample.draw.group_count == 7 and sample.draw.notes == ()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_integers_in_any_type_are_classes_and_groups(tmp_path: Path, kind: str, form: str) -> None:
    if form == "parquet" and kind == "runs":
        pytest.skip("parquet has no runs")
    make = OF_NUMBERS[kind]
    columns = {"text": TEXTS, "label": make(NUMBERS), "author": make([i % 7 for i in range(N)])}
    sample = of(tmp_path, columns, form, group_column="author")
    assert in_order(sample) == (TEXTS, [str(number) for number in NUMBERS]) and sample.draw.group_count == 7


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", OF_FLOATS)
def test_fractions_in_any_type_are_numbers(tmp_path: Path, kind: str, form: str) -> None:
    numbers = [i / 4 for i in range(N)]
    sample = of(tmp_path, {"text": TEXTS, "score": OF_FLOATS[kind](numbers)}, form, label_kind="number")
    assert in_order(sample) == (TEXTS, numbers)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "make",
    [
        lambda values: pa.array(values, pa.bool_()),
        categories,
        lambda values: pa.ExtensionArray.from_storage(pa.bool8(), pa.array(map(int, values), pa.int8())),
    ],
    ids=["bool", "dictionary", "bool8"],
)
def test_booleans_in_any_type_are_classes(
    tmp_path: Path, make: Callable[[list[bool]], pa.Array], form: str
) -> None:
    values = [i % 2 == 1 for i in range(N)]
    sample = of(tmp_path, {"text": TEXTS, "label": make(values)}, form)
    assert in_order(sample) == (TEXTS, [str(value) for value in values])


LISTS: dict[str, Callable[[pa.DataType], pa.DataType]] = {
    "list": lambda kind: pa.list_(kind),
    "large_list": lambda kind: pa.large_list(kind),
    "list_view": lambda kind: pa.list_view(kind),
    "large_list_view": lambda kind: pa.large_list_view(kind),
    "fixed": lambda kind: pa.list_(kind, 2),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "items", [pa.string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_any_layout_are_words_and_tags(
    tmp_path: Path, kind: str, items: pa.DataType, form: str
) -> None:
    words = [[f"a{i}", "b"] for i in range(N)]
    tags = [["O", "X"], ["X", "O"]] * (N // 2)
    kind_of = LISTS[kind]
    columns = {"tokens": pa.array(words, kind_of(items)), "tags": pa.array(tags, kind_of(items))}
    sample = of(tmp_path, columns, form, samples=2 * N)
    assert sample.draw.label_kind == "token" and sample.draw.classes == {"O": N, "X": N}
    assert sorted(map(list, sample.inputs["text"])) == sorted(words)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", LISTS)
def test_lists_with_nulls_are_labels(tmp_path: Path, kind: str, form: str) -> None:
    labels = [["a", "b"] if i % 2 else ["b", "c"] for i in range(N)]
    with_null = pa.array([None, *labels[1:]], LISTS[kind](pa.string()))
    sample = of(tmp_path, {"text": TEXTS, "tags": with_null}, form, label_kind="multilabel")
    assert sample.draw.dropped == {"missing label": 1} and sample.draw.rows == N - 1
    assert sample.draw.classes == {"a": N // 2, "b": N - 1, "c": N // 2 - 1}


OTHERS = {
    "map": pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())),
    "struct": pa.array([{"a": 1}] * N),
    "list of struct": pa.array([[{"a": 1}]] * N),
    "json": pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(['"a"'] * N)),
    "uuid": pa.array([bytes(16)] * N, pa.uuid()),
    "time": pa.array([1] * N, pa.time32("s")),
    "date": pa.array([1] * N, pa.date32()),
    "timestamp": pa.array([1] * N, pa.timestamp("ns", "Europe/Paris")),
    "duration": pa.array([1] * N, pa.duration("us")),
    "null": pa.nulls(N),
    "binary": pa.array([b"x"] * N, pa.binary_view()),
    "tensor": pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.int32(), [2]), pa.array([[1, 2]] * N, pa.list_(pa.int32(), 2))),
    "union": pa.UnionArray.from_dense(pa.array([0] * N, pa.int8()), pa.array(range(N), pa.int32()), [pa.array(TEXTS)]),
    "interval": pa.array([(1, 2, 3)] * N, pa.month_day_nano_interval()),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", OTHERS)
def test_other_types_beside_the_text_do_not_matter_and_are_named_where_they_are_asked_for(
    tmp_path: Path, kind: str, form: str
) -> None:
    if form == "parquet" and kind in ("union", "interval"):
        pytest.skip("parquet has no such type")
    columns = {"other": OTHERS[kind], "text": TEXTS, "label": NAMES}
    assert in_order(of(tmp_path, columns, form)) == (TEXTS, NAMES)
    with pytest.raises(DatasetError, match=r"--label-column other: holds .* values, not labels; "):
        of(tmp_path, columns, form, label_columns=("other",))
    with pytest.raises(DatasetError, match=r"--input-column other: holds .* values, not text"):
        of(tmp_path, columns, form, input_columns=("other",))


@pytest.mark.parametrize("form", FORMS)
def test_dates_are_groups(tmp_path: Path, form: str) -> None:
    for kind in (pa.date32(), pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.duration("s")):
        days = pa.array([i % 5 * 86_400 for i in range(N)]).cast(
            pa.int32() if kind == pa.date32() else pa.int64()
        )
        sample = of(
            tmp_path, {"text": TEXTS, "label": NAMES, "day": days.cast(kind)}, form, group_column="day"
        )
        assert sample.draw.group_count == 5


def test_a_dictionary_that_grows_in_a_stream_is_read(tmp_path: Path) -> None:
    with pa.ipc.new_stream(
        str(tmp_path / "data.arrow"),
        pa.schema([("text", pa.string()), ("label", pa.dictionary(pa.int8(), pa.string()))]),
        options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True),
    ) as writer:
        names: list[str] = []
        for start in range(0, N, 10):
            names = [*names, f"class {start}"]
            labels = pa.DictionaryArray.from_arrays(
                pa.array([i % len(names) for i in range(10)], pa.int8()), names
            )
            writer.write_batch(
                pa.record_batch([pa.array(TEXTS[start : start + 10]), labels], ["text", "label"])
            )
    _, labels = in_order(drawn(tmp_path / "data.arrow"))
    assert labels[30:] == [f"class {i % 4 * 10}" for i in range(10)] and labels[:10] == ["class 0"] * 10


@pytest.mark.parametrize("name", ["parq", "pq", "feather", "ipc"])
def test_other_extensions_of_the_same_formats_are_read(tmp_path: Path, name: str) -> None:
    table = pa.table({"text": TEXTS, "label": NAMES})
    content = stored(table, "parquet" if name.startswith("p") else "file")
    (tmp_path / f"data.{name}").write_bytes(content)
    assert in_order(drawn(tmp_path / f"data.{name}")) == (TEXTS, NAMES)
    fsspec.filesystem("memory").pipe(f"/storage/data.{name}", content)
    assert in_order(drawn(f"memory://storage/data.{name}")) == (TEXTS, NAMES)


FRAMES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "object": lambda frame: frame,
    "string": lambda frame: frame.astype({"text": "string", "label": "string"}),
    "pyarrow": lambda frame: frame.astype({"text": "string[pyarrow]", "label": "string[pyarrow]"}),
    "category": lambda frame: frame.astype("category"),
    "category of integers": lambda frame: frame.assign(label=pd.Categorical([i % 2 for i in range(N)])),
    "category of booleans": lambda frame: frame.assign(label=pd.Categorical([i % 2 == 1 for i in range(N)])),
    "nullable integers": lambda frame: frame.assign(label=pd.array([i % 2 for i in range(N)], "Int16")),
    "nullable booleans": lambda frame: frame.assign(
        label=pd.array([i % 2 == 1 for i in range(N)], "boolean")
    ),
    "arrow dtypes": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "index": lambda frame: frame.set_index(pd.Index([f"id {i}" for i in range(N)], name="id")),
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_what_pandas_writes_is_read(tmp_path: Path, kind: str, form: str) -> None:
    frame = FRAMES[kind](pd.DataFrame({"text": TEXTS, "label": NAMES}))
    if form == "parquet":
        frame.to_parquet(tmp_path / "data.parquet")
    else:
        frame.reset_index(drop=True).to_feather(tmp_path / "data.feather")
    texts, labels = in_order(
        drawn(tmp_path / f"data.{form}", input_columns=("text",), label_columns=("label",))
    )
    assert texts == TEXTS and labels == [str(value) for value in frame["label"]]


def shards(tmp_path: Path, *tables: pa.Table, form: str = "parquet") -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    suffix = "parquet" if form == "parquet" else "arrow"
    for number, table in enumerate(tables):
        (folder / f"train-{number}.{suffix}").write_bytes(stored(table, form))
    return folder


def half(texts: list[Any], labels: Any, **more: Any) -> pa.Table:
    return pa.table({"text": texts, "label": labels, **more})


H = N // 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array(NUMBERS[:H], pa.int32()), pa.array(NUMBERS[H:], pa.int64())),
        (pa.array(NUMBERS[:H], pa.int64()), categories(NUMBERS[H:])),
        (pa.array(NAMES[:H]), pa.array(NAMES[H:], pa.large_string())),
        (pa.array(NAMES[:H]), views(NAMES[H:])),
        (categories(NAMES[:H]), pa.array(NAMES[H:])),
    ],
    ids=["widths", "integers and categories", "strings", "views", "categories"],
)
def test_files_may_store_one_kind_of_values_in_different_types(
    tmp_path: Path, first: pa.Array, second: pa.Array, form: str
) -> None:
    sample = drawn(shards(tmp_path, half(TEXTS[:H], first), half(TEXTS[H:], second), form=form))
    assert in_order(sample) == (TEXTS, [str(value) for value in (first.to_pylist() + second.to_pylist())])


@pytest.mark.parametrize("form", FORMS)
def test_files_may_differ_in_the_order_of_columns_and_in_those_that_do_not_matter(
    tmp_path: Path, form: str
) -> None:
    one = half(TEXTS[:H], NAMES[:H], extra=list(range(H)))
    other = pa.table({"label": NAMES[H:], "text": TEXTS[H:]})
    assert in_order(drawn(shards(tmp_path, one, other, form=form))) == (TEXTS, NAMES)


@pytest.mark.parametrize("form", FORMS)
def test_a_column_that_is_empty_in_the_first_file_has_the_type_of_a_later_one(
    tmp_path: Path, form: str
) -> None:
    sample = drawn(shards(tmp_path, half(TEXTS[:H], pa.nulls(H)), half(TEXTS[H:], NAMES[H:]), form=form))
    assert in_order(sample) == (TEXTS[H:], NAMES[H:]) and sample.draw.dropped == {"missing label": H}
    assert sample.draw.rows_seen == N


@pytest.mark.parametrize("form", FORMS)
def test_files_with_texts_and_numbers_in_one_column_are_refused(tmp_path: Path, form: str) -> None:
    folder = shards(
        tmp_path, half(TEXTS[:H], NUMBERS[:H]), half(TEXTS[H:], [str(n) for n in NUMBERS[H:]]), form=form
    )
    with pytest.raises(
        DatasetError, match=r"train-1.*: column 'label' holds string values, .* first file int64"
    ):
        drawn(folder)


@pytest.mark.parametrize("form", FORMS)
def test_empty_files_and_row_groups_do_not_matter(tmp_path: Path, form: str) -> None:
    whole = half(TEXTS, NAMES)
    assert in_order(drawn(shards(tmp_path, whole.slice(0, 0), whole, whole.slice(0, 0), form=form))) == (
        TEXTS,
        NAMES,
    )
    if form == "parquet":
        with pq.ParquetWriter(tmp_path / "data.parquet", whole.schema) as writer:
            for part in (whole.slice(0, 0), whole.slice(0, H), whole.slice(0, 0), whole.slice(H)):
                writer.write_table(part)
        assert in_order(drawn(tmp_path / "data.parquet")) == (TEXTS, NAMES)
    with pytest.raises(DatasetError, match=r"no usable labelled row \(no rows\); "):
        of(tmp_path, {"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}, form)


@pytest.mark.parametrize("form", FORMS)
def test_two_columns_of_one_name_matter_only_if_they_are_needed(tmp_path: Path, form: str) -> None:
    file = tmp_path / ("data.parquet" if form == "parquet" else "data.arrow")
    columns = [pa.array(TEXTS), pa.array(NAMES), pa.array(["x"] * N), pa.array(range(N))]
    file.write_bytes(stored(pa.Table.from_arrays(columns, names=["text", "label", "extra", "extra"]), form))
    assert in_order(drawn(file)) == (TEXTS, NAMES)
    for names in (["text", "label", "label", "n"], ["text", "label", "text", "n"]):
        file.write_bytes(stored(pa.Table.from_arrays(columns, names=names), form))
        with pytest.raises(
            DatasetError, match=rf"data.*: 2 columns are called '{names[2]}'; rename all but one"
        ):
            drawn(file, input_columns=("text",), label_columns=("label",))
    nested = pa.StructArray.from_arrays([pa.array(range(N)), pa.array(range(N))], names=["a", "a"])
    file.write_bytes(stored(pa.table({"text": TEXTS, "label": NAMES, "extra": nested}), form))
    assert in_order(drawn(file)) == (TEXTS, NAMES)


def test_columns_with_dots_in_their_names_are_told_apart(tmp_path: Path) -> None:
    columns = {
        "text": TEXTS,
        "text.raw": ["x"] * N,
        "label.name": NAMES,
        "label": pa.array([{"name": 1}] * N),
    }
    assert in_order(of(tmp_path, columns, label_columns=("label.name",), input_columns=("text",))) == (
        TEXTS,
        NAMES,
    )


TEXT = {"dtype": "string", "_type": "Value"}
CLASSES = {"names": ["neg", "pos"], "_type": "ClassLabel"}
CODES = [i % 2 for i in range(N)]


def declared(tmp_path: Path, metadata: bytes, form: str, columns: dict[str, Any] | None = None) -> Sample:
    table = pa.table(columns or {"text": TEXTS, "label": CODES, "extra": ["x"] * N})
    file = tmp_path / ("data.parquet" if form == "parquet" else "data.arrow")
    file.write_bytes(
        stored(table.replace_schema_metadata({b"huggingface": metadata, b"pandas": b"{broken"}), form)
    )
    return drawn(file, input_columns=("text",), label_columns=("label",))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("features", "classes", "noted"),
    [
        ({"text": TEXT, "label": CLASSES}, ["neg", "pos"], ""),
        ({"text": TEXT, "label": CLASSES, "extra": {"_type": "Hologram"}}, ["neg", "pos"], ""),
        (
            {"text": TEXT, "label": CLASSES, "extra": {"dtype": "hologram", "_type": "Value"}},
            ["neg", "pos"],
            "",
        ),
        ({"text": TEXT, "label": CLASSES, "gone": TEXT}, ["neg", "pos"], ""),
        ({"label": CLASSES}, ["neg", "pos"], ""),
        ({"text": TEXT}, ["0", "1"], ""),
        (
            {"text": TEXT, "label": TEXT},
            ["0", "1"],
            "'label' is ignored, since it does not fit the int64 values",
        ),
        (
            {"text": TEXT, "label": {"_type": "Class2"}},
            ["0", "1"],
            "'label' is ignored, since it has a type that this",
        ),
        (
            {"text": CLASSES, "label": CLASSES},
            ["neg", "pos"],
            "'text' is ignored, since it does not fit the string",
        ),
        (None, ["0", "1"], ""),
        ([], ["0", "1"], ""),
    ],
)
def test_declared_features_are_used_where_they_fit(
    tmp_path: Path, features: Any, classes: list[str], noted: str, form: str
) -> None:
    sample = declared(tmp_path, json.dumps({"info": {"features": features}}).encode(), form)
    assert in_order(sample)[0] == TEXTS and list(sample.draw.classes) == classes
    assert len(sample.draw.notes) == bool(noted) and noted in "".join(sample.draw.notes)


@pytest.mark.parametrize("metadata", [b"{", b"\xff", b"[]", b"null", b'{"info": 3}'])
def test_damaged_metadata_is_no_obstacle(tmp_path: Path, metadata: bytes) -> None:
    assert list(declared(tmp_path, metadata, "parquet").draw.classes) == ["0", "1"]


def test_a_class_without_a_name_is_dropped_and_counted(tmp_path: Path) -> None:
    features = {"info": {"features": {"text": TEXT, "label": {"names": ["a", "b"], "_type": "ClassLabel"}}}}
    columns = {"text": TEXTS, "label": [i % 3 for i in range(N)]}
    sample = declared(tmp_path, json.dumps(features).encode(), "parquet", columns)
    assert sample.draw.dropped == {"class number without a name": 13}


@pytest.mark.parametrize("form", ["parquet", "stream"])
def test_a_card_with_types_that_are_not_known_or_do_not_fit_is_no_obstacle(tmp_path: Path, form: str) -> None:
    (tmp_path / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n"
        "      class_label:\n        names:\n          '0': neg\n          '1': pos\n  - name: extra\n    dtype: hologram\n"
        "  - name: more\n    mesh:\n      decode: false\n  - name: gone\n    dtype: int64\n---\n"
    )
    table = pa.table({"text": TEXTS, "label": CODES, "extra": ["x"] * N, "undeclared": NAMES})
    name = "train.parquet" if form == "parquet" else "train.arrow"
    (tmp_path / name).write_bytes(stored(table, form))
    sample = drawn(tmp_path, input_columns=("text",))
    assert list(sample.draw.classes) == ["neg", "pos"] and sample.draw.notes == ()
    assert list(drawn(tmp_path, input_columns=("text",), label_columns=("undeclared",)).draw.classes) == [
        "a",
        "b",
    ]


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 437955512\n" % (b"ab" * 32)


@pytest.mark.parametrize(
    "name", ["data.parquet", "data.pq", "data.arrow", "data.feather", "data.jsonl", "data.json", "data.tar"]
)
@pytest.mark.parametrize("where", ["file", "folder", "memory"])
def test_a_git_lfs_pointer_is_named(tmp_path: Path, name: str, where: str) -> None:
    (tmp_path / name).write_bytes(POINTER)
    fsspec.filesystem("memory").pipe(f"/pointers/{name}", POINTER)
    place = {"file": str(tmp_path / name), "folder": str(tmp_path), "memory": f"memory://pointers/{name}"}[
        where
    ]
    with pytest.raises(DatasetError, match=rf"{name}: a Git LFS pointer, not the data; run git lfs pull"):
        drawn(place)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data.feather", b"FEA1" + bytes(100), "Feather of version 1"),
        ("data.parquet", b"PAR1" + bytes(100) + b"PARE", "an encrypted parquet file"),
        (
            "data.parquet",
            stored(pa.table({"text": TEXTS, "label": NAMES}), "parquet")[:-50],
            "not a parquet file, or",
        ),
        (
            "data.arrow",
            stored(pa.table({"text": TEXTS, "label": NAMES}), "stream")[:200],
            "not an Arrow file, or",
        ),
        ("data.arrow", b"", "not an Arrow file, or corrupt"),
    ],
)
def test_what_is_no_table_is_said_in_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=said) as refused:
        drawn(tmp_path / name)
    assert name in str(refused.value) and "; " in str(refused.value) and "\n" not in str(refused.value)

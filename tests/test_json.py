"""JSON in every form that people and libraries write: the same rows, or one line that says what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from hubscan import recipe
from hubscan.errors import DatasetError
from hubscan.records import Sample
from hubscan.sample import draw
from hubscan.sample.sources.json_files import parse as json_parse

ROWS = [{"text": f"row {i}", "label": "ab"[i % 2]} for i in range(40)]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("text", "label")}
FRAME = pd.DataFrame(ROWS)


def drawn(path: Path, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(path), "samples": 40, **keys}).sample_request)


def of(tmp_path: Path, content: str | bytes, name: str = "rows.json", **keys: Any) -> Sample:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return drawn(file, **keys)


def refusal(tmp_path: Path, content: str | bytes, name: str = "rows.json", **keys: Any) -> str:
    with pytest.raises(DatasetError) as refused:
        of(tmp_path, content, name, **keys)
    said = str(refused.value)
    assert "\n" not in said and "; " in said and name in said, said
    return said


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def is_whole(sample: Sample) -> bool:
    """Return whether *sample* has the forty rows with their labels."""
    order = np.argsort(sample.row_ids)
    texts = [sample.inputs["text"][place] for place in order]
    return texts == COLUMNS["text"] and [int(sample.labels[place]) for place in order] == [0, 1] * 20


def written(**options: Any) -> str:
    content: str = FRAME.to_json(**options)
    return content


FORMS: dict[str, str | bytes] = {
    "lines": lines(ROWS),
    "no last line break": lines(ROWS)[:-1],
    "blank lines": lines(ROWS).replace("\n", "\n\n  \n"),
    "blank lines first": "\n\n" + lines(ROWS),
    "CRLF": lines(ROWS).replace("\n", "\r\n"),
    "CR": lines(ROWS).replace("\n", "\r"),
    "nothing between": lines(ROWS).replace("\n", ""),
    "BOM": b"\xef\xbb\xbf" + lines(ROWS).encode(),
    "gzip": gzip.compress(lines(ROWS).encode()),
    "list": json.dumps(ROWS),
    "pretty list": json.dumps(ROWS, indent=2),
    "BOM list": b"\xef\xbb\xbf\n " + json.dumps(ROWS).encode(),
    "a list over several lines": "[" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
    "pretty objects": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "under the only key": json.dumps({"data": ROWS}),
    "pretty, under a key": json.dumps({"rows": ROWS}, indent=4),
    "columns": json.dumps(COLUMNS),
    "pretty columns": json.dumps(COLUMNS, indent=1),
    "columns, one of objects": json.dumps({**COLUMNS, "meta": [{"n": i} for i in range(40)]}),
    "pandas": written(),
    "pandas index": written(orient="index"),
    "pandas split": written(orient="split"),
    "pandas split without index": written(orient="split", index=False),
    "pandas table": written(orient="table"),
    "pandas records": written(orient="records"),
    "pandas lines": written(orient="records", lines=True),
    "pandas indented": written(indent=2),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_every_form_gives_the_same_rows(tmp_path: Path, form: str, name: str) -> None:
    sample = of(tmp_path, FORMS[form], name)
    assert is_whole(sample) and sample.draw.notes == () and sample.draw.dropped == {}


def test_the_form_does_not_change_which_rows_are_drawn(tmp_path: Path) -> None:
    one, other = (of(tmp_path, FORMS[form], samples=10) for form in ("lines", "pandas split"))
    assert np.array_equal(one.row_ids, other.row_ids) and one.inputs == other.inputs


def test_a_list_is_read_in_pieces_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": row["text"], "label": row["label"], "more": "é😀\\" * 30} for row in ROWS]
    for size in (1, 2, 7, 64, 1000):
        monkeypatch.setattr(json_parse, "CHUNK_BYTES", size)
        assert is_whole(of(tmp_path, json.dumps(rows, ensure_ascii=False, indent=size % 3)))


def test_a_key_that_was_chosen_among_several_is_noted(tmp_path: Path) -> None:
    sample = of(tmp_path, json.dumps({"version": "1.0", "data": ROWS}))
    assert is_whole(sample)
    assert sample.draw.notes == (
        "the rows are those under the key 'data', and other keys are ignored ('version'); to read others, "
        "save them as a file of their own",
    )


@pytest.mark.parametrize("orient", ["columns", "index"])
def test_pandas_with_an_index_of_names_is_read_and_noted(tmp_path: Path, orient: Any) -> None:
    named = FRAME.set_index(pd.Index([f"id-{i}" for i in range(40)]))
    sample = of(tmp_path, named.to_json(orient=orient))
    assert is_whole(sample) and "'text', 'label'" in sample.draw.notes[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps({"train": ROWS, "test": ROWS}), "under the keys 'train' (40), 'test' (40)"),
        (json.dumps({"result": {"rows": ROWS}}), "the lists of objects are under 'result.rows'"),
        (written(orient="values"), "row 1: a list of texts where a row should be"),
        ("\n".join(json.dumps(list(row.values())) for row in ROWS), "row 1: the text 'row 0' where a row"),
        (json.dumps(["a", "b"]), "row 1: the text 'a' where a row should be"),
        (json.dumps({"text": ["a", "b"], "label": [1]}), "an object with the keys 'text', 'label'"),
        (json.dumps("text"), "line 1: not JSON: '\"text\"'"),
        ('{"text": "a", "label": 1}\n[1]\n', "line 2: a list of numbers where a row should be"),
        ('{"text": "a", "label": 1}\n\n{"text": "b", "label": }\n', "line 3: not JSON: Expecting value at '}'"),
        ('{"text": "a", "label": 1},\n{"text": "b", "label": 0}\n', "line 1: not JSON"),
        ('[{"text": "a", "label": 1},\n{"text": "b", "label": 0},\n]', "line 3: not JSON"),
        ('[{"text": "a", "label": 1}\n{"text": "b", "label": 0}]', "after row 1: '{' where ',' or ']'"),
        ('[{"text": "a", "label": 1}] [2]', "after row 1: text after the end"),
        (json.dumps(ROWS)[:-1], "after row 40: the file ends where ',' or ']'"),
        (json.dumps(ROWS)[:-20], "cut off|not JSON"),
        (lines(ROWS)[:-5], "line 40: not JSON|line 40: the last value is cut off"),
        (lines(ROWS).encode("utf-16"), "UTF-16 or UTF-32"),
        (lines(ROWS).encode("utf-16-le"), "UTF-16 or UTF-32"),
        (lines(ROWS).encode("utf-32"), "UTF-16 or UTF-32"),
        (b"", "the file is empty"),
        (b" \n \n", "the file is empty"),
        (b"[]", "the split has no rows"),
        ('{"text": ' + "[" * 100_000, "nested more than 64 deep"),
        ('{"text": "a", "label": ' + "[" * 100_000 + "]" * 100_000 + "}\n" + lines(ROWS), "nested more than 64 deep"),
        ('{"text": "a", "label": ' + "9" * 5000 + "}\n" + lines(ROWS), "write such numbers as texts"),
        ('{"text": {"0": "a"}, "label": {"0": 1, "0": 2}}', "several values for the keys '0'"),
        (json.dumps({"0": {"1": 1}}), "either may be the columns"),
        ("text,label\na,b\n", "line 1: not JSON: 'text,label'"),
        (b"<html><body>", "this is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer, not the"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_what_cannot_be_read_is_described_in_one_line(
    tmp_path: Path, content: str | bytes, said: str, name: str
) -> None:
    answer = refusal(tmp_path, content, name)
    assert any(part in answer for part in said.split("|")), answer


def mixed(change: Callable[[int, str], Any], column: str) -> str:
    return lines([{**row, column: change(i, row[column])} for i, row in enumerate(ROWS)])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda i, v: i % 2 if i % 3 else str(i % 2), "line 1, column 'label': the text '0', but line 2 has the number 1"),
        (lambda i, v: bool(i % 2) if i % 3 else i % 2, "line 1, column 'label': the number 0, but line 2 has the boolean true"),
        (lambda i, v: v if i % 3 else [v], "line 1, column 'label': a list of texts, but line 2 has the text 'b'"),
        (lambda i, v: v if i != 9 else {"a": 1}, "line 10, column 'label': an object with the keys 'a', but line 1 has"),
        (lambda i, v: [v] if i != 9 else [v, 1], "line 10, column 'label': a list of numbers and texts does not fit"),
        (lambda i, v: [i % 2] if i != 9 else ["1"], "line 10, column 'label': a list of texts does not fit"),
    ],
)  # fmt: skip
def test_a_label_that_changes_its_type_is_named_with_its_line(
    tmp_path: Path, change: Callable[[int, str], Any], said: str
) -> None:
    assert said in refusal(tmp_path, mixed(change, "label"), "rows.jsonl", label_columns=("label",))


def test_a_label_that_changes_its_type_far_down_is_named_too(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "label": i % 2 if i < 30_000 else "1"} for i in range(30_010)]
    said = refusal(tmp_path, lines(rows), "rows.jsonl")
    assert "line 30001, column 'label': the text '1', but line 1 has the number 0" in said


def test_whole_floats_among_integers_are_the_same_class(tmp_path: Path) -> None:
    content = mixed(lambda i, v: i % 2 if i % 3 else float(i % 2), "label")
    assert of(tmp_path, content, "rows.jsonl").draw.classes == {"0": 20, "1": 20}
    late = [{"text": f"t{i}", "label": i % 2 if i < 30_000 else float(i % 2)} for i in range(30_010)]
    assert list(of(tmp_path, lines(late), "rows.jsonl").draw.classes) == ["0", "1"]
    fractions = mixed(lambda i, v: i if i % 3 else i + 0.5, "label")
    assert of(tmp_path, fractions, "rows.jsonl").draw.label_kind == "number"


@pytest.mark.parametrize("other", [42, 4.5, True, ["a"], {"a": "b"}, float("inf")])
@pytest.mark.parametrize("form", ["lines", "list", "split"])
def test_a_text_that_is_no_text_is_dropped_and_counted(tmp_path: Path, other: Any, form: str) -> None:
    rows = [{**row, "text": other} if i % 10 == 0 else row for i, row in enumerate(ROWS)]
    split = {"columns": ["text", "label"], "data": [list(row.values()) for row in rows]}
    content = {"lines": lines(rows), "list": json.dumps(rows), "split": json.dumps(split)}[form]
    sample = of(tmp_path, content)
    assert sample.draw.dropped == {"not a text": 4} and sample.draw.rows == 36
    assert all(text == f"row {i}" for i, text in zip(sample.row_ids, sample.inputs["text"], strict=True))


def test_a_pair_of_texts_is_read_loosely_too(tmp_path: Path) -> None:
    rows = [
        {"premise": row["text"], "hypothesis": 1 if i == 3 else "b", "label": i % 2}
        for i, row in enumerate(ROWS)
    ]
    assert of(tmp_path, lines(rows)).draw.dropped == {"not a text": 1}


def test_absent_keys_and_nulls_are_missing(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [dict(row) for row in ROWS]
    rows[5]["label"], rows[6]["text"] = float("nan"), float("nan")
    del rows[0]["label"]
    del rows[1]["text"]
    rows[2]["label"], rows[3]["text"], rows[4]["text"] = None, None, ""
    sample = of(tmp_path, lines(rows))
    assert sample.draw.rows == 33 and sample.draw.dropped == {"missing label": 3, "empty input": 4}
    for i, row in enumerate(rows):
        row["label"] = float("nan") if i == 7 else i % 2
    assert of(tmp_path, lines(rows)).draw.classes == {"0": 18, "1": 17}


def test_a_key_that_comes_late_or_leaves_early_is_a_column(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"t{i}"} for i in range(3000)]
    for i in range(1500, 1600):
        rows[i]["label"] = "ab"[i % 2]
    sample = of(tmp_path, lines(rows), samples=100)
    assert sample.draw.rows == 100 and sample.draw.dropped == {"missing label": 2900}


def test_a_key_twice_matters_only_where_it_is_needed(tmp_path: Path) -> None:
    twice = lines(ROWS).replace('"label"', '"extra": 1, "extra": 2, "label"', 1)
    assert is_whole(of(tmp_path, twice))
    needed = lines(ROWS).replace('"label"', '"label": "b", "label"', 1)
    assert "line 1, column 'label': the object has this key twice" in refusal(tmp_path, needed)


def test_numbers_beyond_any_type_and_not_a_number_are_read(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "label": i % 2, "id": 2**70 + i, "x": float("inf")} for i in range(40)]
    assert of(tmp_path, lines(rows)).draw.rows == 40
    scores = [{"text": f"t{i}", "score": float("nan") if i == 3 else i / 7} for i in range(40)]
    assert of(tmp_path, lines(scores)).draw.dropped == {"missing label": 1}
    unsigned = [{"text": f"t{i}", "label": 2**64 - 1 - i % 2} for i in range(40)]
    assert list(of(tmp_path, lines(unsigned)).draw.classes) == [str(2**64 - 2), str(2**64 - 1)]
    later = [{"text": f"t{i}", "label": i % 2 + (i == 39) * 2**80} for i in range(40)]
    assert of(tmp_path, lines(later), label_kind="class").draw.rows


def test_half_a_character_makes_only_its_row_unusable(tmp_path: Path) -> None:
    content = lines(ROWS).replace('row 3"', '\\ud83d"').encode().replace(b'row 4"', b'\xe1"')
    assert of(tmp_path, content).draw.dropped == {"text is not UTF-8": 2}


def test_nested_columns_beside_the_text_do_not_matter(tmp_path: Path) -> None:
    rows = [
        {**row, "a": [{"b": [i]}], "c": {"d": i} if i % 2 else {"d": "x"}, "e": [1, "x"], "f": [[1], ["x"]]}
        for i, row in enumerate(ROWS)
    ]
    assert is_whole(of(tmp_path, lines(rows)))


def test_dates_are_neither_texts_nor_labels_but_can_be_groups(tmp_path: Path) -> None:
    rows = [
        {"said": row["text"], "label": row["label"], "day": f"2024-01-{i % 9 + 1:02}"}
        for i, row in enumerate(ROWS)
    ]
    sample = of(tmp_path, lines(rows), group_column="day")
    assert sample.draw.columns["text"] == "said" and sample.draw.group_count == 9


def test_lists_of_labels_and_words_are_read(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "tags": ["x"] * (i % 2) + ["y"] * (i % 3 == 0)} for i in range(40)]
    assert of(tmp_path, lines(rows)).draw.label_kind == "multilabel"
    words = [{"tokens": ["a", "b"], "tags": ["O", "X"]} for _ in range(40)]
    assert of(tmp_path, lines(words)).draw.label_kind == "token"


def test_declared_features_apply(tmp_path: Path) -> None:
    info = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': zero
          '1': one
---
"""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "README.md").write_text(info)
    for labels in ((0, 1), ("zero", "one")):
        rows = [{"text": f"row {i}", "label": labels[i % 2]} for i in range(40)]
        (folder / "train.jsonl").write_text(lines(rows))
        sample = drawn(folder)
        assert list(sample.draw.classes) == ["zero", "one"] and is_whole(sample)


def test_the_key_that_a_dataset_declares_is_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: train.json\n  field: test\n---\n"
    )
    (tmp_path / "train.json").write_text(json.dumps({"train": [{"a": 1}], "test": ROWS}))
    assert is_whole(drawn(tmp_path))


def test_a_folder_may_hold_files_of_both_forms(tmp_path: Path) -> None:
    (tmp_path / "train-1.json").write_text(json.dumps(ROWS[:20]))
    (tmp_path / "train-2.json").write_text(lines(ROWS[20:]))
    assert is_whole(drawn(tmp_path))


def test_a_document_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_parse, "MOST_DOCUMENT_BYTES", 500)
    assert "one JSON document of over" in refusal(tmp_path, json.dumps(COLUMNS, indent=1))
    assert is_whole(of(tmp_path, FORMS["pretty list"])) and is_whole(of(tmp_path, FORMS["lines"]))


def test_a_stream_reads_only_what_it_must(tmp_path: Path) -> None:
    content: Any = io.BufferedReader(io.BytesIO(lines(ROWS * 20_000).encode()))
    next(json_parse.parsed(content, "rows.jsonl").numbered)
    assert content.tell() < 100_000


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst", "lz4", "zip"])
@pytest.mark.parametrize("form", ["lines", "list", "pandas"])
def test_a_packed_file_is_unpacked(tmp_path: Path, ending: str, form: str) -> None:
    content = str(FORMS[form]).encode()
    file = tmp_path / f"rows.json.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("inside/rows.json", content)
    elif ending in ("zst", "lz4"):
        with pa.CompressedOutputStream(str(file), "zstd" if ending == "zst" else "lz4") as stream:
            stream.write(content)
    else:
        file.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[ending].compress(content))
    assert is_whole(drawn(file)) and is_whole(drawn(tmp_path))


def test_a_zip_of_several_files_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rows.jsonl.zip", "w") as packed:
        packed.writestr("a.jsonl", lines(ROWS))
        packed.writestr("b.jsonl", lines(ROWS))
    with pytest.raises(DatasetError, match="unpack it"):
        drawn(tmp_path / "rows.jsonl.zip")
    (tmp_path / "rows.parquet.zip").write_bytes((tmp_path / "rows.jsonl.zip").read_bytes())
    with pytest.raises(DatasetError, match="unpack it"):
        drawn(tmp_path / "rows.parquet.zip")

"""Datasets that name what is not theirs: nothing outside their folder is opened, and one line says why."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hubscan.errors import HubscanError
from hubscan.hub.ranges import RemoteFile
from hubscan.records import SampleRequest
from hubscan.sample import draw, embedded_files
from hubscan.sample.sources.card import check_declaration
from hubscan.sample.sources.named_files import NamedFiles
from tests.support.fault_table import record
from tests.support.images import png

SECONDS = 20


def answer(place: Path, **asked: Any) -> str:
    """Return the reasons of dropped rows, or the error line."""
    begun = time.monotonic()
    try:
        said = str(draw(SampleRequest(str(place), samples=40, **asked)).draw.dropped)
    except HubscanError as error:
        said = str(error)
    assert time.monotonic() - begun < SECONDS
    assert "\n" not in said and "Traceback" not in said
    return said


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the folder of a dataset, beside private files."""
    (tmp_path / "private.png").write_bytes(png(99))
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "data").mkdir()
    for number in range(40):
        (tmp_path / "data" / f"{number}.png").write_bytes(png(number))
    return tmp_path / "data"


NAMES = {
    "an absolute path": "{above}/private.png",
    "a path through the parent folder": "../private.png",
    "a path through a folder that does not exist": "x/../../private.png",
    "a path with backslashes": "..\\private.png",
    "a link to a private file": "link.png",
    "a private file in a linked folder": "linked/private.png",
    "/dev/zero": "/dev/zero",
    "a link to /dev/zero": "zero.png",
    "a named pipe": "{above}/pipe.png",
    "a named pipe beside the data": "own-pipe.png",
    "a file URL": "file://{above}/private.png",
    "a private zip file": "zip://private.png::{above}/x.zip",
    "a page in the network": "http://127.0.0.1:9/x.png",
    "a file of another dataset": "hf://datasets/org/other@main/x.png",
    "NUL": "0.png\0",
    "the home folder": "~/private.png",
    "a folder": ".",
}


@pytest.mark.parametrize("kind", ["parquet", "saved", "jsonl", "metadata"])
@pytest.mark.parametrize("name", NAMES)
def test_cells_name_regular_files_of_the_dataset_only(data: Path, name: str, kind: str) -> None:
    (data / "link.png").symlink_to(data.parent / "private.png")
    (data / "linked").symlink_to(data.parent)
    (data / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(data / "own-pipe.png")
    foreign = NAMES[name].format(above=data.parent)
    paths = [f"{number}.png" for number in range(30)] + [foreign] * 10
    labels = ["a", "b"] * 20
    if kind == "parquet":
        cells = [{"bytes": None, "path": path} for path in paths]
        pq.write_table(pa.table({"image": cells, "label": labels}), data / "rows.parquet")
        place = data / "rows.parquet"
    elif kind == "saved":
        place = data / "saved"
        cells = [{"bytes": None, "path": path} for path in paths]
        stored = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        rows = pa.table({"image": pa.array(cells, stored), "label": labels})
        datasets.Dataset(rows).save_to_disk(place)
        described = json.loads((place / "dataset_info.json").read_text())
        described["features"]["image"] = {"decode": False, "_type": "Image"}
        (place / "dataset_info.json").write_text(json.dumps(described))
        for number in range(30):
            (data / f"{number}.png").rename(place / f"{number}.png")
        for other in ("link.png", "linked", "zero.png", "own-pipe.png"):
            (data / other).rename(place / other)
    elif kind == "jsonl":
        place = data / "rows.jsonl"
        lines = (json.dumps({"image": p, "label": x}) for p, x in zip(paths, labels, strict=True))
        place.write_text("\n".join(lines))
    else:
        place = data
        for link in ("own-pipe.png", "zero.png", "link.png", "linked"):  # the user's own links are followed
            (data / link).unlink()
        rows = [f"{path},{label}" for path, label in zip(paths, labels, strict=True) if "\0" not in path]
        (data / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    said = answer(place)
    read = private_is_read(place)
    assert not read, said
    record(
        "dataset",
        f"{kind} with cells that name {name}",
        said if "{" not in said else f"ranked; dropped {said}",
    )


def private_is_read(place: Path) -> bool:
    """Return whether the content of the private file is in the sample."""
    try:
        found = draw(SampleRequest(str(place), samples=40))
    except HubscanError:
        return False
    return png(99) in found.inputs.get("image", ())


@pytest.mark.parametrize(
    "listed",
    [
        [{"filename": "../../private.arrow"}],
        [{"filename": "/etc/passwd"}],
        [{"filename": "link.arrow"}],
        [{"filename": 7}],
        [7],
        [{}],
        [{"filename": "missing.arrow"}],
        [{"filename": "pipe.arrow"}],
    ],
)
def test_a_saved_dataset_names_its_own_tables_only(tmp_path: Path, listed: list[Any]) -> None:
    place = tmp_path / "outer" / "saved"
    datasets.Dataset.from_dict({"text": ["a", "b"] * 20, "label": ["x", "y"] * 20}).save_to_disk(place)
    table = next(place.glob("*.arrow"))
    table.rename(tmp_path / "private.arrow")
    (place / "link.arrow").symlink_to(tmp_path / "private.arrow")
    os.mkfifo(place / "pipe.arrow")
    state = json.loads((place / "state.json").read_text())
    (place / "state.json").write_text(json.dumps(state | {"_data_files": listed}))
    said = answer(place)
    assert "state.json names" in said
    record("dataset", f"save_to_disk whose state names {listed}", said)


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json"])
@pytest.mark.parametrize("bad", ["[]", "{", "[" * 50_000, "\0", "7", f'{{"a": {"9" * 10**5}}}'])
def test_a_damaged_description_of_a_saved_dataset_is_one_line(tmp_path: Path, name: str, bad: str) -> None:
    place = tmp_path / "saved"
    datasets.Dataset.from_dict({"text": ["a", "b"] * 20, "label": ["x", "y"] * 20}).save_to_disk(place)
    (place / name).write_text(bad)
    said = answer(place)
    assert name in said
    record("dataset", f"save_to_disk with {name}: {bad[:20]}", said)


@pytest.mark.parametrize("splits", [["../../other"], ["/etc"], [7], ["."]])
def test_a_saved_dataset_names_its_own_splits_only(tmp_path: Path, splits: list[Any]) -> None:
    place = tmp_path / "saved"
    rows = datasets.Dataset.from_dict({"text": ["a", "b"] * 20, "label": ["x", "y"] * 20})
    datasets.DatasetDict({"train": rows}).save_to_disk(place)
    (place / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
    said = answer(place)
    assert "dataset_dict.json names" in said
    record("dataset", f"save_to_disk with splits {splits}", said)


CARDS = {
    "a URL": "configs:\n- config_name: a\n  data_files: http://10.0.0.1/x.csv\n",
    "a chain of file systems": 'configs:\n- config_name: a\n  data_files: "zip://*.csv::/abs/x.zip"\n',
    "an absolute path": "configs:\n- config_name: a\n  data_files: /etc/*.csv\n",
    "the parent folder": "configs:\n- config_name: a\n  data_files: ../*.csv\n",
    "the parent folder in a list": "configs:\n- config_name: a\n  data_files: [x.csv, y/../../z.csv]\n",
    "the parent folder of a split": (
        "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: [../x.csv]\n"
    ),
    "a Windows drive": "configs:\n- config_name: a\n  data_files: C:\\x.csv\n",
    "the home folder": "configs:\n- config_name: a\n  data_files: ~/x.csv\n",
    "another repository": "configs:\n- config_name: a\n  data_files: hf://datasets/a/b/x.csv\n",
    "a folder above": "configs:\n- config_name: a\n  data_dir: ../..\n",
    "a pattern of 50 asterisks": f"configs:\n- config_name: a\n  data_files: '{'*a' * 50}'\n",
    "a pattern of a million characters": f"configs:\n- config_name: a\n  data_files: '{'a' * 10**6}'\n",
    "a number as a file": "configs:\n- config_name: a\n  data_files: 7\n",
    "rows to skip without end": "configs:\n- config_name: a\n  data_files: x.csv\n  skiprows: 99999999999\n",
    "a separator that is a pattern": "configs:\n- config_name: a\n  data_files: x.csv\n  sep: '(a+)+#'\n",
    "another engine": "configs:\n- config_name: a\n  data_files: x.csv\n  engine: python\n",
    "an encoding that is code": "configs:\n- config_name: a\n  data_files: x.csv\n  encoding: zlib\n",
    "converters": "configs:\n- config_name: a\n  data_files: x.csv\n  converters: {a: eval}\n",
    "filters": "configs:\n- config_name: a\n  data_files: x.parquet\n  filters: [[a, '=', 1]]\n",
    "storage options": "configs:\n- config_name: a\n  data_files: x.csv\n  storage_options: {key: x}\n",
    "configs that are text": "configs: x\n",
    "configs of numbers": "configs: [1, 2]\n",
    "aliases": "x: &a [1, 2]\nconfigs: [*a, *a]\n",
    "deep nesting": "configs: " + "[" * 50_000 + "]" * 50_000 + "\n",
    "a Python tag": "configs: !!python/object/apply:os.system ['true']\n",
    "NUL": "configs: \0\n",
    "a number of a million digits": f"configs: {'9' * 10**6}\n",
    "no mapping": "- a\n",
    "dataset_info that is text": "dataset_info: x\n",
    "dataset_info of numbers": "dataset_info: [1]\n",
    "100,000 configs": "configs:\n" + "- config_name: a\n" * 100_000,
}


@pytest.mark.parametrize("card", CARDS)
def test_a_card_declares_files_of_its_own_and_known_options(tmp_path: Path, card: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("text,label\n" + "good,a\nbad,b\n" * 20)
    (tmp_path / "data" / "README.md").write_text(f"---\n{CARDS[card]}---\n")
    said = answer(tmp_path / "data")
    assert "README.md" in said and len(said) < 500, said
    record("dataset", f"a README with {card}", said)


@pytest.mark.parametrize("bad", ["a: &a [1]\nb: *a\n", "[" * 50_000, "\0"])
def test_the_other_file_of_yaml_is_checked_too(tmp_path: Path, bad: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("text,label\n" + "good,a\nbad,b\n" * 20)
    (tmp_path / "data" / ".huggingface.yaml").write_text(bad)
    said = answer(tmp_path / "data")
    assert ".huggingface.yaml" in said
    record("dataset", f".huggingface.yaml: {bad[:20]}", said)


FINE = [
    "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: data/train-*\n",
    "configs:\n- config_name: a\n  data_files: '**/*.csv'\n  sep: ';'\n  encoding: latin-1\n  default: true\n",
    "configs:\n- config_name: a\n  data_dir: data\n  drop_labels: false\n",
    "configs:\n- config_name: a\n  data_files: {train: [a.csv, b.csv], test: 'c/*.csv'}\n  header: 0\n",
    "configs: []\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n",
    "license: mit\n",
    "",
]


@pytest.mark.parametrize("card", FINE)
def test_ordinary_cards_pass(card: str) -> None:
    check_declaration("org/x", "README.md", f"---\n{card}---\n# Title\n")


ADDRESSES = [
    "hf://datasets/evil/big@{commit}/../../../x.png",
    "hf://datasets/evil/big@{commit}/a/./x.png",
    "hf://datasets/evil/big@{commit}//x.png",
    "hf://datasets/evil/big@{commit}/a/..",
    "hf://datasets/../big@{commit}/x.png",
    "hf://datasets/evil/big@main/../../other@main/x.png",
    "hf://datasets/other/private@{commit}/x.png",
    "hf://models/evil/big@{commit}/x.png",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_row_names_files_of_its_own_repository_only(address: str) -> None:
    commit = "a" * 40
    named = NamedFiles(f"hf://datasets/evil/big@{commit}/", f"hf://datasets/evil/big@{commit}/x.parquet")
    with pytest.raises(FileNotFoundError):
        named.fetch(address.format(commit=commit))
    record(
        "dataset", f"a row that names {address.format(commit='COMMIT')}", "not asked for; the row is dropped"
    )


@pytest.mark.parametrize("address", ADDRESSES[:5])
def test_an_address_leads_nowhere_else(address: str) -> None:
    with pytest.raises(HubscanError, match="not an address"):
        _ = RemoteFile(address.format(commit="a" * 40)).size


LITERALS = ["b'" + "\\x00" * 10 + "'", "{'bytes': b'abc', 'path': None}", "{'path': 'a.png', 'bytes': None}"]


@pytest.mark.parametrize("text", LITERALS)
def test_what_pandas_writes_is_read(text: str) -> None:
    assert embedded_files._literal(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "{'bytes': " + "(" * 100_000,
        "{'bytes': " + "[" * 200 + "]" * 200 + "}",
        "{'bytes': " + "-" * 100_000 + "1}",
        "{'bytes': 9" + "9" * 100_000 + "}",
        "{'bytes': b'x' " * 1000,
        "b'" + "a" * 1000,
    ],
)
def test_any_other_literal_is_not_parsed(text: str) -> None:
    assert embedded_files._literal(text) is None
    record("dataset", f"a cell of Python: {text[:24]}…", "not parsed; the row is dropped")


def test_base64_of_a_private_path_is_no_file(tmp_path: Path) -> None:
    assert embedded_files.inside(base64.b64encode(b"/etc/passwd" * 4).decode()) is None

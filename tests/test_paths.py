"""A path is a path: no character in the name of a file or folder is a pattern, an option or an address."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hubscan
from hubscan import recipe
from hubscan.errors import DatasetError, HubscanError
from hubscan.records import Sample
from hubscan.sample import draw
from tests.hub.drawing import drawn as drawn_apart
from tests.hub.lab import LabHub
from tests.hub.large import noise

NAMES = (
    *("data [v2]", "what?", "a*b", "**", "100% {1..3}", "{a,b}", "ünïcode – ä", "hash#tag", "a@b", "x::y", "a:b"),
    *(" spaces ", "%20", "train*", "[train]", "!x", "~x", "-x", "$HOME", "a&b=c", "it's", 'quo"te', "a,b;c", "x.py"),
)  # fmt: skip
WORST = ("data [v2]", "what?", "**", "x::y", "100% {1..3}", " #ü@ ")
ROWS = [(f"row {i}", "ab"[i % 2]) for i in range(20)]


def drawn(path: Path | str, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(path), "samples": 20, **keys}).sample_request)


def content(suffix: str, said: str = "row") -> bytes:
    rows = [{"text": f"{said} {i}", "label": "ab"[i % 2]} for i in range(20)]
    stored = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    if suffix == "parquet":
        pq.write_table(table, stored)
    elif suffix == "arrow":
        with pa.ipc.new_stream(stored, table.schema) as writer:
            writer.write_table(table)
    elif suffix == "jsonl":
        stored.write("\n".join(map(json.dumps, rows)).encode())
    else:
        mark = {"csv": ",", "tsv": "\t"}[suffix]
        lines = (f"{row['text']}{mark}{row['label']}" for row in rows)
        stored.write("\n".join([f"text{mark}label", *lines]).encode())
    return stored.getvalue()


def is_whole(sample: Sample, said: str = "row") -> bool:
    return sorted(map(str, sample.inputs["text"])) == sorted(f"{said} {i}" for i in range(20))


@pytest.mark.parametrize(
    ("suffix", "name"),
    [("jsonl", name) for name in NAMES]
    + [(suffix, name) for suffix in ("csv", "tsv", "parquet", "arrow") for name in WORST],
)
def test_a_file_may_have_any_name_and_be_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    if "::" in name and suffix in ("csv", "tsv"):
        name = name.replace("::", ":")
    folder = tmp_path / name
    folder.mkdir()
    (folder / f"train{name}.{suffix}").write_bytes(content(suffix))
    assert is_whole(drawn(folder / f"train{name}.{suffix}"))
    assert is_whole(drawn(folder))
    assert is_whole(drawn(f"{folder}/"))
    monkeypatch.chdir(folder)
    assert is_whole(drawn(f"./train{name}.{suffix}"))
    assert is_whole(drawn("."))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_a_neighbour_that_a_pattern_would_fit_is_not_read(tmp_path: Path, suffix: str) -> None:
    for name, said in (("reviews 2", "neighbour"), ("reviews [2]", "row"), ("reviews *", "star")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"train.{suffix}").write_bytes(content(suffix, said))
    for file in ("train[1]", "train1", "train*"):
        said = {"train[1]": "row", "train1": "neighbour", "train*": "star"}[file]
        (tmp_path / f"{file}.{suffix}").write_bytes(content(suffix, said))
    assert is_whole(drawn(tmp_path / "reviews [2]")) and is_whole(drawn(tmp_path / "reviews *"), "star")
    assert is_whole(drawn(tmp_path / f"reviews [2]/train.{suffix}"))
    assert is_whole(drawn(tmp_path / f"train[1].{suffix}"))
    assert is_whole(drawn(tmp_path / f"train*.{suffix}"), "star")


def test_all_files_of_a_folder_are_read_whatever_their_names(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / f"data/{name}.jsonl").write_text(
            json.dumps({"text": f"row {number}", "label": number % 2})
        )
    assert drawn(tmp_path).draw.rows_seen == len(NAMES)


@pytest.mark.parametrize("name", WORST)
def test_a_saved_dataset_may_be_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    rows = datasets.Dataset.from_dict({"text": [t for t, _ in ROWS], "label": [k for _, k in ROWS]})
    rows.save_to_disk(str(tmp_path / "plain"))
    datasets.DatasetDict({"train": rows}).save_to_disk(str(tmp_path / "dict"))
    for kind in ("plain", "dict"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / kind).rename(tmp_path / name / f"{kind} {name}")
        assert is_whole(drawn(tmp_path / name / f"{kind} {name}"))


@pytest.mark.parametrize(
    ("form", "name"),
    [("folders", name) for name in NAMES]
    + [(form, name) for form in ("metadata.csv", "metadata.jsonl") for name in WORST],
)
def test_a_folder_of_images_may_have_any_names(tmp_path: Path, name: str, form: str) -> None:
    random = np.random.default_rng(0)
    root = tmp_path / name
    pictures = {
        f"{kind}/{name} {i}.png": noise(random, 4) for kind in (f"x{name}", f"y{name}") for i in range(5)
    }
    for place, picture in pictures.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(picture)
    if "::" in name:
        with pytest.raises(DatasetError, match="cannot be read if '::' is in their path; rename"):
            drawn(root, samples=10)
        return
    rows = [{"file_name": place, "label": place[0]} for place in pictures]
    if form == "metadata.csv":
        quoted = (row["file_name"].replace('"', '""') for row in rows)
        lines = [f'"{place}",{place[0]}' for place in quoted]
        (root / form).write_text("\n".join(["file_name,label", *lines]))
    elif form == "metadata.jsonl":
        (root / form).write_text("\n".join(map(json.dumps, rows)))
    sample = drawn(root, samples=10)
    assert sorted(map(bytes, sample.inputs["image"])) == sorted(pictures.values())  # type: ignore[arg-type]
    classes = ["x", "y"] if form != "folders" else [f"x{name}", f"y{name}"]
    assert list(sample.draw.classes) == classes


def test_links_to_files_and_folders_are_followed_and_a_circle_is_not(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for kind in ("cats", "dogs", "owls"):
        (tmp_path / "elsewhere" / kind).mkdir(parents=True)
        for i in range(4):
            (tmp_path / "elsewhere" / kind / f"{i}.png").write_bytes(noise(random, 4))
    root = tmp_path / "pictures [1]"
    (root / "cats").mkdir(parents=True)
    for i in range(4):
        (root / f"cats/{i}.png").symlink_to(tmp_path / f"elsewhere/cats/{i}.png")
    for kind in ("dogs", "owls"):
        (root / kind).symlink_to(tmp_path / "elsewhere" / kind)
    (root / "cats/again").symlink_to(root)
    assert drawn(root, samples=12).draw.classes == {"cats": 4, "dogs": 4, "owls": 4}
    (tmp_path / "link *").symlink_to(root)
    assert drawn(tmp_path / "link *", samples=12).draw.rows == 12


def test_splits_and_declared_files_are_found_beside_special_names(tmp_path: Path) -> None:
    root = tmp_path / "my [data]"
    (root / "parts").mkdir(parents=True)
    for name, said in (
        ("train[1].csv", "row"),
        ("test-1.csv", "test"),
        ("parts/a.csv", "part"),
        (".hidden.csv", "no"),
    ):
        (root / name).write_bytes(content("csv", said))
    assert is_whole(drawn(root, split="test"), "test")
    (root / "README.md").write_text(
        "---\nconfigs:\n- config_name: one\n  data_files: train[1].csv\n- config_name: many\n  data_files: parts/*.csv\n"
        "- config_name: none\n  data_files: nothing/*.csv\n---\n"
    )
    assert is_whole(drawn(root, config="one")) and is_whole(drawn(root, config="many"), "part")
    with pytest.raises(DatasetError, match="; "):
        drawn(root, config="none")


@pytest.mark.parametrize(
    "name",
    ["data[v2]/train.csv", "data [v2]", "a*", "what?", "x::y", "a@b", "data#1", "ü/ä", "a b/c", "{a,b}.csv"],
)
def test_a_path_that_is_not_there_is_no_such_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data2").mkdir()
    (tmp_path / "data2/train.csv").write_bytes(content("csv"))
    with pytest.raises(DatasetError) as refused:
        drawn(name)
    assert str(refused.value) == f"{name}: no such file or folder; check --dataset"


def test_a_path_object_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a [1].jsonl").write_bytes(content("jsonl"))
    request = recipe.resolve({"dataset": tmp_path / "a [1].jsonl", "models": (tmp_path / "m@1",)})
    assert is_whole(draw(request.sample_request)) and request.models == (str(tmp_path / "m@1"),)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert is_whole(drawn("~/a [1].jsonl"))
    with pytest.raises(HubscanError, match=r"nowhere \[1\]: no such file or folder"):
        hubscan.rank(tmp_path / "nowhere [1]", models=tmp_path / "m@1", progress=False)


def test_a_url_of_a_file_system_is_a_pattern_only_where_it_has_a_star(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for name in ("a[1].csv", "a1.csv", "b?.csv", "bx.csv", "c*.csv", "cc.csv"):
        said = {"a1": "neighbour", "bx": "neighbour", "cc": "neighbour"}.get(name[:-4], "row")
        memory.pipe(f"/named/{name}", content("csv", said))
        (tmp_path / name).write_bytes(content("csv", said))
    for name in ("a[1].csv", "c*.csv"):
        assert is_whole(drawn(f"memory://named/{name}")) and is_whole(drawn(f"file://{tmp_path}/{name}"))
    assert is_whole(drawn(f"file://{tmp_path}/b?.csv"))
    memory.pipe("/named [1]/part 1.csv", content("csv"))
    memory.pipe("/named 1/part 1.csv", content("csv", "neighbour"))
    assert is_whole(drawn("memory://named [1]/part*.csv"))
    (tmp_path / "100% [1] #.parquet").write_bytes(content("parquet"))
    assert is_whole(drawn((tmp_path / "100% [1] #.parquet").as_uri()))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_names_on_the_hub_and_at_urls_are_names(
    hub: LabHub, own_hub: LabHub, tmp_path: Path, suffix: str
) -> None:
    name = f"train [1] 100% #é +&.{suffix}"
    own_hub.commit("datasets", f"named/files-{suffix}", {f"data/{name}": content(suffix)})
    found = drawn_apart(own_hub.endpoint, tmp_path / "home", dataset=f"named/files-{suffix}", samples=20)
    assert found["draw"]["rows"] == 20, found
    url = f"{own_hub.endpoint}/datasets/named/files-{suffix}/resolve/main/data/{quote(name)}"
    assert is_whole(drawn(url)) and is_whole(drawn(f"{url}?download=true"))

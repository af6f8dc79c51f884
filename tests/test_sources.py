"""Where rows can lie: tars, URLs, Arrow files, folders of pictures, and what can only be read once."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import RepositoryNotFoundError

from hubscan import recipe
from hubscan.errors import DatasetError, HubError
from hubscan.records import Sample, SampleRequest
from hubscan.sample import draw
from hubscan.sample.sources import open as source
from tests.hub.drawing import drawn as drawn_apart
from tests.hub.lab import LabHub
from tests.hub.large import noise
from tests.support.files import parquet, table, tar

CSV = "\n".join(["text,label", *(f"row {i},{'ab'[i % 2]}" for i in range(60))]).encode()


def drawn(dataset: Path | str, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(dataset), "samples": 20, **keys}).sample_request)


@pytest.mark.parametrize("where", ["disk", "file://", "memory://"])
def test_a_tar_is_drawn_from_wherever_it_lies(tmp_path: Path, where: str) -> None:
    (tmp_path / "rows.tar").write_bytes(tar())
    fsspec.filesystem("memory").pipe("/tars/rows.tar", tar())
    address = {
        "disk": f"{tmp_path}/rows.tar",
        "file://": f"file://{tmp_path}/rows.tar",
        "memory://": "memory://tars/rows.tar",
    }[where]
    sample = drawn(address, samples=30)
    assert sample.draw.classes == {"0": 10, "1": 10, "2": 10}
    assert sample.draw.columns == {"image": "jpg", "label": "cls"} and sample.draw.rows_seen == 60
    assert set(sample.row_ids[sample.labels == 2].tolist()) <= set(range(40, 60))
    assert drawn(address, samples=60).draw.dropped == {"corrupt image": 1} or drawn(
        address, samples=60
    ).draw.dropped == {"not an image": 1}


def test_the_keys_of_a_json_in_a_tar_are_columns(tmp_path: Path) -> None:
    (tmp_path / "rows.tar").write_bytes(tar())
    sample = drawn(tmp_path / "rows.tar", input_columns=("said",))
    assert sample.inputs["text"] == tuple(f"row {i}" for i in sample.row_ids)


def test_a_damaged_tar_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.tar").write_bytes(tar(damaged=True))
    with pytest.raises(DatasetError, match=r"rows.tar: not a tar file, or damaged"):
        drawn(tmp_path / "rows.tar")


def test_parquet_at_several_addresses_is_one_split(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for number in range(3):
        memory.pipe(f"/shards/train-{number:02}.parquet", parquet())
    braces, star = (drawn(f"memory://shards/train-{end}.parquet") for end in ("{00..02}", "*"))
    assert braces.draw.rows_seen == 900 and braces.draw.classes == {"a": 10, "b": 10}
    assert np.array_equal(braces.row_ids, star.row_ids)
    assert braces.draw.bytes_read > 0 and braces.draw.requests > 3
    assert not braces.draw.local


def test_parquet_and_tar_over_http_are_read_by_ranges(hub: LabHub, own_hub: LabHub, tmp_path: Path) -> None:
    own_hub.commit(
        "datasets", "web/files", {"rows.parquet": parquet(), "rows.tar": tar(), "x.csv": CSV, "x.txt": b"a"}
    )
    base = f"{own_hub.endpoint}/datasets/web/files/resolve/main"
    before = len(own_hub.requests)
    sample = drawn(f"{base}/rows.parquet")
    assert sample.draw.classes == {"a": 10, "b": 10}
    gets = [one for one in own_hub.requests[before:] if one.path.startswith("/lfs/")]
    assert gets and all(one.range and one.authorization is None for one in gets)
    assert drawn(f"{base}/rows.tar").draw.rows_seen == 60
    assert drawn(f"{base}/x.csv").draw.rows_seen == 60
    with pytest.raises(DatasetError, match="cannot read this file type at a URL"):
        drawn(f"{base}/x.txt")
    with pytest.raises(HubError, match="status 404"):
        drawn(f"{base}/gone.parquet")


@pytest.mark.parametrize(
    "values",
    [
        ["a"] * 200 + ["b"] * 200,
        [3] * 200 + [4] * 200,
        [False] * 200 + [True] * 200,
        ["a"] * 200 + [None] * 100 + ["b"] * 100,
        ["x" * 40] * 200 + ["y" * 40] * 200,
        ["a", "b"] * 200,
    ],
    ids=["texts", "integers", "booleans", "nulls", "long texts", "mixed"],
)
def test_labels_that_the_footer_tells_are_not_fetched_and_are_the_same(values: list[Any]) -> None:
    rows = pa.table({"text": [f"row {i}" for i in range(400)], "label": values})
    samples = []
    for name, said in (("said", True), ("unsaid", False)):
        stored = io.BytesIO()
        pq.write_table(rows, stored, row_group_size=50, write_statistics=said)
        fsspec.filesystem("memory").pipe(f"/bounds/{name}.parquet", stored.getvalue())
        samples.append(drawn(f"memory://bounds/{name}.parquet"))
    told, read = samples
    assert np.array_equal(told.row_ids, read.row_ids) and told.draw.classes == read.draw.classes
    assert told.draw.dropped == read.draw.dropped
    wholly = values[1] == values[0] and None not in values and len(str(values[0])) < 40
    assert (told.draw.requests < read.draw.requests) == wholly


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://me:secret@host/x.parquet", "contains a password"),
        ("nowhere://host/x.parquet", "cannot read nowhere:// here"),
        ("memory://empty/none.parquet", "none.parquet: no such file"),
    ],
)
def test_a_url_that_cannot_be_read_says_why_in_one_line(url: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        drawn(url)


def test_no_download_counter_learns_which_dataset_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets.load

    (tmp_path / "reviews.csv").write_text("text,label\n" + "good,1\nbad,0\n" * 20, encoding="utf-8")
    counted: list[str] = []
    session = SimpleNamespace(head=lambda url, **_: counted.append(url))
    monkeypatch.setattr(datasets.load, "get_session", lambda: session)
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    drawn(tmp_path / "reviews.csv")
    assert counted == []
    assert datasets.config.HF_UPDATE_DOWNLOAD_COUNTS, "the setting of the user's own process stays"
    datasets.load_dataset_builder("csv", data_files=str(tmp_path / "reviews.csv"))
    assert len(counted) == 1, "the counter is there"


@pytest.mark.parametrize(
    "name",
    ["nowhere.csv", "nowhere.jsonl.gz", "./nowhere", "~/nowhere-at-all", "/nowhere/at/all", "a/b/c", "data/",
     "~no-such-user/x", "sheet.xlsx"],
)  # fmt: skip
def test_a_missing_file_is_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source, "api", lambda: pytest.fail("the Hub was asked"))
    with pytest.raises(DatasetError, match=rf"^{re.escape(name)}: no such file"):
        drawn(name)


def test_an_id_that_ends_like_a_file_is_looked_up_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Api:
        def dataset_info(self, name: str, revision: str | None, timeout: object) -> None:
            asked.append(name)
            raise RepositoryNotFoundError("404", response=Mock(headers={}))

    monkeypatch.setattr(source, "api", Api)
    with pytest.raises(DatasetError, match=r"^data/train.csv: no such file"):
        drawn("data/train.csv")
    with pytest.raises(HubError, match=r"no/such"):
        drawn("no/such")
    assert asked == ["data/train.csv", "no/such"]


@pytest.mark.parametrize("form", ["stream", "file"])
def test_an_arrow_file_gives_the_rows_that_parquet_gives(tmp_path: Path, form: str) -> None:
    make: Callable[..., Any] = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with make(str(tmp_path / "data.arrow"), table().schema) as writer:
        writer.write_table(table(), max_chunksize=70)
    (tmp_path / "data.parquet").write_bytes(parquet())
    arrow, stored = drawn(tmp_path / "data.arrow"), drawn(tmp_path / "data.parquet")
    assert arrow.inputs == stored.inputs and np.array_equal(arrow.row_ids, stored.row_ids)
    (tmp_path / "bad.arrow").write_bytes(b"no arrow")
    with pytest.raises(DatasetError, match=r"bad.arrow"):
        drawn(tmp_path / "bad.arrow")


def test_a_folder_of_pictures_with_a_metadata_file_has_its_texts_and_labels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    folder = tmp_path / "pictures/train"
    folder.mkdir(parents=True)
    lines = ["file_name,caption,label"]
    for i in range(30):
        (folder / f"{i:02}.png").write_bytes(noise(random, 4))
        lines.append(f"{i:02}.png,picture {i},{'odd' if i % 2 else 'even'}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    sample = drawn(tmp_path / "pictures", samples=12)
    assert sample.draw.classes == {"even": 6, "odd": 6} and list(sample.inputs) == ["image", "text"]
    for content, said in zip(sample.inputs["image"], sample.inputs["text"], strict=True):
        number = str(said).removeprefix("picture ")
        assert content == (folder / f"{int(number):02}.png").read_bytes()


def test_of_a_folder_on_the_hub_only_the_drawn_pictures_are_fetched(own_hub: LabHub, tmp_path: Path) -> None:
    found = drawn_apart(own_hub.endpoint, tmp_path / "home", dataset="tester/colours", samples=12)
    fetched = {one.path for one in own_hub.requests if one.method == "GET" and one.path.startswith("/lfs/")}
    assert found["draw"]["rows"] == 12 and len(fetched) <= 13
    assert sorted(found["draw"]["classes"].values()) == [4, 4, 4]


def test_a_csv_over_http_is_read_within_its_budget_and_what_was_not_seen_is_said(
    own_hub: LabHub, tmp_path: Path
) -> None:
    lines = [f"text number {i} {'x' * 80},{'a' if i % 3 else 'b'}" for i in range(60_000)]
    own_hub.commit("datasets", "long/lines", {"train.csv": "\n".join(["text,label", *lines]).encode()})
    keys: dict[str, Any] = {"dataset": "long/lines", "samples": 20}
    whole = drawn_apart(own_hub.endpoint, tmp_path / "home", **keys)["draw"]
    part = drawn_apart(own_hub.endpoint, tmp_path / "home", max_bytes="1.5MB", **keys)["draw"]
    assert whole["rows_seen"] == 60_000 and whole["notes"] == []
    assert 0 < part["rows_seen"] < 60_000 and "--max-bytes" in part["notes"][0]
    assert f"{part['rows_seen']:,} rows" in part["notes"][0]


def test_rows_that_come_once_give_the_sample_that_rows_from_anywhere_give(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}" if i % 7 else " ", "label": "ab"[i % 2]} for i in range(500)]
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet", row_group_size=60)
    once, anywhere = drawn(tmp_path / "data.jsonl"), drawn(tmp_path / "data.parquet")
    assert once.inputs == anywhere.inputs and np.array_equal(once.row_ids, anywhere.row_ids)


@pytest.mark.parametrize("kind", ["number", "multilabel", "token", "proportion"])
def test_labels_of_every_kind_come_out_of_one_pass(tmp_path: Path, kind: str) -> None:
    rows: list[dict[str, Any]] = []
    for i in range(400):
        sentence = {"tokens": ["a", "b", "c"], "tags": ["O", "O", "X" if i % 50 == 0 else "O"]}
        label = {"number": i / 3, "multilabel": ["u"] * (i % 2) + ["v"] * (i % 40 == 0)}.get(kind)
        rows.append(
            sentence
            if kind == "token"
            else {"text": f"t{i}", "label": label if label is not None else "ab"[i % 40 == 0]}
        )
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    sample = drawn(tmp_path / "data.jsonl", balance=kind != "proportion")
    if kind == "number":
        assert sample.labels.tolist() == [row / 3 for row in sample.row_ids] and len(sample.labels) == 20
    elif kind == "multilabel":
        assert sample.labels.tolist() == [[row % 2, int(row % 40 == 0)] for row in sample.row_ids]
        assert sample.draw.classes["v"] >= 3
    elif kind == "token":
        assert sample.draw.classes == {"O": 12, "X": 8} and sample.places is not None
    else:
        assert sample.draw.classes == {"a": 18, "b": 2}


def test_texts_in_files_of_their_own_have_no_labels(tmp_path: Path) -> None:
    for number in range(4):
        file = tmp_path / ("pos", "neg")[number % 2] / f"{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text("a text")
    with pytest.raises(DatasetError, match="text files have no labels; write a csv or jsonl file"):
        source.open_split(SampleRequest(str(tmp_path)))


def test_a_separator_for_other_formats_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n')
    with pytest.raises(
        DatasetError, match=r"--separator: has no effect, as .*a\.jsonl is not csv; leave it out"
    ):
        draw(SampleRequest(str(file), separator=";"))

"""The draw against a Hub on 127.0.0.1: rows, bytes, requests, faults."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hubscan.demo.hub import Hub, serve
from tests.hub.drawing import drawn
from tests.hub.lab import LabHub
from tests.hub.large import image_shards, text_shards

SHARDS = 20
PATIENT_BYTES = 10_000_000  # of the column of patients' names


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHub]:
    """A Hub with texts and pictures, each in 20 shards sorted by label."""
    root = tmp_path_factory.mktemp("large")
    text_shards(root / "datasets/big/texts", shards=SHARDS, rows=4000, row_bytes=2500)
    image_shards(root / "datasets/big/pictures", shards=SHARDS, rows=200, side=80, classes=4, group_rows=20)
    text_shards(root / "datasets/few/texts", shards=8, rows=40, row_bytes=400, group_rows=20)
    patients(root / "datasets/some/patients")
    hub = LabHub(root)
    with serve(hub):
        yield hub
    hub.close()
    shutil.rmtree(root)


def patients(folder: Path) -> None:
    """Write 10,000 rows in 50 row groups, of ten patients with names of a thousand bytes."""
    rows = range(10_000)
    names = [np.random.default_rng(row // 1000).bytes(PATIENT_BYTES // 20_000).hex() for row in rows]
    columns = {"text": [f"text {row}" for row in rows], "label": [row % 2 for row in rows], "patient": names}
    folder.mkdir(parents=True)
    options: dict[str, Any] = {"row_group_size": 200, "use_dictionary": False, "compression": "none"}
    pq.write_table(pa.table(columns), folder / "train.parquet", **options)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def split_bytes(hub: Hub, repo_id: str) -> int:
    files = hub.repos["datasets", repo_id].head.files
    return sum(blob.size for path, blob in files.items() if path.endswith(".parquet"))


def footer_bytes(hub: Hub, repo_id: str) -> int:
    files = hub.repos["datasets", repo_id].head.files
    footers = [
        pq.read_metadata(b.file).serialized_size + 8 for p, b in files.items() if p.endswith(".parquet")
    ]
    return sum(footers)


def served(hub: Hub, before: int) -> tuple[Counter[str], int]:
    """Return what was asked of a Hub since *before*, by kind, and the bytes that went out."""
    asked = hub.requests[before:]
    kinds = Counter(
        "api" if one.path.startswith("/api/") else "resolve" if "/resolve/" in one.path else one.origin
        for one in asked
    )
    return kinds, sum(one.body_bytes for one in asked)


@pytest.mark.parametrize("thousands", [1, 2])
def test_each_thousand_texts_of_a_sorted_split_cost_a_twentieth_of_its_bytes_beside_the_footers(
    large: LabHub, home: Path, thousands: int
) -> None:
    before = len(large.requests)
    asked: dict[str, Any] = {"samples": 1000 * thousands, "free_bytes": 8_000_000}
    found = drawn(large.endpoint, home, dataset="big/texts", **asked)
    draw, (kinds, sent) = found["draw"], served(large, before)
    assert draw["classes"] == dict.fromkeys(("class 0", "class 1"), 500 * thousands)
    assert draw["rows_seen"] == 80_000
    assert sent <= 0.05 * thousands * split_bytes(large, "big/texts") + footer_bytes(large, "big/texts")
    assert draw["bytes_read"] == sent and draw["requests"] == sum(kinds.values())
    assert kinds["api"] <= SHARDS and kinds["resolve"] <= 3 * SHARDS
    assert draw["block_rows"] > 1 and draw["groups_read"] < draw["groups"] == 800
    assert "row groups (100 rows" in draw["notes"][0]
    rows = np.array(found["row_ids"])
    assert all(np.histogram(rows, bins=4 * thousands, range=(0, 80_000))[0] > 0)


def test_pictures_cost_at_most_three_times_their_own_bytes(large: LabHub, home: Path) -> None:
    before = len(large.requests)
    found = drawn(large.endpoint, home, dataset="big/pictures", samples=400, free_bytes=8_000_000)
    kinds, sent = served(large, before)
    assert found["draw"]["classes"] == {f"class {i}": 100 for i in range(4)}
    assert 8_000_000 < sent <= 3 * found["input_bytes"] + 2_000_000  # footers and labels besides
    assert kinds["api"] <= SHARDS and kinds["resolve"] <= 3 * SHARDS
    assert found["draw"]["dropped"] == {} and found["draw"]["duplicates"] == 0


def test_of_a_group_column_only_the_row_groups_that_are_read_come_over_the_network(
    large: LabHub, home: Path
) -> None:
    keys: dict[str, Any] = {"dataset": "some/patients", "samples": 20}
    without = drawn(large.endpoint, home, **keys)
    found = drawn(large.endpoint, home, **keys, group_column="patient")
    patients = [row // 1000 for row in found["row_ids"]]
    assert found["groups"] == [list(dict.fromkeys(patients)).index(patient) for patient in patients]
    assert found["draw"]["group_count"] == len(set(patients)) and without["groups"] is None
    assert found["row_ids"] == without["row_ids"]
    read, groups = found["draw"]["groups_read"], found["draw"]["groups"]
    assert read < groups == 50
    more = found["draw"]["bytes_read"] - without["draw"]["bytes_read"]
    assert 0 < more < 1.2 * read / groups * PATIENT_BYTES


def test_the_same_seed_gives_the_same_rows_over_http_and_from_this_disk(large: LabHub, home: Path) -> None:
    keys: dict[str, Any] = {"samples": 50, "seed": 3}
    first, again = (drawn(large.endpoint, home, dataset="big/texts", **keys) for _ in range(2))
    folder = large.repos["datasets", "big/texts"].head.files["README.md"].file.parent
    local = drawn(large.endpoint, home, dataset=str(folder), **keys)
    assert first["row_ids"] == again["row_ids"] == local["row_ids"]
    assert first["draw"]["fingerprint"] == again["draw"]["fingerprint"]
    assert local["draw"]["bytes_read"] == 0 and local["draw"]["requests"] == 0


@pytest.mark.parametrize(
    "fault",
    [{"status": 503}, {"status": 429, "headers": {"Retry-After": "1"}}, {"truncate": 1000}, {"drop": True}],
    ids=["503", "429", "truncated", "dropped"],
)
def test_a_range_that_goes_wrong_is_asked_for_again(large: LabHub, home: Path, fault: dict[str, Any]) -> None:
    keys: dict[str, Any] = {"dataset": "few/texts", "samples": 20}
    folder = large.repos["datasets", "few/texts"].head.files["README.md"].file.parent
    expected = drawn(large.endpoint, home, **{**keys, "dataset": str(folder)})
    mishap = large.faults.add("GET /lfs/", times=3, **fault)
    found = drawn(large.endpoint, home, **keys)
    assert mishap.times == 0
    assert found["row_ids"] == expected["row_ids"]


def test_an_expired_link_is_resolved_again(large: LabHub, home: Path) -> None:
    large.faults.add("GET /lfs/", times=1, status=403)
    before = len(large.requests)
    found = drawn(large.endpoint, home, dataset="few/texts", samples=20)
    assert found["draw"]["rows"] == 20
    heads = Counter(one.path for one in large.requests[before:] if one.method == "HEAD")
    assert max(count for path, count in heads.items() if path.endswith(".parquet")) <= 3


def test_a_shard_that_fails_for_good_is_named_in_one_line(large: LabHub, home: Path) -> None:
    fault = large.faults.add("/resolve/.*train-00007-of", times=-1, status=500)
    try:
        said = drawn(large.endpoint, home, dataset="few/texts", samples=20)["error"]
    finally:
        large.faults.remove(fault)
    assert said.startswith("HubError: ") and "train-00007-of-00008.parquet" in said and "\n" not in said


@pytest.mark.slow
@pytest.mark.parametrize("what", ["texts", "pictures"])
def test_two_gigabytes_in_twenty_shards(tmp_path: Path, what: str) -> None:
    """The numbers of the promise: 5 % of the bytes for texts, three times their own for pictures."""
    rows = 1000
    folder = tmp_path / "hub/datasets/huge" / what
    if what == "texts":
        text_shards(folder, shards=SHARDS, rows=50_000, row_bytes=2000, group_rows=1000)
    else:
        image_shards(folder, shards=SHARDS, rows=1000, side=183, classes=10)
    with serve(LabHub(tmp_path / "hub")) as hub:
        assert split_bytes(hub, f"huge/{what}") > 1_990_000_000
        found = drawn(hub.endpoint, tmp_path / "home", dataset=f"huge/{what}", samples=rows)
        kinds, sent = served(hub, 0)
    assert found["draw"]["rows"] == rows
    assert kinds["api"] <= SHARDS and kinds["resolve"] <= 3 * SHARDS
    most = 0.05 * split_bytes(hub, f"huge/{what}") if what == "texts" else 3 * found["input_bytes"]
    assert sent <= most

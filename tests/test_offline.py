"""Without a network, everything that is in a cache resolves from it, and the same scan repeats to the digit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants

from hubscan.demo.hub import serve
from hubscan.errors import HubError
from hubscan.hub import cached
from hubscan.records import SampleRequest
from hubscan.sample.kept import ROWS, keep, kept
from tests.hub import LabHub, environment, lab_hub, run_python
from tests.support import programs
from tests.support.samples import sample

OLD, NEW = "a" * 40, "b" * 40
NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port


# -- the client's cache ---------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def downloaded(
    cache: Path, commit: str, *names: str, repo: str = "models--org--name", age: float = 0
) -> Path:
    folder = cache / repo / "snapshots" / commit
    for name in names or ("config.json", "model.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    os.utime(folder, (1e9 - age, 1e9 - age))
    return folder


def named(cache: Path, ref: str, commit: str, repo: str = "models--org--name") -> None:
    file = cache / repo / "refs" / ref
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(commit)


def test_a_name_is_main_in_the_cache_else_the_commit_that_came_last(cache: Path) -> None:
    downloaded(cache, OLD, age=100)
    downloaded(cache, NEW)
    assert cached.checkpoint("org/name", "").commit == NEW
    named(cache, "main", OLD)
    assert cached.checkpoint("org/name", "").commit == OLD
    named(cache, "main", "c" * 40)  # known, but not downloaded
    assert cached.checkpoint("org/name", "").commit == NEW


@pytest.mark.parametrize("revision", [OLD, "aaaaaaa", "v1.0", "refs/pr/1"])
def test_a_revision_is_a_commit_its_beginning_a_branch_or_a_tag(cache: Path, revision: str) -> None:
    downloaded(cache, OLD, age=100)
    downloaded(cache, NEW)
    named(cache, "v1.0", OLD)
    named(cache, "refs/pr/1", OLD)
    assert cached.checkpoint(f"org/name@{revision}", "").commit == OLD


@pytest.mark.parametrize("revision", ["c" * 40, "ccccccc", "dev", "../refs/main", "main/../../x"])
def test_another_revision_is_not_in_the_cache(cache: Path, revision: str) -> None:
    downloaded(cache, NEW)
    named(cache, "main", NEW)
    advice = f"`hf download org/name --revision {revision}`"
    with pytest.raises(
        HubError, match="not in the cache, and X is set; run this once with a network"
    ) as raised:
        cached.checkpoint(f"org/name@{revision}", "X is set")
    assert advice in str(raised.value)


def test_a_download_without_weights_is_passed_over(cache: Path) -> None:
    downloaded(cache, OLD, age=100)
    downloaded(cache, NEW, "config.json", "tokenizer.json")
    assert cached.checkpoint("org/name", "").commit == OLD
    shards = downloaded(cache, NEW, "config.json", "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    assert cached.checkpoint("org/name", "").commit == OLD
    downloaded(cache, NEW, "model-00002-of-00002.safetensors")
    assert cached.checkpoint("org/name", "").commit == NEW


def test_an_old_name_is_found_if_only_one_repository_has_it(cache: Path) -> None:
    downloaded(cache, NEW, repo="models--google--bert")
    assert cached.checkpoint("bert", "").repo == "google/bert"
    downloaded(cache, OLD, repo="models--someone--bert")
    with pytest.raises(HubError, match="not in the cache"):
        cached.checkpoint("bert", "")


def test_main_is_kept_only_if_the_hub_said_so_and_the_commit_is_there(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "_heads", {})
    ref = cache / "models--org--name" / "refs" / "main"
    downloaded(cache, OLD)
    cached.keep_main("org/name", OLD)  # pinned by the user
    assert not ref.exists()
    cached.note_main("org/name", NEW)
    cached.keep_main("org/name", NEW)  # not downloaded
    cached.keep_main("org/name", OLD)
    assert not ref.exists()
    downloaded(cache, NEW)
    cached.keep_main("org/name", NEW)
    assert ref.read_text() == NEW and [file.name for file in ref.parent.iterdir()] == ["main"]


PARTS = [f"data/train-0000{n}-of-00003.parquet" for n in range(3)]


@pytest.mark.parametrize(
    ("here", "listed", "is_missing"),
    [
        (PARTS, None, False),
        (PARTS[:2], None, True),
        (["part-0.parquet"], ["part-0.parquet", "part-1.parquet", "test-0.parquet"], True),
        (["part-0.parquet"], ["part-0.parquet", "README.md", "test-0.parquet"], False),
        (["a.csv"], None, False),
    ],
)
def test_missing_parts_of_a_split_are_noticed(
    cache: Path, here: list[str], listed: list[str] | None, is_missing: bool
) -> None:
    folder = downloaded(cache, NEW, *here, repo="datasets--org--data")
    if listed:
        trees = folder.parents[1] / "trees"
        trees.mkdir()
        (trees / f"{NEW}.json").write_text(json.dumps({"files": {name: {} for name in listed}}))
    found = cached.snapshot("org/data", "dataset")
    assert found and cached.missing(found, "dataset", here) is is_missing


# -- the rows that a scan kept --------------------------------------------------------------------


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path / "cache"))
    made = sample([0, 1, 0, 1])
    columns = {"text": "review", "label": "sentiment"}
    info = replace(made.draw, dataset="org/data", revision=NEW, config="plain", columns=columns, bytes_read=9)
    info = replace(info, rows=4, classes={"a": 2, "b": 2})
    return replace(made, draw=info, inputs={"text": ("a", "b", "c", "d")})


def test_the_same_request_finds_its_rows_by_name_and_pinned(rows: Any) -> None:
    asked = SampleRequest("data", samples=4)
    keep(asked, rows)
    settled = replace(
        asked, dataset="org/data", config="plain", split="train", revision=NEW, input_columns=("review",),
        label_columns=("sentiment",), label_kind="class", modalities=("text",), task="text-classification",
    )  # fmt: skip
    for request in (asked, replace(asked, dataset="org/data"), replace(asked, revision=NEW), settled):
        found = kept(request, "HF_HUB_OFFLINE is set")
        assert found and found.draw().inputs == rows.inputs
        assert np.array_equal(found.draw().labels, rows.labels)
    drawn = kept(asked, "HF_HUB_OFFLINE is set").draw().draw  # type: ignore[union-attr]
    assert drawn.bytes_read == 0
    assert drawn.notes == ("rows kept by an earlier scan of commit bbbbbbb, as HF_HUB_OFFLINE is set",)


def test_another_request_does_not_find_them(rows: Any) -> None:
    asked = SampleRequest("org/data", samples=4, revision=NEW)
    keep(asked, rows)
    others = [
        replace(asked, revision=None),  # a pinned commit need not be the newest
        replace(asked, revision=OLD),
        replace(asked, seed=1),
        replace(asked, samples=3),
        replace(asked, split="test"),
        replace(asked, balance=False),
    ]
    assert kept(asked, "")
    assert [kept(other, "") for other in others] == [None] * len(others)


def test_damaged_rows_are_not_used_and_local_ones_not_kept(rows: Any, tmp_path: Path) -> None:
    asked = SampleRequest("org/data")
    keep(asked, rows)
    (file,) = (tmp_path / "cache" / "samples").glob(f"*{ROWS}")
    flipped = bytearray(file.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    for content in (b"PAR1", flipped):
        file.write_bytes(content)
        assert kept(asked, "") is None
    local = replace(rows, draw=replace(rows.draw, revision="sha256:1"))
    keep(SampleRequest("data.csv"), local)
    assert kept(SampleRequest("data.csv"), "") is None


# -- against a Hub, and then without --------------------------------------------------------------

SCAN = """
import json, os, sys, time
from dataclasses import asdict
from hubscan.errors import HubscanError
from hubscan.hub import cached, listing
from hubscan.hub.fetch import fetch
from hubscan.records import Query, SampleRequest
from hubscan.sample import draw
def attempt(call):
    begun = time.monotonic()
    try:
        found = call()
    except HubscanError as error:
        found = f"{type(error).__name__}: {error}"
    return [found, time.monotonic() - begun]
def rows(**keys):
    keys = {key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()}
    sample = draw(SampleRequest(samples=20, **keys))
    return [sample.row_ids.tolist(), sample.labels.tolist(), [str(v)[:50] for v in next(iter(sample.inputs.values()))],
            sample.draw.revision, list(sample.draw.notes)]
def checkpoint(name):
    candidate = next(listing.named([name], Query(), "text", "image"))
    if hasattr(candidate, "reason"):
        return candidate.reason
    folder = fetch(candidate).folder
    cached.keep_main(candidate.model, candidate.revision)
    return [candidate.model, candidate.revision, candidate.modality, candidate.parameters, sorted(os.listdir(folder)),
            list(candidate.flags)]
told = {}
for name in json.loads(os.environ["MODELS"]):
    told[name] = attempt(lambda: checkpoint(name))
for keys in json.loads(os.environ["DATA"]):
    told[json.dumps(keys)] = attempt(lambda: rows(**keys))
told["search"] = attempt(lambda: len(list(listing.search(Query(limit=2), "text"))))
print(json.dumps(told))
"""
DATA = (
    {"dataset": "tester/reviews"},
    {"dataset": "reviews"},
    {"dataset": "tester/lines-jsonl", "input_columns": ["line"], "label_columns": ["mood"]},
    {"dataset": "tester/colours-parquet"},
)


@contextmanager
def own(hub_root: Path) -> Iterator[LabHub]:
    hub = lab_hub(hub_root)
    with serve(hub):
        yield hub
    hub.close()


def at_urls(hub: LabHub) -> list[dict[str, Any]]:
    """Return a file that is read in parts and one that is read in one pass, both at URLs."""
    site = f"{hub.endpoint}/datasets/tester"
    lines = {"dataset": f"{site}/lines-jsonl/resolve/main/train.jsonl", "input_columns": ["line"]}
    return [
        {"dataset": f"{site}/colours-parquet/resolve/main/data/train-00000-of-00001.parquet"},
        lines | {"label_columns": ["mood"]},
    ]


@pytest.fixture(scope="module")
def scans(hub_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the same questions are answered with the Hub, with HF_HUB_OFFLINE, and without a network."""
    folder = tmp_path_factory.mktemp("offline")
    with own(hub_root) as hub:
        pinned = f"tester/blind-bert@{hub.repos['models', 'tester/blind-bert'].head.sha}"
        commit = hub.repos["datasets", "tester/reviews"].head.sha
        questions = {
            "MODELS": json.dumps(["tester/seeing-bert", pinned, "plain-bert", "tester/tiny-vit"]),
            "DATA": json.dumps([*DATA, {"dataset": "tester/reviews", "revision": commit}, *at_urls(hub)]),
            "HUBSCAN_CACHE": str(folder / "cache"),
        }
        variables = environment(hub.endpoint, folder / "home") | questions
        found: dict[str, Any] = {"folder": folder, "variables": variables, "pinned": pinned}
        found["online"] = json.loads(run_python(SCAN, variables).stdout.splitlines()[-1])
    more = {
        "MODELS": json.dumps([*json.loads(questions["MODELS"]), "tester/sentence-bert", "acme/gated-bert"])
    }
    offline = variables | more | {"HF_HUB_OFFLINE": "1"}
    found["offline"] = json.loads(run_python(SCAN, offline).stdout.splitlines()[-1])
    found["down"] = json.loads(
        run_python(SCAN, variables | more | {"HF_ENDPOINT": NOWHERE}).stdout.splitlines()[-1]
    )
    return found


@pytest.mark.parametrize("how", ["offline", "down"])
def test_checkpoints_resolve_from_the_cache(scans: dict[str, Any], how: str) -> None:
    because = {"offline": "HF_HUB_OFFLINE is set", "down": f"{NOWHERE} cannot be reached"}[how]
    for name in json.loads(scans["variables"]["MODELS"]):
        online, flags = scans["online"][name][0][:-1], scans[how][name][0][-1]
        assert scans[how][name][0][:-1] == online, name
        assert flags == ([] if "@" in name else [f"commit {online[1][:7]} from the cache, as {because}"])


@pytest.mark.parametrize("how", ["offline", "down"])
def test_the_rows_of_a_dataset_are_the_same(scans: dict[str, Any], how: str) -> None:
    for keys in json.loads(scans["variables"]["DATA"]):
        name = json.dumps(keys)
        assert scans[how][name][0][:-1] == scans["online"][name][0][:-1], name
        assert "rows kept by an earlier scan" in scans[how][name][0][-1][-1]


@pytest.mark.parametrize("how", ["offline", "down"])
def test_what_is_not_there_is_said_in_one_sentence_at_once(scans: dict[str, Any], how: str) -> None:
    said, seconds = scans[how]["tester/sentence-bert"]
    assert said.endswith("; run this once with a network, or `hf download tester/sentence-bert`")
    assert seconds < 8
    said, seconds = scans[how]["search"]
    assert said.startswith("HubError: the Hub") and "\n" not in said
    assert seconds < 8


def test_the_name_has_its_ref_and_the_pinned_commit_has_none(scans: dict[str, Any]) -> None:
    place = scans["folder"] / "home/hub"
    commit = scans["online"]["tester/seeing-bert"][0][1]
    assert (place / "models--tester--seeing-bert/refs/main").read_text() == commit
    assert not (place / "models--tester--blind-bert/refs").exists()


def test_a_dataset_that_was_downloaded_is_read_from_the_clients_cache(
    scans: dict[str, Any], hub_root: Path, tmp_path: Path
) -> None:
    code = "from huggingface_hub import snapshot_download as s\ns('tester/{}', repo_type='dataset')"

    variables = scans["variables"] | {"HF_HOME": str(tmp_path / "home"), "HUBSCAN_CACHE": str(tmp_path / "c")}
    with own(hub_root) as hub:
        for name in ("reviews", "colours-parquet"):
            run_python(code.format(name), variables | {"HF_ENDPOINT": hub.endpoint})
    data = [{"dataset": "tester/reviews"}, {"dataset": "tester/colours-parquet"}, {"dataset": "tester/other"}]
    offline = variables | {"HF_HUB_OFFLINE": "1", "MODELS": "[]", "DATA": json.dumps(data)}
    told = json.loads(run_python(SCAN, offline).stdout.splitlines()[-1])
    for keys in data[:2]:
        name = json.dumps(keys)
        assert told[name][0][:-1] == scans["online"][name][0][:-1]
        assert "from the Hub's cache, as HF_HUB_OFFLINE is set" in told[name][0][-1][-1]
    said = told[json.dumps(data[2])][0]
    assert said.endswith("run this once with a network, or `hf download --repo-type dataset tester/other`")


@pytest.mark.slow
def test_transformers_loads_the_recommended_checkpoint_by_name(scans: dict[str, Any]) -> None:
    code = "from transformers import AutoModel\nprint(type(AutoModel.from_pretrained('tester/seeing-bert')))"
    done = programs.run_cold(
        ("-c", code), scans["variables"] | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": NOWHERE}, Path.cwd(), 240
    )
    assert "BertModel" in done.stdout, done.stderr


@pytest.mark.parametrize("variable", ["TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"])
def test_every_variable_of_the_clients_counts(scans: dict[str, Any], variable: str) -> None:
    data, model = [{"dataset": "tester/reviews"}, {"dataset": "tester/other"}], "tester/seeing-bert"
    questions = {
        "MODELS": json.dumps([model]),
        "DATA": json.dumps(data),
        variable: "1",
        "HF_ENDPOINT": NOWHERE,
    }
    told = json.loads(run_python(SCAN, scans["variables"] | questions).stdout.splitlines()[-1])
    because = f"as {variable} is set"
    assert told[json.dumps(data[0])][0][-1][-1].endswith(because)
    assert f"and {variable} is set; run this once with a network" in told[json.dumps(data[1])][0]
    if variable == "TRANSFORMERS_OFFLINE":
        assert told[model][0][-1][0].endswith(because)


@pytest.mark.slow
def test_a_whole_scan_repeats_to_the_digit_without_a_network(hub_root: Path, tmp_path: Path) -> None:
    models = ("--model", "tester/seeing-bert", "--model", "tester/blind-bert")
    rank = ("-m", "hubscan", "rank", "--format", "json")
    with own(hub_root) as hub:
        variables = environment(hub.endpoint, tmp_path / "home") | {"HUBSCAN_CACHE": str(tmp_path / "cache")}
        asked = (*rank, "--dataset", "reviews", "--samples", "40", *models)
        done = programs.run((*asked, "--run", "online"), variables, tmp_path, timeout=240)
        assert done.returncode == 0, done.stderr
        online = json.loads(done.stdout)
    offline = variables | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": NOWHERE}
    for number, words in enumerate((asked, (*rank, "--recipe", "online/recipe.yaml"))):
        done = programs.run((*words, "--run", str(number)), offline, tmp_path, timeout=240)
        assert done.returncode == 0, done.stderr
        again = json.loads(done.stdout)
        assert [e["scores"] for e in again["ranking"]] == [e["scores"] for e in online["ranking"]]
        assert [e["revision"] for e in again["ranking"]] == [e["revision"] for e in online["ranking"]]

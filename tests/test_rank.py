"""`hubscan rank` from end to end: subprocesses, real clients, a Hub on 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from hubscan.heads import kept_head
from hubscan.media import torchvision
from hubscan.records import Scored
from hubscan.run import load_run
from hubscan.run_labels import labels_of
from hubscan.scores import accuracy
from tests.hub import LabHub, environment
from tests.hub.fixtures import REPOSITORY
from tests.support.commands import SMALL, Cli, models, ranked


@pytest.fixture(scope="module")
def text_scan(
    hub: LabHub, hf_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path, str]:
    """The main job as a user would type it, once for all the claims about it."""
    folder = tmp_path_factory.mktemp("scan")
    asked = [
        "rank",
        "--task",
        "text-classification",
        "--dataset",
        "reviews",
        "--run",
        "mine",
        "--format",
        "json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "hubscan", *asked, *SMALL],
        env=environment(hub.endpoint, hf_home) | {"HUBSCAN_CACHE": str(folder / "cache")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    return ranked(done), folder / "mine", done.stderr


def test_the_answer_pins_the_canonical_dataset_and_every_checkpoint(
    text_scan: tuple[dict[str, Any], Path, str], hub: LabHub
) -> None:
    answer, _, _ = text_scan
    assert answer["dataset"]["id"] == "tester/reviews"
    assert answer["dataset"]["revision"] == hub.repos[("datasets", "tester/reviews")].head.sha
    for entry in answer["ranking"]:
        assert entry["revision"] == hub.repos[("models", entry["model"])].head.sha
        assert entry["parameters"] > 0 and entry["cost"]["rows_per_second"] > 0


def test_a_checkpoint_that_sees_the_telling_words_ranks_above_its_blind_twin(
    text_scan: tuple[dict[str, Any], Path, str],
) -> None:
    answer, _, _ = text_scan
    order = models(answer)
    assert order[0] == "tester/seeing-bert"
    assert order.index("tester/seeing-bert") < order.index("tester/blind-bert")
    assert answer["metric"] == "transrate@4"
    first = answer["ranking"][0]["scores"]["transrate"]
    assert first["low"] > 0.02 > first["null"]
    flags = {entry["model"]: entry["flags"] for entry in answer["ranking"]}
    assert flags["tester/seeing-bert"] == flags["tester/blind-bert"] == []
    assert flags["tester/plain-bert"] == ["randomly initialised (score × 0.75)"]


def test_each_checkpoint_has_the_accuracy_of_a_linear_head_and_one_is_recommended(
    text_scan: tuple[dict[str, Any], Path, str],
) -> None:
    answer, run, stderr = text_scan
    accuracies = {entry["model"]: entry["accuracy"] for entry in answer["ranking"]}
    assert {found["kind"] for found in accuracies.values()} == {"balanced_accuracy"}
    seeing, blind = accuracies["tester/seeing-bert"], accuracies["tester/blind-bert"]
    assert seeing["value"] > 0.6 > blind["value"] + 0.1 and 0 < seeing["error"] < 0.15
    chosen = answer["recommended"]
    assert (chosen["model"], chosen["rank"], chosen["layer"]) == ("tester/seeing-bert", 1, "last")
    assert f"Check it by fine-tuning: hubscan verify {run.name} --top 3" in stderr
    assert "Load it: AutoModel.from_pretrained('tester/seeing-bert', revision='" in stderr


def test_the_run_folder_holds_predictions_of_every_checkpoint_and_heads_of_the_leaders(
    text_scan: tuple[dict[str, Any], Path, str],
) -> None:
    answer, folder, _ = text_scan
    run = load_run(folder)
    scored = [result for result in run.results() if isinstance(result, Scored)]
    labels = labels_of(run).labels
    for result in scored:
        (found,) = run.left_out(result).values()
        assert result.accuracy == accuracy(found.predicted, labels, "balanced_accuracy")
    assert len(list((folder / "heads").iterdir())) == min(5, len(answer["ranking"]))
    head = kept_head(run, run.ranking.best)
    assert head is not None and head["weight"].shape == (3, run.ranking.best.scored.width)


def test_every_class_of_the_sorted_split_is_in_the_sample_and_every_drop_is_counted(
    text_scan: tuple[dict[str, Any], Path, str],
) -> None:
    sample = text_scan[0]["sample"]
    assert len(sample["classes"]) == 3
    assert sorted(sample["classes"].values()) == [6, 27, 27]
    assert sample["rows"] == 60 and sample["rows_seen"] == 406
    assert sample["dropped"]["missing label"] == 2
    assert sample["bytes_read"] > 0


def test_broken_checkpoints_are_lines_under_skipped_and_never_loaded_where_the_listing_tells(
    text_scan: tuple[dict[str, Any], Path, str],
) -> None:
    answer, _, _ = text_scan
    skipped = {s["model"]: s for s in answer["skipped"]}
    assert skipped["broken/truncated"]["stage"] == "fetch"
    assert skipped["broken/missing-layer"]["stage"] == "load"
    assert skipped["broken/nan"]["stage"] == "embed"
    assert "NaN" in skipped["broken/nan"]["reason"]
    everyone = set(skipped) | set(models(answer))
    assert not {"acme/gated-bert", "acme/private-bert", "broken/custom-code", "broken/bin-only"} & everyone
    assert all(s["reason"] and "\n" not in s["reason"] for s in answer["skipped"])


def test_the_run_folder_holds_what_was_asked_seen_and_found(
    text_scan: tuple[dict[str, Any], Path, str],
) -> None:
    answer, run, _ = text_scan
    asked, seen = (yaml.safe_load((run / name).read_text()) for name in ("recipe.yaml", "lock.yaml"))
    assert asked["dataset"] == "tester/reviews" and asked["samples"] == 60 and asked["seed"] == 0
    assert seen["draw"]["fingerprint"] == answer["sample"]["fingerprint"]
    assert len((run / "results.jsonl").read_text().splitlines()) == len(seen["candidates"])
    assert (run / "sample.parquet").exists()


def test_progress_goes_to_stderr_and_names_each_checkpoint(
    text_scan: tuple[dict[str, Any], Path, str],
) -> None:
    answer, _, stderr = text_scan
    count = len(answer["ranking"]) + len(answer["skipped"])
    for model in models(answer):
        assert f"{model}: transrate@4" in stderr
    assert f"[{count}/{count}]" in stderr


def test_the_resolved_recipe_repeats_the_scan_and_two_workers_rank_as_one_does(
    text_scan: tuple[dict[str, Any], Path, str], cli: Cli
) -> None:
    answer, run, _ = text_scan
    again = ranked(
        cli(
            "rank",
            "--recipe",
            str(run / "recipe.yaml"),
            "--workers",
            "2",
            "--format",
            "json",
            OMP_NUM_THREADS="1",
        )
    )
    assert again["sample"] == answer["sample"] | {"bytes_read": again["sample"]["bytes_read"]}
    assert models(again) == models(answer)
    one = ranked(
        cli("rank", "--recipe", str(run / "recipe.yaml"), "--format", "json",
            OMP_NUM_THREADS="1", HUBSCAN_CACHE="elsewhere")
    )  # fmt: skip
    assert not any(entry["cost"]["cached"] for entry in one["ranking"] + again["ranking"])
    assert [entry["scores"] for entry in again["ranking"]] == [entry["scores"] for entry in one["ranking"]]
    assert again["skipped"] == one["skipped"] == answer["skipped"]


def test_show_prints_the_run_again_in_every_form(
    text_scan: tuple[dict[str, Any], Path, str], cli: Cli
) -> None:
    answer, run, _ = text_scan
    assert ranked(cli("show", str(run), "--format", "json"))["ranking"] == answer["ranking"]
    assert cli("show", str(run), "--format", "quiet").stdout.split() == models(answer)
    lines = cli("show", str(run), "--format", "csv").stdout.splitlines()
    assert len(lines) == len(models(answer)) + 1 and lines[1].startswith("1,tester/seeing-bert,")
    assert cli("show", str(run)).stdout.startswith("Use tester/seeing-bert (")
    assert "| tester/seeing-bert |" in cli("show", str(run), "--format", "markdown").stdout


def test_a_torn_last_line_is_dropped_and_resume_does_what_is_left(
    text_scan: tuple[dict[str, Any], Path, str], cli: Cli, tmp_path: Path
) -> None:
    answer, run, _ = text_scan
    shutil.copytree(run, tmp_path / "torn")
    results = tmp_path / "torn/results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join(lines[:3]) + lines[3][:40])
    shown = cli("show", "torn", "--format", "quiet")
    assert f"{len(lines) - 3} of {len(lines)} checkpoints have no result yet" in shown.stderr
    resumed = ranked(cli("rank", "--run", "torn", "--resume", "--format", "json"))
    assert models(resumed) == models(answer) and resumed["skipped"] == answer["skipped"]
    assert results.read_text().splitlines(keepends=True)[:3] == lines[:3]


def test_a_run_is_not_overwritten_unless_asked(
    text_scan: tuple[dict[str, Any], Path, str], cli: Cli, tmp_path: Path
) -> None:
    shutil.copytree(text_scan[1], tmp_path / "kept")
    before = (tmp_path / "kept/results.jsonl").read_bytes()
    done = cli("rank", "--dataset", "reviews", "--run", "kept", *SMALL)
    assert done.returncode == 1 and "pass --resume to continue it, or --fresh" in done.stderr
    assert (tmp_path / "kept/results.jsonl").read_bytes() == before


def test_vision_encoders_rank_on_pictures_and_a_corrupt_one_is_counted(cli: Cli) -> None:
    answer = ranked(
        cli(
            "rank",
            "--task",
            "image-classification",
            "--dataset",
            "tester/colours",
            "--format",
            "json",
            *SMALL,
        )
    )
    read = {"tester/tiny-vit", "tester/vit-classifier", "tester/tiny-resnet", "tester/tiny-swin"}
    with_torchvision = {"broken/needs-torchvision"} if torchvision.installed() else set()
    assert set(models(answer)) == read | with_torchvision
    assert {entry["modality"] for entry in answer["ranking"]} == {"image"}
    assert answer["sample"]["dropped"] == {"unsupported or damaged image": 1}
    skipped = {skip["model"]: skip["reason"] for skip in answer["skipped"]}
    if not with_torchvision:
        said = "its DINOv3ViTImageProcessor needs torchvision: pip install torchvision"
        assert skipped["broken/needs-torchvision"] == said


def test_named_checkpoints_and_local_data_rank_without_any_hub(
    cli: Cli, hub_root: Path, tmp_path: Path
) -> None:
    shutil.copytree(hub_root / "models/tester/seeing-bert", tmp_path / "mine")
    shutil.copytree(hub_root / "models/tester/blind-bert", tmp_path / "theirs")
    shutil.copy(next((hub_root / "datasets/tester/lines-csv").glob("*train*.csv")), tmp_path / "data.csv")
    answer = ranked(
        cli("rank", "--dataset", "data.csv", "--model", "theirs", "--model", "mine", "--model", "./nowhere",
            "--format", "json", *SMALL, HF_ENDPOINT="http://127.0.0.1:9")
    )  # fmt: skip
    assert models(answer) == ["mine", "theirs"]
    assert answer["task"] == "text-classification"
    assert answer["dataset"]["id"] == "data.csv" and answer["sample"]["bytes_read"] == 0
    assert [(s["model"], s["stage"]) for s in answer["skipped"]] == [("./nowhere", "resolve")]


def test_a_named_checkpoint_that_moved_is_followed_and_a_gated_one_is_skipped(cli: Cli) -> None:
    done = cli("rank", "--dataset", "reviews", "--model", "plain-bert", "--model", "acme/gated-bert",
               "--model", "no/such", "--format", "json", "--fail-on", "skipped", *SMALL)  # fmt: skip
    assert done.returncode == 3
    answer = json.loads(done.stdout)
    assert models(answer) == ["tester/plain-bert"]
    skipped = {s["model"]: s["reason"] for s in answer["skipped"]}
    assert "gated" in skipped["acme/gated-bert"] and "not on the Hub" in skipped["no/such"]


def test_a_dry_run_shows_the_decision_and_fetches_no_weights(cli: Cli, hub: LabHub, tmp_path: Path) -> None:
    before = len(hub.requests)
    done = cli("rank", "--task", "text-classification", "--dataset", "reviews", "--dry-run", *SMALL)
    assert done.returncode == 0
    assert "Columns     text: text, label: label" in done.stdout
    assert done.stdout.count("\nExample     ") == 2 and "tester/seeing-bert@" in done.stdout
    assert not any("safetensors" in request.path for request in hub.requests[before:])
    assert not (tmp_path / "runs").exists()


def test_search_lists_candidates_with_reasons_and_downloads_nothing(cli: Cli, hub: LabHub) -> None:
    before = len(hub.requests)
    done = cli("search", "--task", "text-classification", "--include-gated", "--format", "json")
    rows = {row["model"]: row for row in json.loads(done.stdout)}
    assert rows["broken/custom-code"]["excluded"] == "needs custom code, which hubscan never runs"
    assert (
        rows["tester/seeing-bert"]["excluded"] is None and len(rows["tester/seeing-bert"]["revision"]) == 40
    )
    downloads = [row["downloads"] or 0 for row in rows.values()]
    assert downloads == sorted(downloads, reverse=True)
    assert all(request.path.startswith("/api/models") for request in hub.requests[before:])
    few = cli("search", "--task", "text-classification", "--limit", "2", "--format", "quiet").stdout.split()
    assert few == ["tester/plain-bert", "tester/seeing-bert"]


BAD_DATA: dict[str, tuple[list[str], str]] = {
    "unknown dataset": (["--dataset", "no/such"], "not on the Hub"),
    "unknown split": (["--dataset", "reviews", "--split", "dev"], "no split 'dev'; pass --split with one of: train, test"),
    "unknown column": (["--dataset", "reviews", "--label-column", "stars"], "--label-column stars: no such column in reviews; pass one of 'text' (text), 'label' (class)"),
    "no labels": (["--dataset", "tester/unlabelled"], "no label column"),
    "hidden labels": (["--dataset", "tester/hidden-labels", "--split", "test"], "no usable labelled row"),
    "one class": (["--dataset", "tester/one-class"], "one class only"),
    "which config": (["--dataset", "tester/two-configs"], "pass --config with one of plain, shouted"),
    "unknown config": (["--dataset", "tester/two-configs", "--config", "loud"], "pass --config with one of plain, shouted"),
    "gated dataset": (["--dataset", "acme/gated-reviews"], "gated"),
    "missing file": (["--dataset", "a/b/c"], "a/b/c: no such file"),
    "invalid id": (["--dataset", "not--valid"], "not a valid repository id"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_input_is_one_line_that_names_the_choices(cli: Cli, name: str, tmp_path: Path) -> None:
    arguments, said = BAD_DATA[name]
    done = cli("rank", *arguments, *SMALL)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.count("Error: ") == 1 and done.stderr.strip().splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize(
    "asked",
    [
        ("rank", "--dataset", "reviews", "--model", "tester/plain-bert"),
        # The client tries a listing for half a minute.
        pytest.param(("search", "--task", "text-classification"), marks=pytest.mark.slow),
    ],
)
def test_an_endpoint_out_of_reach_is_said_so(cli: Cli, asked: tuple[str, ...]) -> None:
    done = cli(*asked, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 1 and "http://127.0.0.1:9 cannot be reached" in done.stderr


def workers_of(parent: subprocess.Popen[str]) -> list[psutil.Process]:
    return [
        p for p in psutil.Process(parent.pid).children() if "hubscan.engines.worker" in " ".join(p.cmdline())
    ]


def started(hub: LabHub, hf_home: Path, cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hubscan", "rank", "--dataset", "reviews", "--format", "json", "--run", "run",
         "--model", "tester/plain-bert", "--model", "tester/seeing-bert", *SMALL, *arguments],
        env=environment(hub.endpoint, hf_home) | {"HUBSCAN_CACHE": str(cwd / "cache")}, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def when_busy(hub: LabHub, parent: subprocess.Popen[str], act: Callable[[psutil.Process], None]) -> None:
    """Hold the weights of the first checkpoint back on the Hub, and act on the worker that waits for them."""
    before = len(hub.requests)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any("plain-bert/resolve" in request.path for request in hub.requests[before:]):
            act(workers_of(parent)[0])
            return
        time.sleep(0.02)
    pytest.fail("the worker never asked for the checkpoint")


def test_a_torchvision_of_another_torch_is_one_line_and_no_candidate_is_blamed(
    cli: Cli, tmp_path: Path
) -> None:
    broken = tmp_path / "site/torchvision"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    about = tmp_path / "site/torchvision-0.1.0.dist-info/METADATA"
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.1.0\n")
    asked = ("rank", "--dataset", "reviews", "--run", "run", *SMALL)
    path = f"{tmp_path / 'site'}{os.pathsep}{REPOSITORY}"
    done = cli(*asked, PYTHONPATH=path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("Error: torchvision 0.1.0 cannot be imported with torch ")
    assert "nms does not exist" in last and last.endswith("or uninstall it")
    assert "skipped" not in done.stderr
    assert last.removeprefix("Error: ") in cli("doctor", PYTHONPATH=path).stdout
    mended = cli("rank", "--run", "run", "--resume", "--format", "json")
    assert ranked(mended)["ranking"]


@pytest.mark.parametrize("how", ["killed", pytest.param("hanging", marks=pytest.mark.slow)])
def test_a_worker_that_dies_or_hangs_ends_its_candidate_and_not_the_scan(
    own_hub: LabHub, tmp_path: Path, how: str
) -> None:
    own_hub.faults.add(r"HEAD /tester/plain-bert/resolve/.*config.json", times=3, delay=4)
    signalled = signal.SIGKILL if how == "killed" else signal.SIGSTOP
    # Long enough for a busy machine to import and load in, short enough to wait for.
    parent = started(own_hub, tmp_path / "home", tmp_path, "--stall-seconds", "25")
    when_busy(own_hub, parent, lambda worker: worker.send_signal(signalled))
    out, err = parent.communicate(timeout=200)
    assert parent.returncode == 0, err
    answer = json.loads(out)
    assert models(answer) == ["tester/seeing-bert"]
    (lost,) = answer["skipped"]
    assert (lost["model"], lost["stage"]) == ("tester/plain-bert", "fetch")
    expected = "SIGKILL (out of memory?)" if how == "killed" else "no progress for 25 s"
    assert expected in lost["reason"]


@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_has_its_exit_code_leaves_no_worker_and_can_be_resumed(
    own_hub: LabHub, tmp_path: Path, cli: Cli, sent: signal.Signals
) -> None:
    own_hub.faults.add(r"HEAD /tester/plain-bert/resolve/.*config.json", times=3, delay=4)
    parent = started(own_hub, tmp_path / "home", tmp_path)
    found: list[psutil.Process] = []

    def interrupt(worker: psutil.Process) -> None:
        found.append(worker)
        os.kill(parent.pid, sent)

    when_busy(own_hub, parent, interrupt)
    _, err = parent.communicate(timeout=60)
    assert parent.returncode == 128 + sent and "--resume" in err and "Traceback" not in err
    psutil.wait_procs(found, timeout=10)
    assert not found[0].is_running()
    resumed = ranked(cli("rank", "--run", "run", "--resume", "--format", "json"))
    assert set(models(resumed)) == {"tester/plain-bert", "tester/seeing-bert"}

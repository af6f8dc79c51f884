"""Other metrics than the first, and other layers than the last, through the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hubscan.scores.scoring import NAMES
from tests.support.commands import Cli

TWO = (
    "--dataset",
    "reviews",
    "--model",
    "tester/seeing-bert",
    "--model",
    "tester/blind-bert",
    "--samples",
    "60",
)
NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9"}


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_metric_ranks_kept_features_later_without_a_model_or_a_hub(cli: Cli) -> None:
    first = answer(
        cli("rank", *TWO, "--run", "run", "--metric", "transrate", "--metric", "knn", "--format", "json")
    )
    assert list(first["ranking"][0]["scores"]) == ["transrate", "knn"]
    names = ["logme", "hscore", "nleep", "knn", "probe", "size", "transrate", "transrate-listing"]
    names += ["transrate-equation", "transrate-plain", "transrate-projected"]
    asked = [part for name in names for part in ("--metric", name)]
    again = answer(cli("score", "run", *asked, "--format", "json", **NOWHERE))
    assert again["metric"].startswith("logme@")
    assert [entry["model"] for entry in again["ranking"]] == ["tester/seeing-bert", "tester/blind-bert"]
    best, blind = (entry["scores"] for entry in again["ranking"])
    assert list(best) == names
    for name in {"logme", "hscore", "nleep", "knn", "probe", "transrate"} & set(NAMES):
        assert best[name]["value"] > blind[name]["value"], name
    leading = best["logme"]
    assert leading["low"] < leading["value"] < leading["high"]
    assert leading["null"] < leading["value"] and leading["null_spread"] > 0
    assert best["knn"]["value"] == pytest.approx(first["ranking"][0]["scores"]["knn"]["value"])
    assert best["transrate"]["value"] == pytest.approx(first["ranking"][0]["scores"]["transrate"]["value"])
    accuracies = [[entry["accuracy"] for entry in found["ranking"]] for found in (first, again)]
    assert accuracies[0] == accuracies[1], "the head is the same whichever metric ranks"


def test_features_that_were_removed_are_a_skipped_line_with_advice(cli: Cli) -> None:
    answer(cli("rank", *TWO, "--run", "run", "--format", "json"))
    assert cli("cache", "ls").stdout.split(":")[1].startswith(" 2 features")
    assert cli("cache", "prune", "--keep", "0").returncode == 0
    gone = cli("score", "run", "--metric", "logme", **NOWHERE)
    assert gone.returncode == 1
    assert "no longer in the cache; hubscan rank --recipe run/recipe.yaml recomputes them" in gone.stderr


def test_each_layer_can_stand_for_itself_or_the_best_for_its_checkpoint(cli: Cli, tmp_path: Path) -> None:
    each = answer(cli("rank", *TWO, "--layers", "each", "--run", "each", "--format", "json"))
    by_model: dict[str, dict[str, float]] = {}
    for entry in each["ranking"]:
        by_model.setdefault(entry["model"], {})[entry["layer"]] = entry["scores"]["transrate"]["value"]
    assert {model: sorted(layers) for model, layers in by_model.items()} == {
        "tester/seeing-bert": ["0", "1", "2"],
        "tester/blind-bert": ["0", "1", "2"],
    }
    best = answer(cli("rank", *TWO, "--layers", "best", "--run", "best", "--format", "json"))
    for entry in best["ranking"]:
        layers = by_model[entry["model"]]
        assert layers[entry["layer"]] == max(layers.values()) == entry["scores"]["transrate"]["value"]
        assert entry["cost"]["cached"]
    words = cli("show", "best").stdout
    assert f"Use layer {best['ranking'][0]['layer']} of tester/seeing-bert (" in words


def test_an_unknown_metric_is_refused_with_all_names(cli: Cli) -> None:
    done = cli("score", ".", "--metric", "luck")
    assert done.returncode == 1 and "no run here" in done.stderr
    done = cli("rank", *TWO, "--metric", "luck")
    assert done.returncode == 2 and "Metrics: transrate, " in done.stderr
    done = cli("rank", *TWO, "--metric", "transfer")
    assert done.returncode == 2 and "'transfer' was replaced by 'transrate' (version 4)" in done.stderr

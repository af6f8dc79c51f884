"""Vision and text encoders in one ranking, and the best of each joined, from the command line and a script."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hub import LabHub, environment, run_python
from tests.support import programs
from tests.support.commands import Cli, models, ranked

Scan = tuple[dict[str, Any], Path]
NAMED = ("--model", "tester/tiny-vit", "--model", "tester/seeing-bert", "--model", "tester/blind-bert")
DATA = ("--dataset", "tester/captioned", "--samples", "60", "--device", "cpu")
PAIR = "tester/tiny-vit + tester/seeing-bert"


def run(hub: LabHub, home: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = environment(hub.endpoint, home) | {"HUBSCAN_CACHE": str(folder / "cache")}
    return programs.run(("-m", "hubscan", *arguments), variables, folder, timeout=240)


@pytest.fixture(scope="module")
def scan(hub: LabHub, hf_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """One scan of both modalities with the pair joined, for all the claims about it."""
    folder = tmp_path_factory.mktemp("across")
    asked = ("rank", *DATA, *NAMED, "--fuse", "--run", "run", "--format", "json")
    return ranked(run(hub, hf_home, folder, *asked)), folder


def by_model(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["model"]: entry for entry in answer["ranking"]}


def test_vision_and_text_encoders_stand_in_one_ranking_of_the_same_rows(scan: Scan) -> None:
    answer, _ = scan
    assert {model: entry["modality"] for model, entry in by_model(answer).items()} == {
        "tester/tiny-vit": "image",
        "tester/seeing-bert": "text",
        "tester/blind-bert": "text",
        PAIR: "image+text",
    }
    assert models(answer).index("tester/seeing-bert") < models(answer).index("tester/blind-bert")
    assert answer["sample"]["columns"] == {"image": "image", "text": "caption", "label": "label"}
    assert answer["sample"]["rows"] == 60 and answer["task"] == "image-classification"


def test_the_pair_is_the_best_of_each_modality_with_sizes_widths_and_costs_added(scan: Scan) -> None:
    answer, _ = scan
    entries = by_model(answer)
    pair, parts = entries[PAIR], [entries[model] for model in PAIR.split(" + ")]
    assert [part["model"] for part in pair["parts"]] == PAIR.split(" + ")
    for key in ("parameters", "dim"):
        assert pair[key] == sum(part[key] for part in parts)
    assert pair["cost"]["seconds"] == pytest.approx(sum(part["cost"]["seconds"] for part in parts))
    slower = min(part["cost"]["rows_per_second"] for part in parts)
    assert 0 < pair["cost"]["rows_per_second"] < slower
    score = pair["scores"]["transrate"]
    assert score["low"] < score["value"] < score["high"] and score["null"] is not None
    assert answer["fusion"]["model"] == PAIR and answer["fusion"]["better_part"] in PAIR.split(" + ")
    tied = answer["fusion"]["better_part"] in pair["tied_with"]
    assert (answer["fusion"]["verdict"] == "tied") == tied


def test_the_table_says_what_each_reads_and_whether_joining_pays(
    scan: Scan, hub: LabHub, hf_home: Path
) -> None:
    answer, folder = scan
    shown = run(hub, hf_home, folder, "show", "run").stdout
    words = " ".join(shown.split())
    relation = {"beats": "clearly higher", "loses": "clearly lower", "tied": "cannot tell the two apart"}
    assert f"than {answer['fusion']['better_part']} alone" in words
    assert relation[answer["fusion"]["verdict"]] in words
    assert "modality" in shown and "image+text" in shown
    ids = run(hub, hf_home, folder, "show", "run", "--format", "quiet").stdout.split()
    assert ids == [model for model in models(answer) if model != PAIR]
    lines = run(hub, hf_home, folder, "show", "run", "--format", "csv").stdout.splitlines()
    assert len(lines) == 5 and lines[0].startswith("rank,model,revision,modality,")


def test_the_runs_recipe_repeats_it_and_other_metrics_join_the_best_by_these(
    scan: Scan, hub: LabHub, hf_home: Path
) -> None:
    answer, folder = scan
    recipe = yaml.safe_load((folder / "run/recipe.yaml").read_text())
    assert recipe["modalities"] == ["image", "text"] and recipe["fuse"] is True
    again = ranked(run(hub, hf_home, folder, "rank", "--recipe", "run/recipe.yaml", "--format", "json"))
    assert [e["scores"] for e in again["ranking"]] == [e["scores"] for e in answer["ranking"]]
    assert models(again) == models(answer) and again["fusion"] == answer["fusion"]
    other = ranked(
        run(hub, hf_home, folder, "score", "run", "--metric", "knn", "--metric", "size", "--format", "json")
    )
    pair = next(entry for entry in other["ranking"] if entry["parts"])
    assert list(pair["scores"]) == ["knn", "size"] and other["fusion"]["model"] == pair["model"]
    texts = [e for e in other["ranking"] if e["modality"] == "text"]
    assert pair["parts"][1]["model"] == texts[0]["model"]


def test_a_run_that_joined_nothing_can_be_joined_later(scan: Scan, hub: LabHub, hf_home: Path) -> None:
    answer, folder = scan
    shutil.copytree(folder / "run", folder / "apart")
    recipe, results = folder / "apart/recipe.yaml", folder / "apart/results.jsonl"
    recipe.write_text(recipe.read_text().replace("fuse: true", "fuse: false"))
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:-1]))
    asked = ("score", "apart", "--metric", "transrate", "--format", "json")
    assert ranked(run(hub, hf_home, folder, *asked))["fusion"] is None
    assert ranked(run(hub, hf_home, folder, *asked, "--fuse"))["fusion"] == answer["fusion"]
    lock = folder / "apart/lock.yaml"
    lock.write_text(lock.read_text().replace("    image: image\n", ""))
    refused = run(hub, hf_home, folder, *asked, "--fuse")
    assert refused.returncode == 2 and "--fuse joins an image and a text checkpoint" in refused.stderr


def test_a_scan_cut_off_before_the_pair_joins_it_when_resumed_and_only_once(
    scan: Scan, hub: LabHub, hf_home: Path
) -> None:
    answer, folder = scan
    shutil.copytree(folder / "run", folder / "torn")
    results = folder / "torn/results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    assert len(lines) == 4 and '"parts"' in lines[3]
    results.write_text("".join(lines[:2]))
    for _ in range(2):
        resumed = ranked(run(hub, hf_home, folder, "rank", "--run", "torn", "--resume", "--format", "json"))
        assert models(resumed) == models(answer)
        assert len(results.read_text().splitlines()) == 4


@pytest.mark.slow
def test_each_layer_ranks_by_itself_and_the_best_of_them_are_joined(
    scan: Scan, hub: LabHub, hf_home: Path
) -> None:
    _, folder = scan
    asked = ("rank", *DATA, *NAMED[:4], "--layers", "each", "--fuse", "--format", "json", "--run", "each")
    answer = ranked(run(hub, hf_home, folder, *asked))
    (pair,) = (entry for entry in answer["ranking"] if entry["parts"])
    best = {m: next(e["layer"] for e in answer["ranking"] if e["modality"] == m) for m in ("image", "text")}
    assert (
        pair["layer"] == f"{best['image']} + {best['text']}" or best["image"] == best["text"] == pair["layer"]
    )


def test_the_query_gives_encoders_of_each_modality_in_turns(cli: Cli) -> None:
    done = cli("rank", *DATA, "--limit", "4", "--dry-run")
    assert done.returncode == 0, done.stderr
    found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  ") and "@" in line]
    assert found == ["image", "text", "image", "text"]
    listed = cli("search", "--modality", "image", "--modality", "text", "--limit", "4", "--format", "json")
    kept = [row["modality"] for row in json.loads(listed.stdout) if row["excluded"] is None]
    assert kept == found


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        (("--modality", "text"), "text: caption, label: label"),
        (("--task", "image-classification"), "image: image, label: label"),
        (("--task", "text-classification"), "text: caption, label: label"),
        (
            ("--task", "text-classification", "--modality", "text", "--modality", "image"),
            "text: caption, image: image, label: label",
        ),
    ],
)
def test_a_modality_restricts_the_scan_and_so_does_a_task_unless_a_modality_says_otherwise(
    cli: Cli, asked: tuple[str, ...], columns: str
) -> None:
    done = cli("rank", *DATA, *NAMED, *asked, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"Columns     {columns}\n" in done.stdout


def test_what_cannot_be_joined_or_read_is_said_in_one_line(cli: Cli) -> None:
    for asked, said in (
        (
            ("--modality", "text", "--fuse"),
            "--fuse joins an image and a text checkpoint, but only text is read",
        ),
        (("--modality", "audio"), "no audio column"),
        (("--modality", "image", "--input-column", "caption"), "--modality image: no image column among"),
    ):
        done = cli("rank", *DATA, *NAMED, *asked)
        assert done.returncode in (1, 2) and said in done.stderr and "Traceback" not in done.stderr


def test_where_one_side_has_no_checkpoint_the_pair_is_skipped_and_the_rest_ranked(cli: Cli) -> None:
    done = cli("rank", *DATA, "--model", "tester/seeing-bert", "--fuse", "--format", "json")
    answer = ranked(done)
    assert models(answer) == ["tester/seeing-bert"] and answer["fusion"] is None
    (skipped,) = answer["skipped"]
    assert skipped["stage"] == "fuse" and "no image checkpoint was scored" in skipped["reason"]


SCRIPT = """
import json, hubscan
ranking = hubscan.rank("tester/captioned", samples=60, device="cpu", fuse=True, modalities=["image", "text"],
                       models=["tester/tiny-vit", "tester/seeing-bert"])
print(json.dumps([[e.model, e.scored.candidate.modality, list(p.model for p in e.scored.parts)] for e in ranking]))
"""


@pytest.mark.slow
def test_a_script_ranks_across_modalities_and_joins_too(hub: LabHub, hf_home: Path, tmp_path: Path) -> None:
    home = environment(hub.endpoint, hf_home) | {"HUBSCAN_CACHE": str(tmp_path / "cache")}
    found = {
        model: (modality, parts) for model, modality, parts in json.loads(run_python(SCRIPT, home).stdout)
    }
    assert found["tester/tiny-vit"] == ("image", []) and found["tester/seeing-bert"] == ("text", [])
    assert found[PAIR] == ("image+text", ["tester/tiny-vit", "tester/seeing-bert"])

"""`make demo` as shown in the README: the command in a subprocess, on the real checkpoints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hubscan.cli.demo import COMMANDS

REPOSITORY = Path(__file__).parents[1]
BUILT = REPOSITORY / ".demo"
built = pytest.mark.skipif(
    not (BUILT / "hub.json").exists(), reason="`hubscan demo --build-only --folder .demo` first"
)


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `hubscan demo` with *arguments* in *folder*, on the built demo."""
    for part in ("models", "datasets", "hub.json"):
        (folder / part).symlink_to(BUILT / part)
    return subprocess.run(
        [sys.executable, "-m", "hubscan", "demo", "--folder", str(folder), *arguments],
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
        capture_output=True,
        text=True,
        timeout=880,
    )


def test_the_readme_shows_the_commands_that_the_demo_runs() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"$ {command}\n" in readme


@built
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_ranks_real_text_and_vision_encoders_offline(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    text, image = done.stdout.split("Use ")[1:]
    assert text.startswith(("BAAI/bge-small-en-v1.5 (", "answerdotai/answerai-colbert-small-v1 ("))
    assert len(re.findall(r"^[→ ] +\d  ", text, re.MULTILINE)) == 5
    assert len(re.findall(r"^→ +\d", text, re.MULTILINE)) == 1, "one is recommended"
    assert "A linear head on its frozen features is right on" in " ".join(text.split())
    assert "stanfordnlp/imdb@" in text and "neg (200), pos (200)" in text and "400 of 25,000" in text
    assert "accuracy, %" in text and "tied" in image
    assert image.startswith("vision-zoo/")
    assert "10 classes of 20 rows" in image and "vision-zoo/mobilenet_v2" in image
    assert done.stderr.count("\n$ hubscan rank ") == len(COMMANDS)
    assert "Traceback" not in done.stderr and "skipped" not in done.stderr
    assert len(list((tmp_path / "runs").glob("*/results.jsonl"))) == 2


@built
def test_even_on_120_rows_the_two_that_were_made_for_search_come_first(tmp_path: Path) -> None:
    asked = ("--dataset", "imdb", "--samples", "120", "--max-length", "32", "--format", "quiet")
    done = demo(tmp_path, "rank", "--task", "text-classification", *asked)
    assert done.returncode == 0, done.stderr
    ranked = done.stdout.split()
    assert len(ranked) == 5
    assert {*ranked[:2]} == {"BAAI/bge-small-en-v1.5", "answerdotai/answerai-colbert-small-v1"}


@built
def test_any_command_runs_on_the_demo_s_hub(tmp_path: Path) -> None:
    done = demo(
        tmp_path, "search", "--task", "image-classification", "--max-params", "5.5M", "--format", "quiet"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["vision-zoo/mobilenet_v2_1.0_224", "vision-zoo/efficientnet_lite0"]


@built
def test_a_command_that_fails_on_the_demo_s_hub_fails_the_demo(tmp_path: Path) -> None:
    done = demo(tmp_path, "show", "runs/none")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: runs/none: no run here (there is no lock.yaml in it)"

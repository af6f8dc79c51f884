"""Scans and workers are killed at random moments; a resumed scan gives the ranking of an undisturbed one."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.hub import LabHub, environment
from tests.support.commands import SMALL
from tests.support.fault_table import record

MODELS = ("tester/seeing-bert", "tester/blind-bert", "tester/plain-bert")
KILLS = 30
MOST_IN_A_ROW = 4  # kills of one scan
SEED = 27


@pytest.fixture
def variables(hub: LabHub, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    return environment(hub.endpoint, tmp_path / "home") | {
        "HUBSCAN_CACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "tmp"),
    }


def start(variables: dict[str, str], folder: Path, run: str) -> subprocess.Popen[bytes]:
    """Start a scan, or continue the one in *run*."""
    named = [part for model in MODELS for part in ("--model", model)]
    asked = (
        ("--resume",) if (folder / run / "lock.yaml").exists() else ("--dataset", "reviews", *named, *SMALL)
    )
    fresh = ("--fresh",) if (folder / run).exists() and "--resume" not in asked else ()
    command = [sys.executable, "-m", "hubscan", "rank", "--run", run, "--format", "json", *asked, *fresh]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(command, cwd=folder, env=variables, stdout=out, stderr=err)


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return [child for child in psutil.Process(process.pid).children(recursive=True) if child.is_running()]
    except psutil.NoSuchProcess:
        return []


def outcome(folder: Path) -> list[tuple[Any, ...]]:
    answer = json.loads((folder / "out").read_text())
    return [(entry["rank"], entry["model"], entry["scores"]) for entry in answer["ranking"]]


def computed(folder: Path, run: str) -> list[str]:
    lines = (folder / run / "results.jsonl").read_text().splitlines()
    return [json.loads(line)["candidate"]["model"] for line in lines if "candidate" in json.loads(line)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_kills_change_no_ranking_and_leave_nothing(variables: dict[str, str], tmp_path: Path) -> None:
    begun = time.monotonic()
    undisturbed = start(variables, tmp_path, "undisturbed")
    assert undisturbed.wait(240) == 0, (tmp_path / "err").read_text()
    expected, whole = outcome(tmp_path), time.monotonic() - begun
    assert len(expected) == len(MODELS)
    chance, kills, number = random.Random(SEED), 0, 0
    while kills < KILLS:
        number += 1
        run, variables["HUBSCAN_CACHE"] = f"run-{number}", str(tmp_path / f"cache-{number}")
        scan_kills = 0
        for _ in range(min(MOST_IN_A_ROW, KILLS - kills)):
            process = start(variables, tmp_path, run)
            time.sleep(chance.uniform(0.2, whole))
            victims: list[Any] = workers_of(process) if chance.random() < 0.4 else [process]
            kills += bool(victims) and process.poll() is None
            scan_kills += victims == [process]
            for victim in victims:
                victim.send_signal(signal.SIGKILL)
            process.wait(240)
            assert b"Traceback" not in (tmp_path / "err").read_bytes()
        process = start(variables, tmp_path, run)
        assert process.wait(240) == 0, (tmp_path / "err").read_text()
        assert outcome(tmp_path) == expected
        results = computed(tmp_path, run)
        assert sorted(results) == sorted(MODELS)  # nothing that was on disk was computed again
        names = {file.name for file in (tmp_path / run).iterdir()}
        assert not {name for name in names if name.endswith((".partial", ".tmp")) or name == "in-use.json"}
    strays = [
        file for file in tmp_path.glob("cache-*/**/*") if file.is_file() and file.suffix not in SUFFIXES
    ]
    assert strays == []
    assert [folder.name for folder in (tmp_path / "tmp").iterdir() if folder.name.startswith("hubscan")] == []
    assert [p for p in psutil.process_iter(["environ"]) if str(tmp_path) in str(p.info["environ"])] == []
    record(
        "process", f"kill -9 at {KILLS} random moments of scan or worker", "same ranking after each resume"
    )


SUFFIXES = {".safetensors", ".parquet", ".alias", ".json", ".lock", ""}

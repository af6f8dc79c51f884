"""Helpers for scans on the command line: common options, and checks of their JSON output."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema

import hubscan.report

Cli = Callable[..., subprocess.CompletedProcess[str]]
SCHEMA = json.loads((Path(hubscan.report.__file__).parent / "ranking.schema.json").read_text())
SMALL = ("--samples", "60", "--device", "cpu")


def ranked(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(answer, SCHEMA)
    return answer


def models(answer: dict[str, Any]) -> list[str]:
    return [entry["model"] for entry in answer["ranking"]]

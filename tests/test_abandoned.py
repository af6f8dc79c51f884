"""What a killed process left of a download is removed before the next one, unless it is in use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

from hubscan.hub.abandoned import remove_abandoned
from tests.hub import LabHub, environment
from tests.support import programs
from tests.support.commands import SMALL, models
from tests.support.fault_table import record

NAME = "models--tester--plain-bert"


def incomplete(cache: Path, etag: str) -> Path:
    file = cache / NAME / "blobs" / f"{etag}.0a1b2c3d.incomplete"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"a part")
    return file


def test_only_downloads_that_nobody_continues_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    abandoned, busy = incomplete(tmp_path, "a" * 64), incomplete(tmp_path, "b" * 64)
    locks = tmp_path / ".locks" / NAME
    locks.mkdir(parents=True)
    with WeakFileLock(locks / f"{'b' * 64}.lock"):
        remove_abandoned("tester/plain-bert")
    assert not abandoned.exists() and busy.exists()
    remove_abandoned("tester/no-such")


def test_a_scan_removes_what_a_killed_one_left_of_a_download(hub: LabHub, tmp_path: Path) -> None:
    left = incomplete(tmp_path / "home" / "hub", "a" * 64)
    asked = ("rank", "--dataset", "reviews", "--model", "tester/plain-bert", "--format", "json", *SMALL)
    variables = environment(hub.endpoint, tmp_path / "home")
    done = programs.run(("-m", "hubscan", *asked), variables, tmp_path, timeout=240)
    assert models(json.loads(done.stdout)) == ["tester/plain-bert"]
    assert not left.exists()
    record("Hub cache", "a part of a download that was killed", "removed; the file was downloaded again")

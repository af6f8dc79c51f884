"""Temporary folders: those of a process that was killed go with the next scan, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hubscan.processes.temporary import temporary_folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def ended() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_folders_of_ended_processes_are_removed(place: Path) -> None:
    with temporary_folder() as mine:
        gone = Path(mine).name.replace(str(os.getpid()), str(ended()), 1)
        machine = Path(mine).name.split("-")[2]
        (place / gone).mkdir()
        kept = [f"hubscan-{ended()}-{'0' * 8}-x", f"hubscan-{ended()}-mine", "hubscan-demo", Path(mine).name]
        for name in kept[:3]:
            (place / name).mkdir()
        link = place / f"hubscan-{ended()}-{machine}-link"
        link.symlink_to(place / "hubscan-demo")
        with temporary_folder():
            assert not (place / gone).exists()
            assert all((place / name).is_dir() for name in kept) and link.is_symlink()


def test_a_folder_goes_with_its_block(place: Path) -> None:
    with temporary_folder() as folder:
        assert Path(folder).is_dir()
    assert list(place.iterdir()) == []

"""A run folder that one process writes to is closed to every other writer, and open to readers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from hubscan.cli import main
from hubscan.errors import RunError
from hubscan.run_lock import HOLDER, held
from tests.hub import LabHub, environment
from tests.support.commands import SMALL, Cli
from tests.support.fault_table import record
from tests.support.rankings import BGE, MINILM, make_run

HOLD = "import sys, hubscan.run_lock as lock\nwith lock.held(lock.Path('run')): print('held', flush=True), input()"
RANK = ("rank", "--dataset", "reviews", "--model", "tester/seeing-bert", *SMALL, "--run", "run")


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the folder `run` in *folder*."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_scan_resume_or_verification_says_who_holds_the_folder(cli: Cli, tmp_path: Path) -> None:
    make_run(tmp_path / "run", [BGE, MINILM])
    before = (tmp_path / "run" / "results.jsonl").read_bytes()
    with holder(tmp_path) as process:
        asked = {"scan": RANK, "scan with --fresh": (*RANK, "--fresh"), "verify": ("verify", "run"),
                 "resume": ("rank", "--run", "run", "--resume")}  # fmt: skip
        for name, arguments in asked.items():
            done = cli(*arguments)
            assert done.returncode == 1 and done.stdout == "", name
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"Error: run: in use by process {process.pid} on ") and " since " in line
            record("run folder", f"a second {name} in a folder that is in use", line)
        shown = CliRunner().invoke(main, ["show", str(tmp_path / "run"), "--format", "quiet"])
        assert shown.exit_code == 0, shown.output
        record("run folder", "show in a folder that is in use", "shown")
    assert (tmp_path / "run" / "results.jsonl").read_bytes() == before


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / "run" / HOLDER).exists()
    with held(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / HOLDER).read_text())["process"] == os.getpid()
    record("run folder", "its holder was killed", "held again at once")


def test_a_scan_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), held(tmp_path / "a" / "run"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_stays_but_not_the_lock(tmp_path: Path) -> None:
    with held(tmp_path / "run"):
        (tmp_path / "run" / "kept").touch()
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["kept"]


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / HOLDER).symlink_to(tmp_path / "mine")
    with pytest.raises(RunError, match="is a symbolic link") as raised, held(tmp_path / "run"):
        pytest.fail("held by a link")
    assert (tmp_path / "mine").read_text() == "mine"
    record("run folder", "the file that says who holds it is a link", str(raised.value))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"process": "x"}', b"\xff", b"9" * 5000])
def test_a_damaged_note_of_the_holder_is_not_believed(tmp_path: Path, content: bytes) -> None:
    with holder(tmp_path):
        (tmp_path / "run" / HOLDER).write_bytes(content)
        with pytest.raises(RunError, match="in use by another process"), held(tmp_path / "run"):
            pytest.fail("held twice")


def test_only_one_of_many_that_start_at_once_holds_the_folder(hub: LabHub, tmp_path: Path) -> None:
    variables = environment(hub.endpoint, tmp_path / "home")
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD], cwd=tmp_path, env=variables, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(6)
    ]  # fmt: skip
    refused = 0
    winner = None
    for process in starting:
        assert process.stdout is not None
        if process.stdout.readline() == "held\n":
            assert winner is None
            winner = process
        else:
            refused += process.wait() == 1
    assert winner is not None and refused == 5
    winner.communicate("\n", timeout=10)
    for process in starting:
        process.communicate()
    assert list(tmp_path.glob("run")) == []
    record("run folder", "six scans start in one folder at once", "one holds it, five say so")

"""When the table is coloured: on a terminal, unless the user does not want it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.rankings import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("colors") / "run").folder


def shown_on_a_terminal(folder: Path, *options: str, **variables: str) -> str:
    """Return what `hubscan show` writes to a terminal."""
    ours, its = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    command = [sys.executable, "-m", "hubscan", "show", str(folder), *options]
    done = subprocess.Popen(command, stdout=its, env={**plain, "TERM": "xterm", **variables})
    os.close(its)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert done.wait() == 0
    return shown.decode()


def test_a_terminal_gets_colours(folder: Path) -> None:
    assert "\x1b[1m" in shown_on_a_terminal(folder)


@pytest.mark.parametrize(
    ("options", "variables"),
    [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})],
    ids=["the option", "NO_COLOR", "a dumb terminal"],
)
def test_a_user_who_wants_none_gets_none(folder: Path, options: list[str], variables: dict[str, str]) -> None:
    shown = shown_on_a_terminal(folder, *options, **variables)
    assert "Use BAAI/bge-small-en-v1.5" in shown and "\x1b" not in shown

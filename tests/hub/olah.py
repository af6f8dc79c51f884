"""Serve folders from a second, independent Hub: an olah mirror of git repositories on 127.0.0.1.

olah pins its own packages, so it has its own virtual environment. Its command is looked up in the variable
OLAH_CLI, in `.olah/bin` of this repository, and on PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[2] / ".olah/bin/olah-cli"
NEEDED = "olah 0.5.4 is neither at OLAH_CLI nor in .olah nor on PATH"
START_SECONDS = 30
CONFIG = """
[basic]
host = "127.0.0.1"
port = {port}
repos-path = "{work}/cache"
mirrors-path = ["{work}/mirror"]
# Nothing listens there, so the mirror cannot fetch what it does not have.
hf-netloc = "127.0.0.1:9"
hf-lfs-netloc = "127.0.0.1:9"
[accessibility]
offline = true
"""


class NoOlah(Exception):
    """olah, or git, which it needs, cannot be started on this machine."""


@dataclass(frozen=True)
class Mirror:
    """A running olah."""

    endpoint: str
    commits: Mapping[str, tuple[str, ...]]  # "models/org/name" to its commits, oldest first


def olah_command() -> str:
    """Return the command that starts olah."""
    known = [os.environ.get("OLAH_CLI"), str(HERE), shutil.which("olah-cli")]
    found = next((command for command in known if command and Path(command).is_file()), None)
    if found is None:
        raise NoOlah(NEEDED)
    if shutil.which("git") is None:
        raise NoOlah("olah reads git repositories, but git is not installed")
    return found


@contextmanager
def mirrored(command: str, folders: Mapping[str, Path], work: Path) -> Iterator[Mirror]:
    """Serve copies of *folders*, named "models/org/name", until the block ends.

    Each copy gets a second commit that changes its card, so that the first commit is not the newest.
    """
    commits = {name: _as_git(folder, work / "mirror" / name) for name, folder in folders.items()}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = work / "olah.toml"
    config.write_text(CONFIG.format(port=port, work=work))
    arguments = [command, "-c", str(config), "--log-path", str(work / "logs")]
    with (work / "olah.log").open("wb") as log:
        server = subprocess.Popen(arguments, cwd=work, stdout=log, stderr=log)
    try:
        _wait_for(port, server, work / "olah.log")
        yield Mirror(f"http://127.0.0.1:{port}", commits)
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise NoOlah(f"olah did not start: {log.read_text()[-500:]}")


def _as_git(folder: Path, target: Path) -> tuple[str, ...]:
    shutil.copytree(folder, target)
    _git(target, "init", "--quiet", "--initial-branch=main")
    first = _commit(target)
    with (target / "README.md").open("a") as card:
        card.write("\nA later word.\n")
    return first, _commit(target)


def _commit(folder: Path) -> str:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message=files")
    return _git(folder, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    nobody = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "tester"), ("EMAIL", "tester@example.invalid"))
    }
    variables = os.environ | nobody | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()

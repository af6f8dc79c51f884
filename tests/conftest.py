"""Fixtures of the whole suite: the loopback Hub, and the command line in a subprocess that uses it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import hypothesis
import pytest

from tests.families.made import made
from tests.hub import LabHub, environment
from tests.hub.fixtures import hub, hub_root, olah, olah_cli, own_hub
from tests.support import programs
from tests.support.commands import Cli

__all__ = ["cli", "hub", "hub_root", "made", "olah", "olah_cli", "own_hub"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cold", action="store_true", help="start every program anew, as for a user, with all imports"
    )


def pytest_configure(config: pytest.Config) -> None:
    programs.WARM = not config.getoption("--cold")
    # A busy machine should not fail a property.
    hypothesis.settings.register_profile("no deadline", deadline=None)
    hypothesis.settings.load_profile("no deadline")


def pytest_unconfigure() -> None:
    programs.end_servers()


# The checkpoints of the tests are tiny: a second thread would only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# In the background of a script, processes ignore SIGINT, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def hf_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One client cache for the session, so that tests share their downloads."""
    return tmp_path_factory.mktemp("hf-home")


@pytest.fixture
def cli(hub: LabHub, hf_home: Path, tmp_path: Path) -> Cli:
    """Run `hubscan` with the given arguments in an empty folder, with the loopback Hub as its endpoint."""

    def run(*arguments: str, **overrides: str) -> subprocess.CompletedProcess[str]:
        variables = environment(hub.endpoint, hf_home) | {"HUBSCAN_CACHE": str(tmp_path / "cache")}
        return programs.run(("-m", "hubscan", *arguments), variables | overrides, tmp_path, timeout=240)

    return run

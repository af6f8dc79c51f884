"""Fixtures for `tests/conftest.py`: the Hub with all content, and the environment to use it from a subprocess."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from filelock import FileLock

from hubscan.demo.hub import serve
from tests.hub.lab import LabHub
from tests.hub.olah import Mirror, NoOlah, mirrored, olah_command
from tests.support import programs

MIRRORED = (
    "models/tester/seeing-bert",
    "models/tester/blind-bert",
    "models/tester/sentence-bert",
    "models/tester/tiny-vit",
    "datasets/tester/reviews",
    "datasets/tester/lines-jsonl",
    "datasets/tester/colours-parquet",
)
GATED = ("models/acme/gated-bert", "datasets/acme/gated-reviews")
PRIVATE = ("models/acme/private-bert",)
MOVED = {"models/plain-bert": "tester/plain-bert", "datasets/reviews": "tester/reviews"}
DOWNLOADS = {"tester/plain-bert": 900, "tester/seeing-bert": 500, "tester/tiny-vit": 400}
REPOSITORY = Path(__file__).parents[2]


def environment(endpoint: str, home: Path, token: str | None = None) -> dict[str, str]:
    """Return the variables that make a new process use only the Hub at *endpoint*.

    Clients read them on import, so they have no effect in this process. *home* is the only cache, so an empty
    folder is a cold cache.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUGGING", "TRANSFORMERS_")) and "proxy" not in name.lower()
    }
    new = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HUBSCAN_CACHE": str(home / "hubscan"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        # For pickled weights, transformers would query a service on another host, from a thread.
        "DISABLE_SAFETENSORS_CONVERSION": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "5",
        "HF_HUB_ETAG_TIMEOUT": "5",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONPATH": str(REPOSITORY),
    }
    return kept | new | ({"HF_TOKEN": token} if token else {})


def command(hub: LabHub, folder: Path, *arguments: str, form: str = "json") -> str:
    """Run `hubscan` and return its output."""
    variables = environment(hub.endpoint, folder / "home") | {"HUBSCAN_CACHE": str(folder / "cache")}
    done = programs.run(("-m", "hubscan", *arguments, "--format", form), variables, folder, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_python(
    code: str, variables: Mapping[str, str], timeout: float = 120, *, cold: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run *code* in a separate process and return its output; an exception in it fails the test.

    With *cold*, the process is newly started, as for a user: it has imported nothing and shares no memory.
    """
    run = programs.run_cold if cold else programs.run
    done = run(("-c", code), variables, Path.cwd(), timeout)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def lab_hub(root: Path) -> LabHub:
    """Return a Hub for *root* with the gated and private repositories of the tests."""
    hub = LabHub(root)
    for (kind, repo_id), repo in hub.repos.items():
        repo.gated = "manual" if f"{kind}/{repo_id}" in GATED else False
        repo.private = f"{kind}/{repo_id}" in PRIVATE
    return hub


@pytest.fixture(scope="session")
def hub_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with every checkpoint and dataset; only read it, never write to it.

    All processes of a test run share it; the first that needs it creates it.
    """
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "hub"
    with FileLock(f"{root}.lock"):
        if not root.exists():
            made = tmp_path_factory.mktemp("hub")
            _make(made)
            made.rename(root)
    return root


def _make(root: Path) -> None:
    from tests.hub.checkpoints import make_models
    from tests.hub.labelled import make_datasets

    make_models(root / "models")
    make_datasets(root / "datasets")
    (root / "hub.json").write_text(json.dumps({"moved": MOVED, "downloads": DOWNLOADS}))


@pytest.fixture(scope="session")
def hub(hub_root: Path) -> Iterator[LabHub]:
    """One Hub for all tests that only read; they may not change its state."""
    hub = lab_hub(hub_root)
    with serve(hub):
        yield hub
    hub.close()


@pytest.fixture
def own_hub(hub_root: Path) -> Iterator[LabHub]:
    """A separate Hub with the same content, which a test may write to, gate, update or break."""
    hub = lab_hub(hub_root)
    with serve(hub):
        yield hub
    hub.close()


@pytest.fixture(scope="session")
def olah_cli() -> str:
    """The command that starts olah; skips the test if it is not installed."""
    try:
        return olah_command()
    except NoOlah as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def olah(olah_cli: str, hub_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """Some of the content on olah, an independent implementation of the Hub."""
    folders = {name: hub_root / name for name in MIRRORED}
    try:
        with mirrored(olah_cli, folders, tmp_path_factory.mktemp("olah")) as mirror:
            yield mirror
    except NoOlah as reason:
        pytest.skip(str(reason))

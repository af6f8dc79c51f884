"""Whatever can be checked is checked before a worker starts, and before an old run gives way to a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from hubscan import engines
from hubscan.engines import Engine, Progress, Result
from hubscan.errors import HubscanError
from hubscan.feature_store import LocalStore
from hubscan.recipe import Recipe, resolve
from hubscan.records import Candidate, Job
from hubscan.scan import scan
from tests.support.rankings import make_run

CUDA = f"cuda:{torch.cuda.device_count()}"


class Recorded:
    """An engine that does nothing and knows what it was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def run(
        self, candidates: Sequence[Candidate], sample: Path | bytes, job: Job
    ) -> Iterator[Progress | Result]:
        self.calls.append("run")
        yield from ()

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Put an engine in place of what `create` gives, which still says what it refuses."""
    recorded, create = Recorded(), engines.create

    def create_recorded(recipe: Recipe) -> Engine:
        create(recipe).close()
        return recorded

    monkeypatch.setattr("hubscan.scan.engines.create", create_recorded)
    return recorded


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.csv"
    file.write_text("text,label\n" + "".join(f"row {row},{'ab'[row % 2]}\n" for row in range(40)))
    return file


def scanned(data: Path, folder: Path, *, fresh: bool = False, **keys: Any) -> None:
    """Scan with a model that is not there, so that a recipe in order comes as far as its candidates."""
    asked = {"dataset": str(data), "models": ("./nowhere",), "device": "cpu", **keys}
    store = LocalStore(folder.with_name("store"))
    for _ in scan(resolve(asked), folder, fresh=fresh, store=store):
        pass


def test_a_recipe_in_order_starts_the_engine_before_its_candidates_are_known(
    engine: Recorded, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(HubscanError, match="none of the named models was found"):
        scanned(data, tmp_path / "run")
    assert engine.calls == ["start", "close"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "metric": ({"metrics": ("transrate", "guess")}, "metrics: unknown metric 'guess'"),
    "device": ({"device": CUDA}, f"device {CUDA}: this machine, or its torch, has no such CUDA device"),
    "dataset": ({"dataset": "./nowhere.csv"}, r"nowhere\.csv"),
    "column": ({"label_columns": ("stars",)}, "--label-column stars: no such column"),
    "split": ({"split": "dev"}, "no split 'dev'"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_before_the_engine_starts(
    engine: Recorded, data: Path, tmp_path: Path, wrong: str
) -> None:
    keys, said = WRONG[wrong]
    with pytest.raises(HubscanError, match=said):
        scanned(data, tmp_path / "run", **keys)
    assert "start" not in engine.calls and "run" not in engine.calls
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_said_before_the_engine_starts(
    engine: Recorded, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(HubscanError, match=f"run: cannot be written: {data} is not a folder"):
        scanned(data, data / "deeper" / "run")
    assert engine.calls == []


def test_a_folder_that_holds_a_run_is_said_before_the_engine_starts(
    engine: Recorded, data: Path, tmp_path: Path
) -> None:
    folder = make_run(tmp_path / "run").folder
    with pytest.raises(HubscanError, match="already contains a run; pass --resume"):
        scanned(data, folder)
    assert engine.calls == []


@pytest.mark.parametrize("wrong", ["metric", "device", "dataset", "column"])
def test_a_fresh_scan_that_cannot_begin_leaves_the_old_run_as_it_was(
    engine: Recorded, data: Path, tmp_path: Path, wrong: str
) -> None:
    folder = make_run(tmp_path / "run").folder
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(HubscanError):
        scanned(data, folder, fresh=True, **WRONG[wrong][0])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before

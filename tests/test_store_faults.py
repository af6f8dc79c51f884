"""A damaged feature store never changes a ranking: what does not fit is computed again, and that is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.hub import LabHub
from tests.support.commands import SMALL, Cli
from tests.support.fault_table import record

MODELS = ("--model", "tester/seeing-bert", "--model", "tester/blind-bert")
ASKED = ("rank", "--dataset", "reviews", *MODELS, *SMALL, "--format", "json")
AGAIN = "damaged features in the cache were computed again"


def changed(file: Path, change: Callable[[dict[str, np.ndarray], dict[str, str]], None]) -> None:
    """Write *file* again with other tensors or metadata, as a valid safetensors file."""
    with safe_open(file, framework="numpy") as opened:
        metadata = dict(opened.metadata())
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    change(tensors, metadata)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, file, metadata)


def of_layer(tensors: dict[str, np.ndarray]) -> str:
    return next(name for name in tensors if name.startswith("layer."))


def one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(bytes(content))


def rows_in_another_order(file: Path) -> None:
    changed(file, lambda tensors, _: tensors.update({of_layer(tensors): tensors[of_layer(tensors)][::-1]}))


def not_a_number(file: Path) -> None:
    def change(tensors: dict[str, np.ndarray], _: dict[str, str]) -> None:
        tensors[of_layer(tensors)] = np.full_like(tensors[of_layer(tensors)], np.nan)

    changed(file, change)


def fewer_rows(file: Path) -> None:
    changed(file, lambda tensors, _: tensors.update({name: t[:-3] for name, t in tensors.items()}))


def another_description(file: Path) -> None:
    def change(_: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
        metadata["features"] = json.dumps(json.loads(metadata["features"]) | {"untrained": True})

    changed(file, change)


def of_the_other_checkpoint(file: Path) -> None:
    other = next(other for other in file.parents[1].glob("*/*.safetensors") if other != file)
    content = other.read_bytes()
    file.write_bytes(content)


def claimed_by_the_other_checkpoint(file: Path) -> None:
    of_the_other_checkpoint(file)
    changed(file, lambda _, metadata: metadata.update({"address": file.stem}))


def no_metadata(file: Path) -> None:
    changed(file, lambda _, metadata: metadata.clear())


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


def a_text(file: Path) -> None:
    file.write_text("not features")


DAMAGES = {
    "one flipped bit": one_bit,
    "rows in another order": rows_in_another_order,
    "NaN for every number": not_a_number,
    "three rows less": fewer_rows,
    "another description": another_description,
    "the file of another checkpoint": of_the_other_checkpoint,
    "the file of another checkpoint, with this address": claimed_by_the_other_checkpoint,
    "no metadata": no_metadata,
    "a file that is cut off": cut_off,
    "another kind of file": a_text,
}


@pytest.fixture(scope="module")
def kept(hub: LabHub, hf_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[object]]:
    """Return a cache with the features of two checkpoints, and their ranking."""
    from tests.hub import environment
    from tests.support import programs

    folder = tmp_path_factory.mktemp("kept")
    variables = environment(hub.endpoint, hf_home) | {"HUBSCAN_CACHE": str(folder / "cache")}
    done = programs.run(("-m", "hubscan", *ASKED, "--run", "first"), variables, folder, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder / "cache", scores(done.stdout)


def scores(ranking: str) -> list[object]:
    return [(entry["model"], entry["scores"]) for entry in json.loads(ranking)["ranking"]]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_features_are_computed_again_and_that_is_said(
    cli: Cli, tmp_path: Path, kept: tuple[Path, list[object]], damage: str
) -> None:
    cache, before = kept
    shutil.copytree(cache, tmp_path / "cache")
    DAMAGES[damage](min((tmp_path / "cache" / "features").glob("*/*.safetensors")))
    done = cli(*ASKED, "--run", "second")
    assert done.returncode == 0, done.stderr
    assert scores(done.stdout) == before
    assert done.stderr.count(AGAIN) == 1 and done.stderr.count("features from the cache") == 1
    record("feature store", damage, AGAIN)

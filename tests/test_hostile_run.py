"""Reading a run folder from a stranger touches nothing outside that folder and the cache."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from hubscan import sample_file
from hubscan.cli import main
from hubscan.errors import RankingError, RunError
from hubscan.feature_store import StoredFeatures, open_store
from hubscan.records import Candidate, Features, Pooling, Sample, Scored, Training, Tuned
from hubscan.run import RESULTS, SAMPLE, VERDICT, VERIFIED, load_run
from hubscan.verify.results import verdict_of
from tests.support.rankings import BGE, DRAW, MINILM, make_run

NOT_ADDRESSES = ["{folder}/notes", "../notes", "../../notes", "", "AB" * 32, "ab" * 32 + "\n"]


def tuned(scored: Scored) -> Tuned:
    assert isinstance(scored.candidate, Candidate)
    held = tuple(range(10))
    predicted = (0, 1) * 5
    return Tuned(
        scored.candidate,
        Training(),
        "accuracy",
        held,
        rate=1e-4,
        epochs=3,
        settled=True,
        trained=10,
        seconds=1.0,
        device="cpu",
        predictions=predicted,
        frozen_predictions=predicted,
        accuracy=1.0,
        frozen_accuracy=1.0,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the user's notes, the cache, and a verified run."""
    monkeypatch.setenv("HUBSCAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "features").mkdir(parents=True)
    run = make_run(tmp_path / "run", [BGE, MINILM])
    sample = Sample(DRAW, {}, np.arange(DRAW.rows) % 2, np.arange(DRAW.rows))
    sample_file.write(sample, run.folder / SAMPLE, inputs=False)
    for one in (BGE, MINILM):
        run.append(tuned(one), verifies=True)
    return tmp_path


@pytest.mark.parametrize("arguments", [["show"], ["score", "--metric", "logme"]])
@pytest.mark.parametrize("features", NOT_ADDRESSES)
def test_a_path_as_the_address_of_features_is_a_damaged_line_and_the_file_stays(
    folder: Path, features: str, arguments: list[str]
) -> None:
    notes = [folder / "notes.safetensors", folder / "cache" / "notes.safetensors"]
    for file in notes:
        file.write_text("the user's own")
    line = json.dumps(asdict(replace(BGE, features=features.format(folder=folder))))
    results = folder / "run" / RESULTS
    results.write_text(line + "\n")
    done = CliRunner().invoke(main, [*arguments, str(folder / "run")])
    assert [file.read_text() for file in notes] == ["the user's own"] * 2
    assert (done.exit_code, done.stderr) == (1, f"Error: {results}: damaged line: {line[:80]}\n")


@pytest.mark.parametrize("features", NOT_ADDRESSES)
def test_the_store_refuses_to_load_and_to_write_without_a_valid_address(folder: Path, features: str) -> None:
    file = folder / "notes.safetensors"
    file.write_text("the user's own")
    name = features.format(folder=folder)
    matrix = np.ones((2, 2), dtype=np.float32)
    kept = Features({"last": matrix}, Pooling("cls", "declared"), 1, "cpu", "float32", "T", 1.0, False)
    stored = StoredFeatures(kept, np.array([[0, 0], [1, 0]]), np.zeros(2, np.uint64))
    with pytest.raises(ValueError, match="not an address"):
        open_store().load(name)
    with pytest.raises(ValueError, match="not an address"):
        open_store().save(name, stored)
    assert file.read_text() == "the user's own"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"tuned": [], "values": []},
        {"agreements": []},
        {"values": []},
        {"heads": [0.5]},
        {"gains": [[0, 0, 0]]},
        {
            "agreements": [
                {"followed": "size", "pick": 2, "regret": [0, 0, 0], "kendall": None, "pearson": None}
            ]
        },
        {
            "agreements": [
                {"followed": "size", "pick": -1, "regret": [0, 0, 0], "kendall": None, "pearson": None}
            ]
        },
    ],
)
def test_an_inconsistent_verdict_is_damaged(folder: Path, spoilt: dict[str, Any]) -> None:
    run = load_run(folder / "run")
    run.keep_verdict(verdict_of(run, Training()))
    assert CliRunner().invoke(main, ["show", str(run.folder)]).exit_code == 0
    file = run.folder / VERDICT
    file.write_text(json.dumps(json.loads(file.read_text()) | spoilt))
    done = CliRunner().invoke(main, ["show", str(run.folder)])
    said = f"Error: {file}: damaged; remove it, and run `hubscan verify` again\n"
    assert (done.exit_code, done.stderr) == (1, said)


def without(key: str, lines: str) -> str:
    """Return *lines* of JSON, each without the *key*."""
    return "".join(
        json.dumps({name: value for name, value in json.loads(line).items() if name != key}) + "\n"
        for line in lines.splitlines()
    )


@pytest.mark.parametrize("key", ["accuracy", "frozen_accuracy"])
def test_a_fine_tuned_result_without_an_accuracy_is_a_damaged_line(folder: Path, key: str) -> None:
    run = load_run(folder / "run")
    file = run.folder / VERIFIED
    file.write_text(without(key, file.read_text()))
    with pytest.raises(RunError, match="damaged line"):
        run.verified()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"predictions": [0, 1]},
        {"frozen_predictions": [0] * 11},
        {"predictions": [[0, 1]] * 10},
        {"held": [10**6] * 10},
        {"measure": "ranking precision"},
    ],
)
def test_predictions_that_do_not_match_the_sample_are_refused_in_one_line(
    folder: Path, spoilt: dict[str, Any]
) -> None:
    run = load_run(folder / "run")
    file = run.folder / VERIFIED
    lines = [json.dumps(json.loads(line) | spoilt) for line in file.read_text().splitlines()]
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(RankingError, match=r"pass --fresh$"):
        verdict_of(run, Training())

"""The arrays in a run folder: left-out predictions, and the heads of the best checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save

from hubscan import heads
from hubscan import run as runs
from hubscan.errors import RunError
from hubscan.feature_store import LocalStore, StoredFeatures
from hubscan.heads import kept_head
from hubscan.records import Features, LeftOut, Sample, Scored, ScoringRequest
from hubscan.scores import scoring
from tests.support.features import of_last_layer
from tests.support.rankings import BGE, DRAW, MINILM, make_run

ROWS = 60
DRAWN = replace(DRAW, rows=ROWS, classes={"neg": 30, "pos": 30})


def one(scored: Scored, predicted: Any, ridge: float = 0.5) -> Scored:
    return replace(scored, left_out={"last": LeftOut(ridge, predicted)})


def run_with(folder: Path, scored: Scored, **draw: Any) -> runs.Run:
    return make_run(folder, [scored, MINILM], **({"rows": ROWS, "classes": DRAWN.classes} | draw))


def predictions_of(run: runs.Run) -> Path:
    (file,) = (run.folder / "predictions").iterdir()
    return file


@pytest.mark.parametrize(
    ("predicted", "draw"),
    [
        (tuple([0, 1] * 30), {}),
        (tuple(float(i) / 7 for i in range(ROWS)), {"label_kind": "number", "classes": {}}),
        (tuple([(0, 1), (1, 1)] * 30), {"label_kind": "multilabel", "classes": {"a": 30, "b": 60}}),
    ],
)
def test_left_out_predictions_are_read_back_unchanged(
    tmp_path: Path, predicted: Any, draw: dict[str, Any]
) -> None:
    run = run_with(tmp_path / "run", one(BGE, predicted), **draw)
    assert run.left_out(BGE) == {"last": LeftOut(0.5, predicted)}
    assert run.left_out(MINILM) == {}, "older runs have none"
    (stored, *_) = run.results()
    assert isinstance(stored, Scored) and stored.left_out == {}
    assert stored == BGE, "results.jsonl has everything else"


def replaced(file: Path, values: Any, kind: pa.DataType | None = None) -> None:
    table = pq.read_table(file)
    pq.write_table(table.set_column(0, "last", pa.array(values, kind)), file)


def linked(file: Path) -> None:
    file.rename(file.parent / "elsewhere")
    file.symlink_to(file.parent / "elsewhere")


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def with_ridge(file: Path, metadata: dict[str, str]) -> None:
    pq.write_table(pq.read_table(file).replace_schema_metadata(metadata), file)


SPOILT: dict[str, Callable[[Path], Any]] = {
    "torn": lambda file: file.write_bytes(file.read_bytes()[:40]),
    "too few rows": lambda file: pq.write_table(pq.read_table(file).slice(1), file),
    "another class": lambda file: replaced(file, [7] * ROWS, pa.int32()),
    "a missing prediction": lambda file: replaced(file, [None] * ROWS, pa.int32()),
    "words": lambda file: replaced(file, ["neg"] * ROWS),
    "no ridge": lambda file: with_ridge(file, {}),
    "a negative ridge": lambda file: with_ridge(file, {"hubscan.ridges": '{"last": -1}'}),
    "a link": linked,
    "a folder": folder_instead,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_damaged_predictions_are_one_line_that_names_the_file(
    tmp_path: Path, spoil: Callable[[Path], Any]
) -> None:
    run = run_with(tmp_path / "run", one(BGE, tuple([0, 1] * 30)))
    file = predictions_of(run)
    spoil(file)
    with pytest.raises(RunError, match="scan again with --fresh") as raised:
        run.left_out(BGE)
    said = str(raised.value)
    assert said.startswith((f"{file}: damaged (", f"{file}: is ")) and "\n" not in said


def test_a_linked_folder_of_predictions_is_not_followed(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", BGE)
    (tmp_path / "elsewhere").mkdir()
    (run.folder / "predictions").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a symbolic link, but must be a folder"):
        run.append(one(BGE, tuple([0, 1] * 30)))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_fresh_scan_removes_the_files_of_the_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", one(BGE, tuple([0, 1] * 30)))
    mine = run.folder / "predictions" / "notes.txt"
    mine.write_text("the user's own")
    runs.create(run.folder, run.recipe, run.lock, fresh=True)
    assert list((run.folder / "predictions").iterdir()) == [mine]


# -- heads --------------------------------------------------------------------------------------


def features(seed: int, labels: Any) -> Features:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(ROWS, 8)) + 2.0 * np.asarray(labels).reshape(ROWS, -1)[:, :1]
    return of_last_layer(matrix.astype(np.float32))


def scan_of(folder: Path, labels: Any, **draw: Any) -> tuple[runs.Run, Sample, LocalStore, Features]:
    """Score one checkpoint as a scan does, and store its features."""
    drawn = replace(DRAWN, **draw)
    sample = Sample(drawn, {}, labels, np.arange(ROWS))
    found = features(1, labels)
    store = LocalStore(folder / "store")
    address = "ab" * 32
    store.save(address, StoredFeatures(found, sample.keys, np.zeros((ROWS, 32), np.uint8)))
    assessed = scoring.by_layer(found, sample, ScoringRequest())
    scored = replace(BGE, features=address, **scoring.layer_fields(assessed, "last"))
    return make_run(folder / "run", [scored], **(draw | {"rows": ROWS})), sample, store, found


def keep_heads(run: runs.Run, sample: Sample, store: LocalStore) -> None:
    for entry in heads.with_heads(run.ranking):
        content = heads.head_of(entry.scored, sample, store)
        if content is not None:
            run.write_head(entry, content)


def head_in(run: runs.Run) -> dict[str, Any]:
    found = kept_head(run, run.ranking.first)
    assert found is not None
    return found


def test_the_head_of_a_leader_applies_to_the_features_of_the_encoder(tmp_path: Path) -> None:
    labels = np.arange(ROWS) % 2
    run, sample, store, found = scan_of(tmp_path, labels, classes={"neg": 30, "pos": 30})
    keep_heads(run, sample, store)
    head = head_in(run)
    assert {name: (array.shape, array.dtype.name) for name, array in head.items()} == {
        "weight": ((2, 8), "float32"),
        "bias": ((2,), "float32"),
    }
    outputs = found.matrix @ head["weight"].T + head["bias"]
    assert (outputs.argmax(axis=1) == labels).mean() > 0.9
    assert outputs.sum(axis=1) == pytest.approx(np.ones(ROWS), abs=1e-4), "indicators add up to 1"


def test_the_head_of_several_labels_is_positive_where_a_label_applies(tmp_path: Path) -> None:
    labels = np.stack([np.arange(ROWS) % 2, np.ones(ROWS), np.zeros(ROWS)], axis=1).astype(np.uint8)
    run, sample, store, found = scan_of(
        tmp_path, labels, label_kind="multilabel", classes={"a": 30, "all": ROWS, "none": 0}
    )
    keep_heads(run, sample, store)
    head = head_in(run)
    applies = found.matrix @ head["weight"].T + head["bias"] > 0
    assert (applies[:, 0] == labels[:, 0]).mean() > 0.9
    assert applies[:, 1].all() and not applies[:, 2].any()


def test_a_checkpoint_without_stored_features_keeps_its_rank_without_a_head(tmp_path: Path) -> None:
    run, sample, _, _ = scan_of(tmp_path, np.arange(ROWS) % 2, classes={"neg": 30, "pos": 30})
    keep_heads(run, sample, LocalStore(tmp_path / "empty"))
    assert kept_head(run, run.ranking.first) is None


def test_a_head_that_cannot_be_computed_does_not_lose_the_ranking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, sample, store, _ = scan_of(tmp_path, np.arange(ROWS) % 2, classes={"neg": 30, "pos": 30})

    def diverges(*_: Any, **__: Any) -> None:
        raise np.linalg.LinAlgError("did not converge")

    monkeypatch.setattr(heads, "linear_head", diverges)
    keep_heads(run, sample, store)
    assert kept_head(run, run.ranking.first) is None


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (
            {"weight": np.zeros((2, 9), np.float32), "bias": np.zeros(2, np.float32)},
            "not a head with 2 outputs",
        ),
        ({"weight": np.zeros((2, 8), np.float32)}, "not a head with 2 outputs"),
        ({"weight": np.full((2, 8), np.nan, np.float32), "bias": np.zeros(2, np.float32)}, "not finite"),
        ({"weight": np.zeros((2, 8)), "bias": np.zeros(2)}, "not finite float32"),
        (None, "header too small"),
    ],
)
def test_a_damaged_head_is_one_line_that_names_the_file(tmp_path: Path, tensors: Any, said: str) -> None:
    run, sample, store, _ = scan_of(tmp_path, np.arange(ROWS) % 2, classes={"neg": 30, "pos": 30})
    keep_heads(run, sample, store)
    file = run.folder / run.head_name(run.ranking.first)
    file.write_bytes(b"torn" if tensors is None else save(tensors))
    with pytest.raises(RunError, match="scan again with --fresh") as raised:
        kept_head(run, run.ranking.first)
    assert str(raised.value).startswith(f"{file}: damaged (") and said in str(raised.value)

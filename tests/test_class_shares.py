"""The shares of the classes in the whole split, and whether a sample has them too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hubscan import recipe, sample_file
from hubscan.records import Sample, ScoringRequest
from hubscan.report import accuracy, sentences
from hubscan.report.json_form import as_json
from hubscan.sample import assemble, draw
from hubscan.scores import scoring
from tests.support.commands import SCHEMA
from tests.support.features import of_last_layer
from tests.support.files import LONG
from tests.support.rankings import BGE, DRAW, MINILM, make_run

ROWS = 400


def drawn(columns: dict[str, list[Any]], folder: Path, form: str = "parquet", **keys: Any) -> Sample:
    file, table = folder / f"data.{form}", pa.table(columns)
    if form == "parquet":
        pq.write_table(table, file, row_group_size=50)
    else:
        file.write_text("\n".join(map(json.dumps, table.to_pylist())))
    return draw(recipe.resolve({"dataset": str(file), "samples": 40, **keys}).sample_request)


def skewed() -> dict[str, list[Any]]:
    """84 % of the labelled rows are negative; twenty more have no label."""
    labels = ["neg" if i % 25 < 21 else "pos" for i in range(ROWS)] + [None] * 20
    return {"text": [f"text {i}" for i in range(len(labels))], "label": labels}


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_the_shares_of_classes_are_those_of_all_labelled_rows(tmp_path: Path, form: str) -> None:
    info = drawn(skewed(), tmp_path, form).draw
    assert info.split_shares == {"neg": 0.84, "pos": 0.16}
    assert (info.majority_share, info.split_majority_share) == (0.5, 0.84)
    assert not info.representative


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_the_shares_of_tags_are_those_of_all_words_that_have_one(tmp_path: Path, form: str) -> None:
    tags = [["O", "O", "O", "LOC" if i % 2 else None] for i in range(60)]
    columns: dict[str, list[Any]] = {"tokens": [[*"abc", f"w{i}"] for i in range(60)], "tags": tags}
    info = drawn(columns, tmp_path, form, label_kind="token").draw
    assert info.split_shares == {"LOC": 30 / 210, "O": 180 / 210}
    assert info.majority_share == 0.5 and not info.representative


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_the_shares_of_several_labels_are_of_rows_with_those_that_have_none(
    tmp_path: Path, form: str
) -> None:
    labels = [[["a", "b"], ["a"], [], ["a", "c"], None][i % 5] for i in range(200)]
    info = drawn({"text": [f"t{i}" for i in range(200)], "labels": labels}, tmp_path, form, samples=80).draw
    assert info.split_shares == {"a": 0.75, "b": 0.25, "c": 0.25}
    assert info.majority_share == info.classes["a"] / 80 and info.split_majority_share == 0.75


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_numbers_have_no_shares_and_any_sample_of_them_is_representative(tmp_path: Path, form: str) -> None:
    columns: dict[str, list[Any]] = {
        "text": [f"t{i}" for i in range(90)],
        "score": [i / 7 for i in range(90)],
    }
    info = drawn(columns, tmp_path, form).draw
    assert info.representative
    assert (info.split_shares, info.majority_share, info.split_majority_share) == (None, None, None)


def test_a_sample_in_proportion_and_one_of_a_balanced_split_are_representative(tmp_path: Path) -> None:
    assert drawn(skewed(), tmp_path, balance=False, samples=200).draw.representative
    even = {**skewed(), "label": ["neg", "pos"] * (ROWS // 2 + 10)}
    assert drawn(even, tmp_path).draw.representative


@pytest.mark.parametrize(
    ("classes", "shares", "expected"),
    [
        ({"neg": 500, "pos": 500}, {"neg": 0.51, "pos": 0.49}, True),
        ({"neg": 500, "pos": 500}, {"neg": 0.511, "pos": 0.489}, False),
        ({"neg": 500, "pos": 500}, {"neg": 0.5, "pos": 0.491, "odd": 0.009}, True),
        ({"neg": 500, "pos": 500}, {"neg": 0.494, "pos": 0.494, "odd": 0.012}, False),
        ({"neg": 500, "pos": 500}, None, False),
    ],
)
def test_a_sample_is_representative_if_no_share_differs_by_more_than_a_point(
    classes: dict[str, int], shares: dict[str, float] | None, expected: bool
) -> None:
    assert replace(DRAW, classes=classes, split_shares=shares).representative is expected


def test_a_class_of_the_split_without_a_drawn_row_keeps_its_share(tmp_path: Path) -> None:
    columns = {
        "text": [f"text {i}" if i % 10 else " " for i in range(ROWS)],
        "label": ["odd" if i % 10 == 0 else "ab"[i % 2] for i in range(ROWS)],
    }
    info = drawn(columns, tmp_path).draw
    assert info.classes == {"a": 20, "b": 20} and info.split_shares == {"a": 0.4, "b": 0.5, "odd": 0.1}


def test_of_a_pass_that_ends_early_the_shares_are_not_known() -> None:
    fsspec.filesystem("memory").pipe("/shares/long.csv", LONG)
    asked = {"dataset": "memory://shares/long.csv", "samples": 40}
    whole = draw(recipe.resolve(asked).sample_request).draw
    part = draw(recipe.resolve({**asked, "max_bytes": "1MB"}).sample_request).draw
    assert whole.rows_seen == 30_000 and whole.split_shares == {"a": 0.5, "b": 0.5} and whole.representative
    assert part.rows_seen < 30_000 and part.split_shares is None and not part.representative


def test_shares_of_very_many_classes_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert assemble.MOST_SHARES == 10_000
    for most, kept in ((2, True), (1, False)):
        monkeypatch.setattr(assemble, "MOST_SHARES", most)
        assert (drawn(skewed(), tmp_path).draw.split_shares is not None) is kept


def test_a_sample_file_keeps_the_shares_and_one_without_them_is_read(tmp_path: Path) -> None:
    sample, file = drawn(skewed(), tmp_path), tmp_path / "sample.parquet"
    sample_file.write(sample, file, inputs=False)
    assert sample_file.read(file).draw == sample.draw
    table = pq.read_table(file)
    described = json.loads(table.schema.metadata[b"hubscan.draw"])
    del described["split_shares"]
    pq.write_table(table.replace_schema_metadata({"hubscan.draw": json.dumps(described)}), file)
    assert sample_file.read(file).draw == replace(sample.draw, split_shares=None)


@pytest.mark.parametrize(
    ("kind", "shares", "said"),
    [
        ("class", {"neg": 0.84, "pos": 0.16}, "pos (500); most frequent in the split: neg (84 %)"),
        ("class", {"neg": 0.9997, "pos": 0.0003}, "pos (500); most frequent in the split: neg (over 99.9 %)"),
        ("multilabel", {"neg": 0.843, "pos": 0.7}, "pos (500); most frequent in the split: neg (84.3 %)"),
        ("class", {"neg": 0.5, "pos": 0.5}, "pos (500); most frequent in the split: neg (50 %)"),
        ("class", None, "classes: neg (500), pos (500)"),
    ],
)
def test_the_largest_share_of_the_split_is_said_where_it_is_known(
    kind: Any, shares: dict[str, float] | None, said: str
) -> None:
    assert sentences.classes(replace(DRAW, label_kind=kind, split_shares=shares)).endswith(said)


def test_json_has_the_largest_shares_and_null_where_they_are_not_known(tmp_path: Path) -> None:
    ranking = make_run(tmp_path / "run", [BGE, MINILM]).ranking
    for shares, share in (({"neg": 0.84, "pos": 0.16}, 0.84), (None, None)):
        written = json.loads(as_json(replace(ranking, draw=replace(ranking.draw, split_shares=shares))))
        jsonschema.validate(written, SCHEMA)
        assert (written["sample"]["majority_share"], written["sample"]["split_majority_share"]) == (
            0.5,
            share,
        )
        assert written["sample"]["groups"] is None


@pytest.mark.parametrize(
    ("balance", "kind", "said"),
    [
        (
            True,
            "balanced_accuracy",
            "has a balanced accuracy of {} on unseen rows (chance: 50 %)",
        ),
        (False, "accuracy", "is right on {} of unseen rows (always the most frequent class: 95 %)"),
    ],
)
def test_a_rare_class_is_read_by_balanced_accuracy_in_a_balanced_sample_and_by_accuracy_in_proportion(
    tmp_path: Path, balance: bool, kind: str, said: str
) -> None:
    columns = {
        "text": [f"t{i}" for i in range(1000)],
        "label": ["rare" if i % 20 == 0 else "usual" for i in range(1000)],
    }
    sample = drawn(columns, tmp_path, samples=100, balance=balance)
    assert sorted(sample.draw.classes.values()) == ([50, 50] if balance else [5, 95])
    noise = np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)
    found = scoring.by_layer(of_last_layer(noise), sample, ScoringRequest()).layers["last"].accuracy
    assert found is not None and found.kind == kind
    assert abs(found.value - (0.5 if balance else 0.95)) <= 3 * found.error
    assert said.format(accuracy.percent(found.value)) in accuracy.sentence(found, sample.draw)

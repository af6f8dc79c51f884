"""What holds of every draw: memory that does not grow, rows equally likely, no class left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import chisquare

from hubscan import recipe
from hubscan.records import SampleRequest
from hubscan.sample import draw
from hubscan.sample.cells import Reader
from hubscan.sample.columns import Columns
from hubscan.sample.label_codes import Coder
from hubscan.sample.select import random_access
from hubscan.sample.sources.open import open_split
from hubscan.sample.sources.protocols import Table
from tests.hub.drawing import drawn as drawn_apart


def saved(folder: Path, columns: dict[str, Any], group_rows: int = 100) -> Path:
    file = folder / "data.parquet"
    pq.write_table(pa.table(columns), file, row_group_size=group_rows)
    return file


def test_memory_does_not_grow_with_the_split(tmp_path: Path) -> None:
    peaks = []
    for rows in (30_000, 3_000_000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        labels = pa.array(np.arange(rows) * 3 // rows)
        text = pa.array(["a few words of text"] * 1000).take(pa.array(np.arange(rows) % 1000))
        file = saved(folder, {"text": text, "label": labels}, group_rows=10_000)
        found = drawn_apart(
            "http://127.0.0.1:9", tmp_path / "home", dataset=str(file), samples=1000, cold=True
        )
        assert found["draw"]["rows_seen"] == rows and found["draw"]["rows"] == 1000
        peaks.append(found["peak_bytes"])
    assert peaks[1] <= 1.1 * peaks[0]


@pytest.mark.parametrize(
    "block", [pytest.param("rows by themselves", marks=pytest.mark.slow), "rows in blocks"]
)
def test_over_a_thousand_seeds_every_row_of_a_class_is_drawn_equally_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    if block == "rows in blocks":  # the split is too small for its bytes to matter otherwise
        monkeypatch.setattr(random_access, "FREE_BYTES", 0)
        monkeypatch.setattr(random_access, "TEXT_SHARE", 0.5)
    labels = [0] * 90 + [1] * 30
    file = saved(tmp_path, {"text": [f"{i}" * 40 for i in range(120)], "label": labels}, group_rows=15)
    asked = SampleRequest(str(file), samples=12)
    source = open_split(asked)  # once: it is all but the draw that takes time
    assert isinstance(source.rows, Table)
    columns = Columns({"text": ("text",)}, ("label",), "class", None)
    counts, blocks = np.zeros(120), set()
    for seed in range(1000):
        coder = Coder(columns, 12, "here")
        reader = Reader(columns.inputs, "class", source.fetch, asked.max_seconds)
        found = random_access.draw_rows(source.rows, columns, coder, reader, replace(asked, seed=seed))
        counts[[pick.drawn.row for pick in found.picks]] += 1
        blocks.add(found.block_rows)
    assert blocks == {1} if block == "rows by themselves" else max(blocks) > 1
    # Rows of one block come together: counts vary as much as if there were so many times fewer.
    for part in (counts[:90], counts[90:]):
        assert part.sum() == 6000
        assert chisquare(part / max(blocks)).pvalue > 0.001


def test_a_thousand_classes_and_two_thousand_rows(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).permutation(np.arange(60_000) % 1000)
    file = saved(tmp_path, {"text": [f"t{i}" for i in range(60_000)], "label": labels}, group_rows=1000)
    sample = draw(recipe.resolve({"dataset": str(file), "samples": 2000}).sample_request)
    assert len(sample.draw.classes) == 1000 and set(sample.draw.classes.values()) == {2}
    assert np.array_equal(np.sort(labels[sample.row_ids]), np.repeat(np.arange(1000), 2))


@pytest.mark.parametrize("balance", [True, False])
def test_a_class_of_one_in_a_thousand_is_there(tmp_path: Path, balance: bool) -> None:
    labels = ["often"] * 20_000
    for row in range(500, 20_000, 1000):
        labels[row] = "seldom"
    file = saved(tmp_path, {"text": [f"t{i}" for i in range(20_000)], "label": labels})
    sample = draw(recipe.resolve({"dataset": str(file), "samples": 500, "balance": balance}).sample_request)
    assert sample.draw.classes == ({"often": 480, "seldom": 20} if balance else {"often": 498, "seldom": 2})


def test_labels_in_blocks_and_a_class_in_the_last_shard_alone(tmp_path: Path) -> None:
    for shard in range(4):
        labels = ["a"] * 100 + ["b"] * 100 if shard < 3 else ["last"] * 60
        table = pa.table({"text": [f"{shard} {i}" for i in range(len(labels))], "label": labels})
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(table, tmp_path / f"data/train-{shard}.parquet", row_group_size=50)
    sample = draw(recipe.resolve({"dataset": str(tmp_path), "samples": 90}).sample_request)
    assert sample.draw.classes == {"a": 30, "b": 30, "last": 30}
    shards = {text.split()[0] for text in sample.inputs["text"] if isinstance(text, str)}
    assert shards == {"0", "1", "2", "3"}

"""How many rows a scan draws where it is not told."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hubscan import recipe
from hubscan.sample import draw
from hubscan.sample_size import rows_by_default, rows_needed


@pytest.mark.parametrize(
    ("classes", "needed", "drawn"),
    [(0, 1_000, 1_000), (2, 1_000, 1_000), (30, 1_500, 1_500), (400, 20_000, 5_000)],
)
def test_rows_grow_with_the_classes_up_to_what_a_scan_can_bear(classes: int, needed: int, drawn: int) -> None:
    assert (rows_needed(classes), rows_by_default(classes)) == (needed, drawn)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_split_of_many_classes_gives_more_rows_unless_told_how_many(tmp_path: Path, form: str) -> None:
    rows = range(3_000)
    table = pa.table({"text": [f"text {row}" for row in rows], "label": [f"kind {row % 30}" for row in rows]})
    file = tmp_path / f"data.{form}"
    if form == "parquet":
        pq.write_table(table, file)
    else:
        file.write_text("text,label\n" + "\n".join(f"text {row},kind {row % 30}" for row in rows))
    drawn = draw(recipe.resolve({"dataset": str(file)}).sample_request).draw
    assert set(drawn.classes.values()) == {50}
    told = draw(recipe.resolve({"dataset": str(file), "samples": 60}).sample_request).draw
    assert set(told.classes.values()) == {2}

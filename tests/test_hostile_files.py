"""Files cut anywhere and flipped anywhere: a draw gives a sample or one line, never a traceback."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubscan import recipe
from hubscan.errors import HubscanError
from hubscan.sample import draw
from tests.support.files import tar

ROWS = [
    {"text": f'row {i}, "said"', "label": "ab"[i % 2], "n": i, "tags": ["x"] * (i % 3)} for i in range(60)
]


def stored() -> dict[str, bytes]:
    parquet, arrow = io.BytesIO(), pa.BufferOutputStream()
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, parquet, row_group_size=20)
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    cells = (f'"{r["text"]}",{r["label"]},{r["n"]}' for r in ROWS)
    csv = "\n".join(["text,label,n", *(line.replace('"said"', '""said""') for line in cells)]).encode()
    return {
        "rows.csv": csv,
        "rows.csv.gz": gzip.compress(csv, mtime=0),
        "rows.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
        "rows.json": json.dumps(ROWS).encode(),
        "rows.parquet": parquet.getvalue(),
        "rows.arrow": arrow.getvalue().to_pybytes(),
        "rows.tar": tar(12),
    }


FILES = stored()


def spoilt(content: bytes, cut: float, flips: list[tuple[float, int]], junk: bytes, at: float) -> bytes:
    found = bytearray(content[: int(cut * len(content)) + 1])
    for place, bits in flips:
        found[int(place * (len(found) - 1))] ^= bits
    start = int(at * len(found))
    return bytes(found[:start] + junk + found[start:])


PLACE = st.floats(0, 1, allow_nan=False)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cut=st.one_of(st.just(1.0), PLACE),
    flips=st.lists(st.tuples(PLACE, st.integers(1, 255)), max_size=6),
    junk=st.binary(max_size=8),
    at=PLACE,
    column=st.sampled_from([None, "label", "n", "tags"]),
)
def test_a_spoilt_file_gives_a_sample_or_one_line(
    name: str, cut: float, flips: list[tuple[float, int]], junk: bytes, at: float, column: str | None
) -> None:
    keys: dict[str, Any] = {"label_columns": (column,)} if column else {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(spoilt(FILES[name], cut, flips, junk, at))
        try:
            assert len(
                draw(recipe.resolve({"dataset": str(file), "samples": 10, **keys}).sample_request).row_ids
            )
        except HubscanError as error:
            assert "\n" not in str(error)


def test_a_label_that_is_not_utf8_is_said(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(FILES["rows.jsonl"].replace(b'"b"', b'"\xe1"', 1))
    with pytest.raises(HubscanError, match="a label is not valid UTF-8"):
        draw(recipe.resolve({"dataset": str(file), "samples": 10}).sample_request)

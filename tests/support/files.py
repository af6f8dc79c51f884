"""Files with labelled rows, as bytes: CSV, parquet and tar."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hub.large import noise

ROWS = 400
LINES = [f'"row {i}, and\na second line, ünïcode",{"ab"[i % 2]}' for i in range(ROWS)]
CSV = "\n".join(["text,label", *LINES, ""]).encode()
LONG = "\n".join(["text,label", *(f"row {i} {'x' * 90},{'ab'[i % 2]}" for i in range(30_000)), ""]).encode()


def tar(rows: int = 60, *, damaged: bool = False) -> bytes:
    """Rows with an image, a class and a JSON file each, sorted by class; the image of row 3 is broken."""
    stored = io.BytesIO()
    random = np.random.default_rng(0)
    with tarfile.open(fileobj=stored, mode="w") as opened:
        for row in range(rows):
            files = {
                "jpg": b"broken" if row == 3 else noise(random, 4),
                "cls": str(row * 3 // rows).encode(),
                "json": json.dumps({"said": f"row {row}", "nested": {"x": 1}}).encode(),
            }
            for kind, content in files.items():
                member = tarfile.TarInfo(f"part/{row:04}.{kind}")
                member.size = len(content)
                opened.addfile(member, io.BytesIO(content))
    return stored.getvalue()[: -20_000 if damaged else None]


def table(rows: int = 300) -> pa.Table:
    return pa.table({"text": [f"row {i}" for i in range(rows)], "label": ["a"] * 200 + ["b"] * (rows - 200)})


def parquet(rows: int = 300) -> bytes:
    stored = io.BytesIO()
    pq.write_table(table(rows), stored, row_group_size=50)
    return stored.getvalue()

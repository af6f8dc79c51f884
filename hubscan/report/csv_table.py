"""Rankings and listings as comma-separated values: a header, then one line per checkpoint."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from hubscan.plain_text import cell, cleaned
from hubscan.records import Ranking
from hubscan.records.flat import flat_rows


def as_csv(ranking: Ranking) -> str:
    """Return the columns of `flat_rows`, with numbers in full; unknown values are empty."""
    return as_table(flat_rows(cleaned(ranking)))


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a header and one line for each of *rows*; no cell is a formula for a spreadsheet."""
    written = io.StringIO()
    table = csv.DictWriter(written, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    table.writeheader()
    table.writerows(
        {name: cell(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    )
    return written.getvalue().removesuffix("\n")

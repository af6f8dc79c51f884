"""A ranking in, comma-separated values out: a header, then one line a checkpoint."""

from __future__ import annotations

import csv
import io

from hubscan.records import Ranking
from hubscan.records.flat import flat_rows
from hubscan.report.formatting import plain


def as_csv(ranking: Ranking) -> str:
    """Return the columns of `flat_rows`, numbers in full, what is not known left empty."""
    rows = flat_rows(ranking)
    written = io.StringIO()
    table = csv.DictWriter(written, fieldnames=list(rows[0]), lineterminator="\n")
    table.writeheader()
    # A line break in a folder's name would be legal, and would break every tool that reads by line.
    table.writerows({k: plain(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows)
    return written.getvalue().removesuffix("\n")

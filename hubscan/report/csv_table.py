"""A ranking as comma-separated values: a header, then one line per checkpoint."""

from __future__ import annotations

import csv
import io

from hubscan.records import Ranking
from hubscan.records.flat import flat_rows
from hubscan.report.formatting import plain


def as_csv(ranking: Ranking) -> str:
    """Return the columns of `flat_rows`, with numbers in full; unknown values are empty."""
    rows = flat_rows(ranking)
    written = io.StringIO()
    table = csv.DictWriter(written, fieldnames=list(rows[0]), lineterminator="\n")
    table.writeheader()
    # A folder name may contain a line break, which would break every tool that reads by line.
    table.writerows({k: plain(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows)
    return written.getvalue().removesuffix("\n")

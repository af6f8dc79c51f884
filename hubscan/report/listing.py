"""The candidates of a query, as `hubscan search` prints them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from hubscan.plain_text import cleaned
from hubscan.records import Listed
from hubscan.report.csv_table import as_table
from hubscan.report.formatting import magnitude
from hubscan.report.terminal import bare_table, shown

Rows = Sequence[Listed]


def as_text(rows: Rows) -> str:
    """Return a count and a table: size, licence, and the reason if one is excluded."""
    rows = cleaned(rows)
    table = bare_table()
    table.add_column("model", overflow="fold", ratio=3)
    mixed = len({row.candidate.modality for row in rows}) > 1
    if mixed:
        table.add_column("modality", no_wrap=True)
    table.add_column("params", justify="right", no_wrap=True)
    table.add_column("license", overflow="fold", ratio=1)
    table.add_column("downloads", justify="right", no_wrap=True)
    table.add_column("excluded because", overflow="fold", ratio=2)
    for row in rows:
        candidate = row.candidate
        size = magnitude(candidate.parameters) if candidate.parameters else "?"
        cells = [
            candidate.model,
            *([candidate.modality] if mixed else []),
            size,
            candidate.license or "not stated",
            f"{candidate.downloads or 0:,}",
            row.excluded or "",
        ]
        table.add_row(*(Text(cell) for cell in cells), style="dim" if row.excluded else "")
    return shown([Text(_counted(rows)), "", table])


def as_json(rows: Rows) -> str:
    """Return one object per row, in the order of the query."""
    return json.dumps([asdict(row.candidate) | {"excluded": row.excluded} for row in rows], indent=2)


def as_csv(rows: Rows) -> str:
    """Return a header and one line per row."""
    return as_table(_flat(rows))


def as_markdown(rows: Rows) -> str:
    """Return a table."""
    from hubscan.report.markdown import table

    flat = _flat(rows)
    return str(table(list(flat[0]), [list(row.values()) for row in flat]))


def as_ids(rows: Rows) -> str:
    """Return the ids of the candidates, one per line."""
    return "\n".join(row.candidate.model for row in cleaned(rows) if row.excluded is None)


def _counted(rows: Rows) -> str:
    left_out = sum(row.excluded is not None for row in rows)
    kept = len(rows) - left_out
    return f"{kept} candidate{'s' if kept != 1 else ''}" + (f", {left_out} excluded" if left_out else "")


def _flat(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "model": row.candidate.model,
            "revision": row.candidate.revision,
            "modality": row.candidate.modality,
            "parameters": row.candidate.parameters,
            "license": row.candidate.license or "",
            "downloads": row.candidate.downloads,
            "pipeline_tag": row.candidate.pipeline_tag,
            "library": row.candidate.library,
            "excluded": row.excluded or "",
        }
        for row in cleaned(rows)
    ]

"""The text that a terminal shows for tables and sentences, by rich."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

GAP = 2


def shown(parts: Iterable[RenderableType], width: int | None = None, color: bool = False) -> str:
    """Return *parts* as a terminal of *width* columns shows them, by default the present one.

    Without *color* the text has no escape sequences, whatever the names contain.
    """
    text = io.StringIO()
    console = Console(
        file=text,
        width=width or shutil.get_terminal_size((80, 24)).columns,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).rstrip("\n")


def bare_table() -> Table:
    """Return a table without lines, and without columns yet."""
    return Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")


def plain_table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> Table:
    """Return a table without lines; *right* names the columns that are aligned right."""
    table = bare_table()
    for title in titles:
        table.add_column(title, justify="right" if title in right.split() else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table

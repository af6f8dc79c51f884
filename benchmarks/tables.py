"""Tables in Markdown, as benchmarks print them."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table, its titles first."""
    for cells in (titles, ["---"] * len(titles), *lines):
        print("| " + " | ".join(cells) + " |")

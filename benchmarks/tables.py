"""Print tables in Markdown, exactly as they stand in `results/`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table, each line as soon as it is computed."""
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for cells in lines:
        print("| " + " | ".join(cells) + " |", flush=True)


def fraction(value: float, digits: int = 2) -> str:
    """Return *value* without a zero before the point: .75, −.35, 1.31."""
    text = f"{value:.{digits}f}".replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def signed(value: float, digits: int = 1) -> str:
    """Return *value* with its sign: +2.3, −7.4."""
    return f"{value:+.{digits}f}".replace("-", "−")

"""Name the columns of a csv file after its header, and tell whether the header is a row of data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from hubscan.sample.sources.delimited.types import INTEGER, NUMBER, TRUTH, Cell

MOST_WORDS: Final = 7  # a name with more is probably a text
UNNAMED: Final = "Unnamed: "  # as pandas names such columns


class Header:
    """The columns of a file: by name, in order."""

    def __init__(self, cells: Sequence[str]) -> None:
        self.cells = list(cells)
        stripped = [cell.strip().strip("\ufeff") for cell in cells]
        self.names = [name or f"{UNNAMED}{place}" for place, name in enumerate(stripped)]
        self.unnamed = {name for name, own in zip(self.names, stripped, strict=True) if not own}
        self.repeated = {name for name, count in Counter(self.names).items() if count > 1}
        self.places: dict[str, int] = {}  # of the first column of each name
        for place, name in enumerate(self.names):
            self.places.setdefault(name, place)

    def repeated_by(self, row: Sequence[Cell]) -> bool:
        """Return whether *row* is the header once more, as in files that were put together."""
        return len(row) > 1 and row[-1] == self.cells[-1] and Header([*map(str, row)]).names == self.names

    def numbers(self, name: str) -> str:
        """Return the numbers of the columns called *name*, the first being 1, such as `2 and 3`."""
        found = [str(place) for place, other in enumerate(self.names, start=1) if other == name]
        return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else found[0]

    def looks_like_a_row(self, columns: Sequence[Sequence[Cell]]) -> bool:
        """Return whether the header is probably data, given the first cells of each column.

        It is if a name is a number, is as long as a text, or occurs in its own column.
        """
        return any(
            _is_value(name) or len(name.split()) > MOST_WORDS or name in {*column}
            for name, column in zip(self.names, columns, strict=True)
            if name not in self.unnamed
        )


def _is_value(name: str) -> bool:
    return bool(INTEGER.fullmatch(name) or NUMBER.fullmatch(name)) or name in TRUTH

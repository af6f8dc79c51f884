"""Split the lines of a csv or tsv file into rows of fields, and count the lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from hubscan.sample.budgets import MOST_ROW_CHARACTERS
from hubscan.sample.sources.delimited.dialect import Dialect

ENDS: Final = "\r\n"


class TooLong(ValueError):
    """A row has more characters than fit the budget; it begins in the line that is given."""


class Records:
    """The rows of some lines. A line without a quote is split here, which the csv module does slower."""

    def __init__(self, lines: Iterable[str], dialect: Dialect) -> None:
        self._lines, self._dialect = iter(lines), dialect
        self._pushed: str | None = None
        self._reader = dialect.reader(self._remaining())
        self.line = ""  # the last one that was read
        self.number = 0  # its number, the first being 1
        self.begins = 1  # the number of the line in which the last row begins
        self.quoted = False  # whether the last row has a quote that may open a field
        self.characters = 0  # of the last row

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield the fields of each row; none for an empty line.

        Raises:
            csv.Error: if a quote is misplaced or never closed.
            TooLong: if a row has too many characters.
        """
        dialect = self._dialect
        separator, quotes, skips = dialect.separator, dialect.quotes, dialect.skips_spaces
        for line in self._lines:
            self.line = line
            self.number += 1
            self.begins = self.number
            self.characters = len(line)
            if self.characters > MOST_ROW_CHARACTERS:
                raise TooLong(self.begins)
            self.quoted = quotes and '"' in line
            if self.quoted:
                self._pushed = line
                yield next(self._reader)
            elif line := line.rstrip(ENDS):
                row = line.split(separator)
                yield [field.lstrip(" ") for field in row] if skips else row
            else:
                yield []

    def _remaining(self) -> Iterator[str]:
        """Yield the line that has a quote, and those in which its row goes on."""
        while True:
            if self._pushed is not None:
                line, self._pushed = self._pushed, None
            else:
                found = next(self._lines, None)
                if found is None:
                    return
                line = self.line = found
                self.number += 1
                self.characters += len(line)
                if self.characters > MOST_ROW_CHARACTERS:
                    raise TooLong(self.begins)
            yield line

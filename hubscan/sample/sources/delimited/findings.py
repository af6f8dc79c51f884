"""Count what is unusual in the rows of a csv file, for the notes of a sample."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from hubscan.sample.sources.delimited.types import MISSING, Cell

MOST_NOTED: Final = 3  # words of a column


@dataclass
class Findings:
    """What was found in one pass over the rows, each with the line where it occurs first."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)  # finding to its first line
    words: dict[str, Counter[str]] = field(default_factory=dict)  # words in columns of numbers, by column

    def add(self, finding: str, where: str, count: int = 1) -> None:
        """Count *finding*, one of the texts below."""
        self.counts[finding] += count
        self.first.setdefault(finding, where)

    def add_words(self, column: str, cells: Sequence[Cell]) -> None:
        """Count words such as NA in a *column* of numbers."""
        found = Counter(word for word in cells if word in MISSING)
        self.words.setdefault(column, Counter()).update(found)

    def notes(self) -> Iterator[str]:
        """Yield what to know about the rows, and what to change."""
        for finding, count in self.counts.items():
            yield finding.format(rows=f"{count:,} row" + "s" * (count > 1), first=self.first[finding])
        for column, words in self.words.items():
            if words:
                listed = ", ".join(f"{word!r} ({count:,})" for word, count in words.most_common(MOST_NOTED))
                yield f"in column {column!r}, {listed} is {READ_AS_MISSING}"


READ_AS_MISSING: Final = "a missing number; write the numbers without a decimal point if it is a class"
SHORT: Final = (
    "{rows} with fewer fields than the header, the first in {first}: the cells at the end are missing; "
    "complete the rows if a text with a line break was split"
)
REPEATED_HEADER: Final = "{rows} equal to the header, the first in {first}, left out"
JOINED: Final = (
    "{rows} with a quoted text over several lines that look like rows, the first in {first}; "
    "check that the quote is closed in its row"
)
FRACTIONS: Final = (
    "{rows} with a fraction in a column of integers, the first in {first}; pass --label-kind number if these "
    "are numbers to predict"
)
ESCAPED: Final = (
    '{rows} with a quote written as \\", the first in {first}: the backslash stays in the text; write "" '
    "instead"
)
LETTERS: Final = (
    '{rows} with a text in quotes or with \\", the first in {first}: they stay in the text, since the first '
    "lines of this tab-separated file do not quote fields; save it as csv if they are not part of the text"
)


def escaped_quote(separator: str) -> re.Pattern[str]:
    r"""Return a pattern of lines with a quote behind a backslash that is not the end of a quoted field.

    >>> pattern = escaped_quote(",")
    >>> [bool(pattern.search(line)) for line in (r'say \"hi\",1', r'"C:\",1', r'"{""a"": ""\""b""}",1')]
    [True, False, False]
    """
    end = rf"[{re.escape(separator)}\r\n]"
    return re.compile(rf'\\"(?!"|{end}|$)|(?:^|{end})(?!")[^{re.escape(separator)}]*\\"(?={end}|$)')


def seems_joined(row: Sequence[Cell], separator: str) -> bool:
    r"""Return whether a field of *row* has several lines that would each be a row but for the quotes.

    A separator followed by a space is taken for punctuation.

    >>> seems_joined(["good,1\nbad", "0"], ",")
    True
    >>> seems_joined(["Well, it was good.\nAnd long", "0"], ",")
    False
    """
    inside = re.compile(re.escape(separator) + "(?! )")
    for place, cell in enumerate(row):
        if cell and "\n" in cell:
            before, *lines, last = [len(inside.findall(line)) for line in cell.split("\n")]
            rest = len(row) - 1
            if place + before == rest and last == place and all(count == rest for count in lines):
                return True
    return False

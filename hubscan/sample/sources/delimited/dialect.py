"""Find out from the first lines of a csv or tsv file how its fields are separated and quoted."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hubscan.sample.budgets import MOST_ROW_CHARACTERS

if TYPE_CHECKING:
    from _csv import Reader

OTHERS: Final = (";", "\t", "|", ",")  # what may separate fields, if the usual character does not
MOSTLY: Final = 0.9
EXCEL_LINE: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel writes and reads this first line
QUOTED: Final = re.compile(r'"(?:[^"]|"")*"', re.DOTALL)
BEFORE_FIELD: Final = re.compile(r'(^|\t)"')
LETTER: Final = (
    "a quote is a part of the text, as is usual in tab-separated files; save the file as csv if quotes "
    "enclose its fields"
)
SPACE_AND_QUOTE: Final = re.compile(r' +"')


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is separated into fields."""

    separator: str
    quotes: bool = True  # a quote opens a field, in which it is written twice; else it is a letter
    skips_spaces: bool = False  # spaces behind a separator do not belong to the field
    notes: tuple[str, ...] = ()  # what was decided, and how to change it

    def reader(self, lines: Iterable[str]) -> Reader:
        """Return a reader of *lines*, which refuses text behind a closing quote and an unclosed quote."""
        csv.field_size_limit(max(csv.field_size_limit(), MOST_ROW_CHARACTERS))
        return csv.reader(
            lines,
            delimiter=self.separator,
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            skipinitialspace=self.skips_spaces,
            strict=True,
        )


def named_separator(asked: str | None) -> str | None:
    r"""Return the character that --separator names, where `tab` and `\t` mean a tab.

    >>> named_separator("tab") == named_separator(r"\t") == "\t"
    True
    """
    return "\t" if asked in ("tab", r"\t") else asked


def excel_separator(line: str) -> str | None:
    r"""Return the separator that a first line `sep=;` declares, or None.

    >>> excel_separator("sep=;\r\n")
    ';'
    """
    found = EXCEL_LINE.fullmatch(line)
    return found[1] if found else None


def dialect_of(head: Sequence[str], usual: str, declared: str | None) -> Dialect:
    """Return the dialect of a file.

    Args:
        head: its first lines.
        usual: the separator to expect from the name of the file.
        declared: the separator that was requested, if one was.
    """
    separator = declared or _separator(head, usual)
    notes = []
    if separator != (declared or usual):
        named = "tabs" if separator == "\t" else repr(separator)
        notes.append(
            f"fields are separated by {named}, as in the first lines; pass --separator to change that"
        )
    quotes = separator != "\t" or _uses_quotes(head)
    if not quotes and any(map(BEFORE_FIELD.search, head)) and _whole_rows(head):
        notes.append(LETTER)
    return Dialect(separator, quotes, _skips_spaces(head, Dialect(separator, quotes)), tuple(notes))


def _separator(head: Sequence[str], usual: str) -> str:
    """Return the separator that splits the first lines evenly, if the usual one does not."""
    lengths = _lengths(head, usual)
    if lengths and max(lengths) == lengths[0] > 1:
        return usual
    least = 1.0 if lengths and lengths[0] > 1 else MOSTLY
    for other in OTHERS:
        found = _lengths(head, other) if other != usual else []
        if len(found) > 1 and found[0] > 1 and found.count(found[0]) >= least * len(found):
            return other
    return usual


def _lengths(head: Sequence[str], separator: str) -> list[int]:
    """Return the number of fields in each row of *head*."""
    quotes = separator != "\t" or _uses_quotes(head)
    return [len(row) for row in _rows(head, Dialect(separator, quotes))]


def _rows(head: Sequence[str], dialect: Dialect) -> Iterator[list[str]]:
    """Yield the rows of *head* up to the first one that cannot be read; the last one may be incomplete."""
    try:
        yield from filter(None, dialect.reader(head))
    except csv.Error:
        return


def _uses_quotes(head: Sequence[str]) -> bool:
    """Return whether a file whose fields are separated by tabs has quoted fields.

    It has none unless the first lines show it: the names of all columns are quoted; or every field that
    begins with a quote is quoted correctly, and one of them contains a doubled quote, a tab or a line end.
    """
    plain = list(_rows(head, Dialect("\t", quotes=False)))
    opening = [field for row in plain for field in row if field.startswith('"')]
    if not opening:
        return False
    if all(QUOTED.fullmatch(name) for name in plain[0]):
        return True
    quoted = _whole_rows(head)
    if quoted and _even(quoted) and not _even(plain):
        return True
    return all(map(QUOTED.fullmatch, opening)) and any('""' in field[1:-1] for field in opening)


def _whole_rows(head: Sequence[str]) -> list[list[str]]:
    """Return the rows of *head* with quoted fields, or none if a quote is misplaced or never closed."""
    rows: list[list[str]] = []
    reader = Dialect("\t").reader(head)
    try:
        rows += filter(None, reader)
    except csv.Error:
        return []
    return rows


def _even(rows: Sequence[Sequence[str]]) -> bool:
    return len({len(row) for row in rows}) == 1


def _skips_spaces(head: Sequence[str], dialect: Dialect) -> bool:
    """Return whether a space follows each separator: in the header, or before the quotes of most rows."""
    rows = list(_rows(head, dialect))
    if not rows or len(rows[0]) < 2 or dialect.separator == " ":
        return False
    if all(name.startswith(" ") and name.strip() for name in rows[0][1:]):
        return True
    # Such a field is not quoted, so the space and the quote are in it; but a quoted field may have them too.
    before_quotes = sum(any(map(SPACE_AND_QUOTE.match, row)) for row in rows)
    unquoted = re.compile(re.escape(dialect.separator) + SPACE_AND_QUOTE.pattern + '(?!")')
    seen = sum(map(bool, map(unquoted.search, head)))
    return dialect.quotes and min(before_quotes, seen) > len(rows) / 2

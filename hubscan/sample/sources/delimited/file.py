"""Read the rows of one csv or tsv file, each with the line where it begins."""

from __future__ import annotations

import csv
import itertools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import IO, Final, NoReturn
from zipfile import BadZipFile

from hubscan.errors import DatasetError
from hubscan.sample.budgets import BATCH_BYTES, MOST_COLUMNS, MOST_ROW_CHARACTERS
from hubscan.sample.sources.delimited.dialect import dialect_of, excel_separator
from hubscan.sample.sources.delimited.findings import (
    ESCAPED,
    JOINED,
    REPEATED_HEADER,
    Findings,
    escaped_quote,
    seems_joined,
)
from hubscan.sample.sources.delimited.header import Header
from hubscan.sample.sources.delimited.records import Records, TooLong
from hubscan.sample.sources.delimited.text import UTF8, decoded, undecodable
from hubscan.sample.sources.delimited.types import Cell
from hubscan.sample.sources.read_errors import one_line

BATCH_ROWS: Final = 1000
DIALECT_LINES: Final = 10_000  # the first lines, which show the dialect, and the most characters in them
DIALECT_CHARACTERS: Final = 2**22
UNREADABLE: Final = (OSError, EOFError, zlib.error, LZMAError, BadZipFile)
CELL_BYTES: Final = 64  # of a cell, beside its characters
SHOWN: Final = 40  # characters of a cell or a line in a message


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a file."""

    name: str  # of the file
    header: Header
    columns: Sequence[Sequence[Cell]]
    lines: Sequence[int]  # where each row begins; the first line of the file is 1
    quotes: bool  # whether a quote opens a field

    def where(self, row: int) -> str:
        """Return the line of a row, for a note."""
        return located(self.lines[row], self.name)


@dataclass(frozen=True, slots=True)
class Declared:
    """What was requested or declared about the form of a file."""

    separator: str | None = None  # None: found from the first lines
    names: tuple[str, ...] | None = None  # of the columns, in place of a header
    skips_header: bool = False  # whether there is a header although the names are given


class CsvFile:
    """One file. `notes` says what was decided about its form."""

    def __init__(self, name: str, content: IO[bytes], declared: Declared, findings: Findings) -> None:
        """Read the first lines and the header.

        Args:
            name: the name of the file for error messages.
            content: its bytes, unpacked.
            declared: what is known about its form.
            findings: counts what is unusual in its rows.

        Raises:
            DatasetError: if the file is not delimited text.
        """
        self._name, self._findings = name, findings
        self._records: Records | None = None
        with self._damage():
            text, self._encoding = decoded(name, content)
            lines = iter(partial(text.readline, MOST_ROW_CHARACTERS + 1), "")
            head = _first_lines(lines)
        if found := excel_separator(head[0]):
            declared = replace(declared, separator=declared.separator or found)
            head[0] = "\n"  # the other lines keep their numbers
        self._dialect = dialect_of(head, "\t" if _is_tsv(name) else ",", declared.separator)
        self.notes = list(self._dialect.notes)
        if self._encoding != UTF8:
            self.notes.append(f"the text is decoded as {self._encoding}, as its byte order mark says")
        self._escaped = escaped_quote(self._dialect.separator)
        self._records = Records(itertools.chain(head, lines), self._dialect)
        self._fields = iter(self._records)
        with self._damage():
            self.header = self._named(declared)

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, up to 1,000 at a time, fewer if they are long.

        Raises:
            DatasetError: if a row has more fields than the header, a quote is misplaced or never closed, or
                the file is damaged.
        """
        rows: list[list[Cell]] = []
        lines: list[int] = []
        held, records, cells = 0, self._records, CELL_BYTES * len(self.header.names)
        assert records is not None
        for line, row in self._rows():
            rows.append(row)
            lines.append(line)
            held += records.characters + cells
            if len(rows) == BATCH_ROWS or held > BATCH_BYTES:
                yield self._batch(rows, lines)
                rows, lines, held = [], [], 0
        if rows:
            yield self._batch(rows, lines)

    def _batch(self, rows: Sequence[Sequence[Cell]], lines: Sequence[int]) -> Batch:
        return Batch(self._name, self.header, list(zip(*rows, strict=True)), lines, self._dialect.quotes)

    def _named(self, declared: Declared) -> Header:
        found: list[str] = []
        if declared.skips_header or not declared.names:
            found = next(filter(None, self._fields), found)
        if len(found) > MOST_COLUMNS:
            raise DatasetError(
                f"{self._name}: {len(found):,} columns, and at most {MOST_COLUMNS:,} are read; remove some"
            )
        header = Header(declared.names or found)
        for name in header.names:
            if byte := undecodable(name):
                raise DatasetError(
                    f"{self._name}, line {self._place[1]}: the name of a column has the byte {byte}, "
                    "which is not UTF-8; save the file as UTF-8, for example with `iconv -f CP1252 -t UTF-8`"
                )
        return header

    def _rows(self) -> Iterator[tuple[int, list[Cell]]]:
        records, header = self._records, self.header
        width, last = len(header.names), header.cells[-1] if header.cells else None
        assert records is not None
        with self._damage():
            for row in self._fields:
                line = records.begins
                if len(row) != width:
                    if _is_blank(row, width):
                        continue
                    self._refuse_long(row, line)
                    row += [None] * (width - len(row))
                elif row[-1] == last and header.repeated_by(row):
                    self._findings.add(REPEATED_HEADER, located(line, self._name))
                    continue
                if records.quoted:
                    self._check_quotes(records, row)
                yield line, row

    def _check_quotes(self, records: Records, row: Sequence[Cell]) -> None:
        """Count a row whose quotes are probably misplaced."""
        if records.number > records.begins and seems_joined(row, self._dialect.separator):
            self._findings.add(JOINED, located(records.begins, self._name))
        if '\\"' in records.line and self._escaped.search(records.line):
            self._findings.add(ESCAPED, located(records.number, self._name))

    @property
    def _place(self) -> tuple[int, int, str]:
        """Return where the row begins that is being read, and the last line of it: its number and text."""
        records = self._records
        return (records.begins, records.number, records.line) if records else (1, 1, "")

    def _refuse_long(self, row: Sequence[Cell], line: int) -> None:
        """Refuse a row with more fields than the header."""
        width, separator = len(self.header.names), self._dialect.separator
        if len(row) <= width:
            return
        where, found = f"{self._name}, line {line}", f"{len(row)} fields, but the header has {width}"
        shown = "a tab" if separator == "\t" else repr(separator)
        if not any(row[width:]):
            raise DatasetError(
                f"{where}: {found}; remove {shown} at the end of the rows, or add it to the header"
            )
        if not self._dialect.quotes:
            raise DatasetError(
                f"{where}: {found}; remove {shown} within a text, or save the file as csv with quotes"
            )
        if any(str(cell).lstrip(" ").startswith('"') and str(cell).startswith(" ") for cell in row):
            raise DatasetError(
                f"{where}: {found}; remove the space before a quote, else the quote is a letter"
            )
        raise DatasetError(
            f"{where}: {found}; write texts with {shown} in quotes, pass --separator, or name every column"
        )

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Turn an exception about unreadable rows into one line that names the file and the line."""
        try:
            yield
        except csv.Error as error:
            self._refuse_quotes(error)
        except TooLong as error:
            raise DatasetError(
                f"{self._name}, line {error}: a row of over {MOST_ROW_CHARACTERS:,} characters; "
                "remove it, or correct its quotes"
            ) from error
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{self._name}, line {self._place[1]}: it or a later line is not {self._encoding}, "
                f"{error.reason}; save the file as UTF-8"
            ) from error
        except UNREADABLE as error:
            raise DatasetError(
                f"{self._name}: cannot be read: {one_line(error)}; check that the file is complete"
            ) from error

    def _refuse_quotes(self, error: csv.Error) -> NoReturn:
        begins, number, line = self._place
        if "expected after" not in str(error):
            raise DatasetError(
                f"{self._name}, line {begins}: a quote opens a field and is never closed; write its end, or "
                'put the text in quotes and its own quotes twice ("")'
            ) from error
        row = f" that begins in line {begins}" if number != begins else ""
        if '\\"' in line:
            raise DatasetError(
                f'{self._name}, line {number}: a quote{row} is written as \\", at {shortened(line)}; '
                'write it twice ("") instead'
            ) from error
        raise DatasetError(
            f"{self._name}, line {number}: text follows the closing quote of a field{row}, in "
            f'{shortened(line)}; write the whole text in quotes and its own quotes twice ("")'
        ) from error


def located(line: int, name: str) -> str:
    """Return a line of the file *name*, for a note."""
    return f"line {line:,} of {PurePosixPath(name.partition('?')[0]).name}"


def shortened(text: str) -> str:
    """Return *text* in quotes, cut to a length that fits a message."""
    text = text.rstrip("\r\n").encode("utf-8", "replace").decode()
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")


def _is_tsv(name: str) -> bool:
    path = PurePosixPath(name.lower().partition("?")[0])
    return ".tsv" in path.suffixes[-2:]


def _is_blank(row: Sequence[Cell], width: int) -> bool:
    return not row or (len(row) == 1 < width and str(row[0]).isspace())


def _first_lines(lines: Iterator[str]) -> list[str]:
    """Return the first lines.

    Raises:
        TooLong: if one is.
    """
    first, left = list[str](), DIALECT_CHARACTERS
    for line in itertools.islice(lines, DIALECT_LINES):
        if len(line) > MOST_ROW_CHARACTERS:
            raise TooLong(len(first) + 1)
        first.append(line)
        left -= len(line)
        if left < 0:
            break
    return first or [""]

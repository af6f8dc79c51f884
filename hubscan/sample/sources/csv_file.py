"""Read the rows of one csv or tsv file, each with the line where it begins."""

from __future__ import annotations

import csv
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import IO, Final, NoReturn, TextIO, cast
from zipfile import BadZipFile

from hubscan.errors import DatasetError
from hubscan.sample.sources.csv_dialect import dialect_of, excel_separator
from hubscan.sample.sources.csv_findings import ESCAPED, JOINED, REPEATED_HEADER, Findings, seems_joined
from hubscan.sample.sources.csv_header import Header
from hubscan.sample.sources.csv_text import UTF8, decoded, undecodable
from hubscan.sample.sources.csv_types import Cell
from hubscan.sample.sources.read_errors import one_line

BATCH_ROWS: Final = 1000
DIALECT_LINES: Final = 10_000  # the first lines, which show the dialect, and the most characters in them
DIALECT_CHARACTERS: Final = 2**22
UNREADABLE: Final = (OSError, EOFError, zlib.error, LZMAError, BadZipFile)
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
        self._line, self._begins = "", 1  # the line read last, and where the row begins that is being read
        with self._damage():
            text, self._encoding = decoded(name, content)
            head = _first_lines(text)
        if found := excel_separator(head[0]):
            declared = replace(declared, separator=declared.separator or found)
            head[0] = "\n"  # the other lines keep their numbers
        self._dialect = dialect_of(head, "\t" if _is_tsv(name) else ",", declared.separator)
        self.notes = [self._dialect.note] if self._dialect.note else []
        if self._encoding != UTF8:
            self.notes.append(f"the text is decoded as {self._encoding}, as its byte order mark says")
        self._escaped = re.compile(rf'\\"(?!["\r\n{re.escape(self._dialect.separator)}]|$)')
        self._reader = self._dialect.reader(self._watched(itertools.chain(head, text)))
        with self._damage():
            self.header = self._named(declared)

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, up to 1,000 at a time.

        Raises:
            DatasetError: if a row has more fields than the header, a quote is misplaced or never closed, or
                the file is damaged.
        """
        rows = self._rows()
        while batch := list(itertools.islice(rows, BATCH_ROWS)):
            lines, cells = zip(*batch, strict=True)
            yield Batch(self._name, self.header, list(zip(*cells, strict=True)), lines, self._dialect.quotes)

    def _named(self, declared: Declared) -> Header:
        found: list[str] = []
        if declared.skips_header or not declared.names:
            found = next(filter(None, self._reader), found)
        header = Header(declared.names or found)
        for name in header.names:
            if byte := undecodable(name):
                raise DatasetError(
                    f"{self._name}: line {self._reader.line_num}: the name of a column has the byte {byte}, "
                    "which is not UTF-8; save the file as UTF-8, for example with `iconv -f CP1252 -t UTF-8`"
                )
        return header

    def _rows(self) -> Iterator[tuple[int, list[Cell]]]:
        reader, cells, width = self._reader, self.header.cells, len(self.header.names)
        with self._damage():
            self._begins = reader.line_num + 1
            for row in cast(Iterable[list[Cell]], reader):
                line, self._begins = self._begins, reader.line_num + 1
                if len(row) != width:
                    if _is_blank(row, width):
                        continue
                    self._refuse_long(row, line)
                    row += [None] * (width - len(row))
                elif row == cells:
                    self._findings.add(REPEATED_HEADER, located(line, self._name))
                    continue
                if self._begins - line > 1 and seems_joined(row, self._dialect.separator):
                    self._findings.add(JOINED, located(line, self._name))
                yield line, row

    def _watched(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._line = line
            if '\\"' in line and self._dialect.quotes and self._escaped.search(line):
                self._findings.add(ESCAPED, located(self._reader.line_num + 1, self._name))
            yield line

    def _refuse_long(self, row: Sequence[Cell], line: int) -> None:
        """Refuse a row with more fields than the header."""
        width, separator = len(self.header.names), self._dialect.separator
        if len(row) <= width:
            return
        where = f"{self._name}: line {line} has {len(row)} fields, but the header has {width}"
        shown = "a tab" if separator == "\t" else repr(separator)
        if not any(row[width:]):
            raise DatasetError(f"{where}; remove {shown} at the end of the rows, or add it to the header")
        if not self._dialect.quotes:
            raise DatasetError(f"{where}; remove {shown} within a text, or save the file as csv with quotes")
        if any(str(cell).lstrip(" ").startswith('"') and str(cell).startswith(" ") for cell in row):
            raise DatasetError(f"{where}; remove the space before a quote, or the quote is part of the text")
        raise DatasetError(
            f"{where}; put a text with {shown} in quotes, pass --separator, or name every column"
        )

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Turn an exception about unreadable rows into one line that names the file and the line."""
        try:
            yield
        except csv.Error as error:
            self._refuse_quotes(error)
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{self._name}: line {self._begins} or later: is not {self._encoding} ({error.reason}); save "
                "the file as UTF-8"
            ) from error
        except UNREADABLE as error:
            raise DatasetError(
                f"{self._name}: cannot be read: {one_line(error)}; check that the file is complete"
            ) from error

    def _refuse_quotes(self, error: csv.Error) -> NoReturn:
        if "expected after" not in str(error):
            raise DatasetError(
                f"{self._name}: line {self._begins}: a quote opens a field and is never closed; close it, or "
                'put the text in quotes and write its own quotes twice ("")'
            ) from error
        line = self._reader.line_num
        row = f" of the row that begins in line {self._begins}" if line != self._begins else ""
        if '\\"' in self._line:
            raise DatasetError(
                f'{self._name}: line {line}{row}: has a quote written as \\", at {shortened(self._line)}; '
                'write it twice ("") instead'
            ) from error
        raise DatasetError(
            f"{self._name}: line {line}{row}: text follows the closing quote of a field, in "
            f'{shortened(self._line)}; put the whole text in quotes and write its own quotes twice ("")'
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


def _first_lines(text: TextIO) -> list[str]:
    lines, left = [], DIALECT_CHARACTERS
    for line in itertools.islice(text, DIALECT_LINES):
        lines.append(line)
        left -= len(line)
        if left < 0:
            break
    return lines or [""]

"""Parse a JSON file into rows: one object per line, a list of objects, or one document of another form."""

from __future__ import annotations

import codecs
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn

from hubscan.errors import DatasetError
from hubscan.sample.budgets import MOST_ROW_CHARACTERS
from hubscan.sample.sources.json_files.document import described, rows_of
from hubscan.sample.sources.json_files.values import after_space, check_held, held_by, value_at, values_in
from hubscan.sample.sources.unpacked import BOM
from hubscan.untrusted import Malformed

CHUNK_BYTES: Final = 2**20
MOST_DOCUMENT_BYTES: Final = 100_000_000  # of a document that must be parsed whole
NEAR_END: Final = 16  # characters: an error so near the end of what was read may go away with the rest
WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SPACE: Final = b" \t\r\n"


Row = tuple[int, dict[str, Any], int]  # the number, the values, and about how many bytes of memory they take


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file, not yet read, each with its number."""

    numbered: Iterator[Row]
    unit: str  # what the numbers count: "line" or "row"
    notes: Sequence[str] = ()


def parsed(file: io.BufferedReader, name: str, field: str | None = None) -> Rows:
    """Return the rows of *file*.

    Args:
        file: the file, decompressed.
        name: its name for messages.
        field: the key that holds the rows, if the dataset declares it.

    Raises:
        DatasetError: if the file is not JSON in UTF-8, or holds no rows. Reading on raises it, too.
    """
    start = file.peek(4)[:4]
    if start.startswith(WIDE) or (b"\x00" in start and start.strip(b"\x00")):
        raise DatasetError(f"{name}: UTF-16 or UTF-32, which JSON files must not be; save it as UTF-8")
    if start.startswith(BOM):
        file.read(len(BOM))
    number = _skip_blank(file)
    first = file.peek(1)[:1]
    if first == b"[" and field is None:
        return Rows(_elements(file, name, number), "row")
    if first in (b"{", b"["):
        return _objects(file, name, number, field)
    if not first:
        raise DatasetError(f"{name}: the file is empty; check --dataset")
    line = file.readline(200).decode("utf-8", "replace").strip()
    raise DatasetError(f"{name}, line {number}: not JSON: {_short(line)}; write one object for each row")


def _skip_blank(file: io.BufferedReader) -> int:
    """Skip white space, and return the number of the line that follows."""
    number = 1
    while held := file.peek(1):
        blank = len(held) - len(held.lstrip(SPACE))
        number += file.read(blank).count(b"\n")
        if blank < len(held):
            break
    return number


def _objects(file: io.BufferedReader, name: str, number: int, field: str | None) -> Rows:
    """Return the rows of a file that begins with an object: the first of many, or the only one."""
    line = file.readline(MOST_DOCUMENT_BYTES)
    _refuse_large(line, name)
    text = _decoded(line)
    try:
        values = values_in(text)
    except json.JSONDecodeError as error:
        if error.pos < len(text.rstrip()):
            _refuse(error, text, name, number)
        values = _values_of_all(text, file, name, number)  # it goes on in the next line
        if len(values) > 1:
            return Rows(((at, _object(one, name, f"row {at}"), 0) for at, one in enumerate(values, 1)), "row")
    except ValueError as error:
        _refuse(error, text, name, number)
    lines = iter(partial(file.readline, MOST_ROW_CHARACTERS + 1), b"")
    rest = ((at, one) for at, one in enumerate(lines, number + 1) if one.strip())
    following = next(rest, None)
    if following is None and len(values) == 1:
        rows, notes = rows_of(values[0], name, field)
        return Rows(((at, row, 0) for at, row in enumerate(rows, 1)), "row", notes)
    ahead = [] if following is None else [following]
    return Rows(_lines(itertools.chain([(number, line)], ahead, rest), name), "line")


def _values_of_all(begun: str, file: io.BufferedReader, name: str, number: int) -> list[Any]:
    """Return the values of a file whose first value is written over several lines."""
    more = file.read(MOST_DOCUMENT_BYTES)
    _refuse_large(more, name)
    text = begun + _decoded(more)
    try:
        return values_in(text)
    except ValueError as error:
        _refuse(error, text, name, number)


def _refuse_large(document: bytes, name: str) -> None:
    """Refuse a document or a first row that fills the budget, so that it may not be whole."""
    if len(document) == MOST_DOCUMENT_BYTES:
        raise DatasetError(
            f"{name}: one JSON document of over {MOST_DOCUMENT_BYTES / 1e6:.0f} MB; write one object per line"
        )


def _lines(numbered: Iterable[tuple[int, bytes]], name: str) -> Iterator[Row]:
    for number, line in numbered:
        text = _decoded(line)
        try:
            _check_length(len(line))
            values = values_in(text)
        except ValueError as error:
            _refuse(error, text, name, number)
        for value in values:
            yield number, _object(value, name, f"line {number}"), held_by(text) // len(values)


def _check_length(row: int) -> None:
    if row > MOST_ROW_CHARACTERS:
        raise Malformed(f"a row of over {MOST_ROW_CHARACTERS:,} characters")


def _object(value: Any, name: str, place: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise DatasetError(
        f"{name}, {place}: {described(value)} where a row should be; write one object for each row, as "
        "df.to_json(..., orient='records', lines=True) does"
    )


class _Text:
    """The text of a file, of which only the part that is being parsed is held."""

    def __init__(self, file: io.BufferedReader, line: int) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._ended = False
        self.held = ""
        self.at = 0
        self.line = line  # number of the line that *held* begins with

    def mark(self) -> str:
        """Skip white space, and return the next character, nothing at the end."""
        while True:
            self.at = after_space(self.held, self.at)
            if self.at < len(self.held) or not self._more():
                return self.held[self.at : self.at + 1]

    def value(self) -> tuple[Any, int]:
        """Return the next value, and about how many bytes of memory it takes."""
        self.mark()
        while True:
            try:
                begun = self.at
                value, self.at = value_at(self.held, begun)
                return value, held_by(self.held[begun : self.at])
            except json.JSONDecodeError as error:
                # The decoder reports a string that is not closed where it begins.
                cut = error.pos >= len(self.held) - NEAR_END or error.msg.startswith("Unterminated string")
                _check_length(len(self.held) - self.at)
                if not cut or not self._more():
                    raise

    def _more(self) -> bool:
        """Hold at least as much text again, so that a long value is parsed only a few times."""
        if self._ended:
            return False
        content = self._file.read(max(CHUNK_BYTES, len(self.held) - self.at))
        self._ended = not content
        self.line += self.held.count("\n", 0, self.at)
        self.held = self.held[self.at :] + self._decoder.decode(content, final=self._ended)
        self.at = 0
        check_held(self.held)
        return True


def _elements(file: io.BufferedReader, name: str, number: int) -> Iterator[Row]:
    """Yield the objects of a list, reading a little ahead."""
    text = _Text(file, number)
    text.mark()
    text.at += 1  # the opening bracket
    rows = 0
    mark = "," if text.mark() != "]" else "]"
    while mark == ",":
        try:
            value, held = text.value()
        except ValueError as error:
            _refuse(error, text.held, name, text.line)
        rows += 1
        yield rows, _object(value, name, f"row {rows}"), held
        mark = text.mark()
        text.at += mark != ""
    if mark != "]":
        there = repr(mark) if mark else "the file ends"
        raise DatasetError(
            f"{name}, after row {rows}: {there} where ',' or ']' should be; check that the file is complete"
        )
    if rows and text.mark():
        raise DatasetError(f"{name}, after row {rows}: text after the end of the list; remove it")


def _decoded(line: bytes) -> str:
    """Return *line* as text; bytes that are not UTF-8 stay, and make only their cells unusable."""
    return line.decode("utf-8", "surrogateescape")


def _refuse(error: Exception, text: str, name: str, first_line: int) -> NoReturn:
    """Explain why *text*, which begins in line *first_line*, cannot be parsed."""
    if isinstance(error, Malformed):
        raise DatasetError(
            f"{name}, line {first_line}: {error}; remove the values that are too large or too deep"
        ) from error
    if not isinstance(error, json.JSONDecodeError):
        raise DatasetError(
            f"{name}, line {first_line}: {' '.join(str(error).split())[:100]}; write such numbers as texts"
        ) from error
    line = first_line + text.count("\n", 0, error.pos)
    rest = text[error.pos :].strip()
    if not rest:
        raise DatasetError(
            f"{name}, line {line}: the last value is cut off; check that the file is complete"
        ) from error
    raise DatasetError(
        f"{name}, line {line}: not JSON: {error.msg} at {_short(rest)}; correct the line"
    ) from error


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")

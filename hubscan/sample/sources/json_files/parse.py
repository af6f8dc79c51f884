"""Parse a JSON file into rows: one object per line, a list of objects, or one document of another form."""

from __future__ import annotations

import codecs
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from hubscan.errors import DatasetError
from hubscan.sample.sources.json_files.document import Repeated, described, rows_of
from hubscan.sample.sources.unpacked import BOM

CHUNK_BYTES: Final = 2**20
MOST_DOCUMENT_BYTES: Final = 2**30  # of a document that must be parsed whole, and of one row
NEAR_END: Final = 16  # characters: an error so near the end of what was read may go away with the rest
WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SPACE: Final = b" \t\r\n"
SPACES: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file, not yet read, each with its number."""

    numbered: Iterator[tuple[int, dict[str, Any]]]
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
    text = _decoded(line)
    try:
        values = _values(text)
    except json.JSONDecodeError as error:
        if error.pos < len(text.rstrip()):
            _refuse(error, text, name, number)
        values = _values_of_all(text, file, name, number)  # it goes on in the next line
        if len(values) > 1:
            return Rows(((at, _object(one, name, f"row {at}")) for at, one in enumerate(values, 1)), "row")
    except (ValueError, RecursionError) as error:
        _refuse(error, text, name, number)
    rest = ((at, one) for at, one in enumerate(file, number + 1) if one.strip())
    following = next(rest, None)
    if following is None and len(values) == 1:
        rows, notes = rows_of(values[0], name, field)
        return Rows(enumerate(rows, 1), "row", notes)
    ahead = [] if following is None else [following]
    return Rows(_lines(itertools.chain([(number, line)], ahead, rest), name), "line")


def _values_of_all(begun: str, file: io.BufferedReader, name: str, number: int) -> list[Any]:
    """Return the values of a file whose first value is written over several lines."""
    more = file.read(MOST_DOCUMENT_BYTES)
    if len(more) == MOST_DOCUMENT_BYTES:
        raise DatasetError(
            f"{name}: one JSON document of over {MOST_DOCUMENT_BYTES / 1e9:.0f} GB; write one object per line"
        )
    text = begun + _decoded(more)
    try:
        return _values(text)
    except (ValueError, RecursionError) as error:
        _refuse(error, text, name, number)


def _lines(numbered: Iterable[tuple[int, bytes]], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in numbered:
        text = _decoded(line)
        try:
            values = _values(text)
        except (ValueError, RecursionError) as error:
            _refuse(error, text, name, number)
        for value in values:
            yield number, _object(value, name, f"line {number}")


def _object(value: Any, name: str, place: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise DatasetError(
        f"{name}, {place}: {described(value)} where a row should be; write one object for each row, as "
        "df.to_json(..., orient='records', lines=True) does"
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    repeated = Repeated(found)
    repeated.keys_repeated = frozenset(key for key in found if keys.count(key) > 1)
    return repeated


DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique)


def _values(text: str) -> list[Any]:
    """Return the values in *text*, with nothing or white space between them."""
    found, at = [], _after_space(text, 0)
    while at < len(text):
        value, at = DECODER.raw_decode(text, at)
        found.append(value)
        at = _after_space(text, at)
    return found


def _after_space(text: str, at: int) -> int:
    blank = SPACES.match(text, at)
    assert blank is not None  # it matches nothing, too
    return blank.end()


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
            self.at = _after_space(self.held, self.at)
            if self.at < len(self.held) or not self._more():
                return self.held[self.at : self.at + 1]

    def value(self) -> Any:
        """Return the next value."""
        self.mark()
        while True:
            try:
                value, self.at = DECODER.raw_decode(self.held, self.at)
                return value
            except json.JSONDecodeError as error:
                # The decoder reports a string that is not closed where it begins.
                cut = error.pos >= len(self.held) - NEAR_END or error.msg.startswith("Unterminated string")
                if not cut or len(self.held) - self.at > MOST_DOCUMENT_BYTES or not self._more():
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
        return True


def _elements(file: io.BufferedReader, name: str, number: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a list, reading a little ahead."""
    text = _Text(file, number)
    text.mark()
    text.at += 1  # the opening bracket
    rows = 0
    mark = "," if text.mark() != "]" else "]"
    while mark == ",":
        try:
            value = text.value()
        except (ValueError, RecursionError) as error:
            _refuse(error, text.held, name, text.line)
        rows += 1
        yield rows, _object(value, name, f"row {rows}")
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
    if isinstance(error, RecursionError):
        raise DatasetError(
            f"{name}, line {first_line}: values nested too deeply; remove the column that holds them"
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

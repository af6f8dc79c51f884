"""Open csv and tsv files as text: unpack them, decode them, and refuse what is not text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import IO, Any, Final, TextIO, cast

from hubscan.errors import DatasetError
from hubscan.sample.sources.expansion import refuse_bomb
from hubscan.sample.sources.files import File, Window
from hubscan.sample.sources.formats import is_hidden
from hubscan.sample.sources.sequential import SequentialFile
from hubscan.sample.sources.unpacked import AHEAD_BYTES, BUFFER_BYTES, unpacked

ENDINGS: Final = (".csv", ".tsv")
ZIP: Final = b"PK\x03\x04"
EXCEL_MEMBER: Final = "[Content_Types].xml"
NOT_TEXT: Final = (
    (b"PAR1", "a parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"SQLite format 3", "an SQLite database"),
)
MARKS: Final = (  # byte order marks; that of UTF-32 begins with that of UTF-16
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
UTF8: Final = "utf-8"


def named_contents(files: Sequence[File | SequentialFile]) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name and the unpacked content of each file, and of each csv or tsv file in a zip.

    A file is not opened before it is needed.

    Raises:
        DatasetError: if a zip holds neither csv nor tsv files, or cannot be unpacked.
    """
    for file in files:
        if isinstance(file, SequentialFile):
            yield file.name, file.open()
            continue
        raw = io.BufferedReader(Window(file, read_ahead=AHEAD_BYTES), BUFFER_BYTES)
        if raw.peek(len(ZIP)).startswith(ZIP):
            yield from _members(file.name, raw)
        else:
            yield file.name, unpacked(raw, file.name)


def _members(name: str, raw: IO[bytes]) -> Iterator[tuple[str, IO[bytes]]]:
    try:
        with zipfile.ZipFile(raw) as archive:
            if EXCEL_MEMBER in archive.namelist():
                raise DatasetError(f"{name}: is an Excel workbook; save the sheet as csv (UTF-8)")
            found = [member for member in archive.infolist() if _is_data(PurePosixPath(member.filename))]
            if not found:
                raise DatasetError(
                    f"{name}: this zip holds no csv or tsv file; unpack it, and pass the folder or a file"
                )
            for member in sorted(found, key=lambda member: member.filename):
                refuse_bomb(f"{name}/{member.filename}", member.compress_size, member.file_size)
                with archive.open(member) as content:
                    # A wrapper, since `unpacked` looks ahead.
                    wrapped = io.BufferedReader(cast(Any, content), BUFFER_BYTES)
                    inner = f"{name}/{member.filename}"
                    yield inner, unpacked(wrapped, inner)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, exotic, encrypted
        raise DatasetError(f"{name}: cannot be unpacked: {error}; unpack it and pass the file") from error


def _is_data(member: PurePosixPath) -> bool:
    return not is_hidden(str(member)) and any(suffix.lower() in ENDINGS for suffix in member.suffixes[-2:])


def decoded(name: str, content: IO[bytes]) -> tuple[TextIO, str]:
    """Return *content* as text, whose lines keep their ends, and the encoding.

    A byte that is not UTF-8 becomes a lone surrogate, see `undecodable`: so an error can name the line,
    and columns that are not read may have any bytes.

    Raises:
        DatasetError: if *content* is not text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.
    """
    raw = content if isinstance(content, io.BufferedReader) else io.BufferedReader(cast(Any, content))
    start = raw.peek(BUFFER_BYTES)[:1024]
    _refuse_other_formats(name, start)
    encoding = next((encoding for mark, encoding in MARKS if start.startswith(mark)), None)
    if encoding:
        return io.TextIOWrapper(cast(Any, raw), encoding=encoding, newline=""), encoding.upper()
    nulls = max(start[0::2].count(0), start[1::2].count(0))
    if nulls > len(start) // 3 and start.strip(b"\0"):
        raise DatasetError(
            f"{name}, line 1: every other byte is zero, as in UTF-16 without a byte order mark; save the "
            "file as UTF-8, for example with `iconv -f UTF-16LE -t UTF-8`"
        )
    text = io.TextIOWrapper(cast(Any, raw), encoding="utf-8-sig", errors="surrogateescape", newline="")
    return text, UTF8


def _refuse_other_formats(name: str, start: bytes) -> None:
    if not start:
        raise DatasetError(f"{name}: the file is empty; check --dataset")
    if start.startswith(ZIP):
        raise DatasetError(f"{name}: is a zip, which cannot be read at a URL; download it and pass its path")
    for magic, what in NOT_TEXT:
        if start.startswith(magic):
            raise DatasetError(f"{name}: is {what}, not text; save it as csv, or correct its extension")


def undecodable(text: str) -> str | None:
    r"""Return the first byte of *text* that is not UTF-8, such as `0xE9`, or None.

    >>> undecodable(b"caf\xe9".decode("utf-8", "surrogateescape"))
    '0xE9'
    """
    lone = next((character for character in text if "\udc80" <= character <= "\udcff"), None)
    return f"0x{ord(lone) - 0xDC00:02X}" if lone else None

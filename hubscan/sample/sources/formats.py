"""The file formats that hubscan reads, by the extensions of their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from hubscan.errors import DatasetError

READERS: Final = {
    ".csv": ("csv", {}),
    ".tsv": ("csv", {"sep": "\t"}),
    ".jsonl": ("json", {}),
    ".ndjson": ("json", {}),
    ".json": ("json", {}),
    ".parquet": ("parquet", {}),
    ".parq": ("parquet", {}),
    ".pq": ("parquet", {}),
    ".arrow": ("arrow", {}),
    ".feather": ("arrow", {}),
    ".ipc": ("arrow", {}),
    ".tar": ("webdataset", {}),
}
READER_NAMES: Final = {name for name, _ in READERS.values()}
IN_ONE_PASS: Final = ("csv", "json", "arrow")  # read from the beginning if they are at a URL
DELIMITED: Final = (".csv", ".tsv")
PACKED: Final = (".gz", ".bz2", ".xz", ".zst", ".lz4")
UNREADABLE: Final = (".txt", ".xlsx", ".xls", ".zip")  # the endings of files, not of dataset ids
ARCHIVES: Final = (".zip", ".tgz", ".tbz2", ".txz", ".7z", ".rar", ".gz", ".bz2", ".xz")


def reader_of(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the name of the builder of `datasets` for the file at *path*, and its options.

    Raises:
        DatasetError: if hubscan does not read this format.
    """
    suffix = _suffixes_in(path)[0] if path.suffix.lower() == ".zip" else suffix_of(path.name)
    if suffix not in READERS:
        known = ", ".join(READERS)
        if suffix in ARCHIVES:
            raise DatasetError(f"{path}: cannot read {suffix} archives; unpack it, and pass the folder")
        raise DatasetError(
            f"{path}: cannot read {path.suffix or 'files without extension'}; convert it to one of: {known}"
        )
    return READERS[suffix]


def suffix_of(name: str) -> str:
    """Return the lower-case extension of the data format: `.csv` for `x.csv.gz`."""
    path = PurePosixPath(name.lower())
    if path.suffix == ".zip" and _read_as_text(path.with_suffix("").suffix):
        return path.with_suffix("").suffix
    return (path.with_suffix("") if path.suffix in PACKED else path).suffix


def is_data_file(name: str) -> bool:
    """Return whether *name* ends like a file of data."""
    return suffix_of(name) in READERS or PurePosixPath(name.lower()).suffix in (*PACKED, *UNREADABLE)


def is_hidden(name: str) -> bool:
    """Return whether *name* was left by an operating system or is hidden."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def holds_text(path: Path) -> bool:
    """Return whether the zip file at *path* has one csv, tsv or json file, or several csv or tsv files."""
    suffixes = _suffixes_in(path)
    if len(suffixes) == 1:
        return _read_as_text(suffixes[0])
    return bool(suffixes) and set(suffixes) <= set(DELIMITED)


def _suffixes_in(path: Path) -> list[str]:
    """Return the extensions of the files in a zip file, apart from hidden ones."""
    try:
        with ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
    except (BadZipFile, OSError):
        return []
    return [suffix_of(PurePosixPath(name).name) for name in names if not is_hidden(name)]


def _read_as_text(suffix: str) -> bool:
    return READERS.get(suffix, ("", {}))[0] in ("csv", "json")


def refuse_archives(name: str, files: Sequence[Path]) -> None:
    """Raise a `DatasetError` if one of *files*, in the folder *name*, is an archive."""
    packed = next((file.name for file in files if file.suffix.lower() in ARCHIVES), None)
    if packed is not None:
        raise DatasetError(
            f"{name}: no data outside archives such as {packed!r}; unpack them, and pass the folder"
        )

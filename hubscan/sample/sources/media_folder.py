"""Open folders and zip files of images or audio files that `datasets` does not read.

Those are zip files; and files whose labels are in a table beside them, with one row for each file, which
is not called `metadata.csv` or has no column `file_name`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, NoReturn
from zipfile import BadZipFile, ZipInfo

import pyarrow as pa
from datasets import Audio, ClassLabel, Features, Image, Value
from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder

from hubscan.errors import DatasetError
from hubscan.lfs_pointer import is_lfs_pointer
from hubscan.records import Modality
from hubscan.sample.file_columns import FILE_NAME
from hubscan.sample.sources.arrow import ArrowTable
from hubscan.sample.sources.files import open_file
from hubscan.sample.sources.formats import is_hidden
from hubscan.sample.sources.named_files import opened_zip

TABLES: Final = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
SHEETS: Final = (".xlsx", ".xls", ".ods")  # tables that cannot be read, but explain why there are no labels
METADATA: Final = re.compile(r"metadata\.(csv|jsonl|parquet)")
FILE_COLUMN: Final = re.compile(r"(.*_)?file_names?")  # as `datasets` expects it in the metadata
NAMES_OF_FILES: Final = ("file_name", "filename", "file", "image", "path", "id")
SPLITS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}
OFTEN: Final = 0.5  # of the values of a column must name files
LOOKED_AT: Final = 1000  # rows of a table, to find that column
MOST_TABLES: Final = 20
POINTER_BYTES: Final = 64
ENCRYPTED: Final = 0x1  # flag of a file in a zip
STORED: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

Labels = tuple[pa.Table, Features]
ReadTable = Callable[[str], Labels]
"""Return the rows of the table at an address, and their features."""


@dataclass(frozen=True)
class MediaFiles:
    """The files of one split, and the tables beside them, each by its name with its address."""

    dataset: str
    modality: Modality
    files: Mapping[str, str]
    tables: Mapping[str, str]

    def rows(self, read_table: ReadTable) -> ArrowTable:
        """Return the files with their labels, from a table beside them or else from their folders.

        Raises:
            DatasetError: if there are no labels, or several tables could have them.
        """
        found = [joined for name in self._likely_tables() if (joined := self._joined(name, read_table))]
        if len(found) > 1:
            names = " or ".join(repr(joined.name) for joined in found)
            raise DatasetError(
                f"{self.dataset}: the labels may be in {names}; leave only one of these files there"
            )
        if found:
            return found[0].table
        return self._by_folder()

    @property
    def by_class(self) -> bool:
        """Return whether `datasets` reads these files with their folders as labels."""
        folders = {PurePosixPath(name).parent.name for name in self.files}
        unpacked = not any("://" in address and "::" in address for address in self.files.values())
        return unpacked and len(folders) > 1 and len({name.count("/") for name in self.files}) == 1

    def tables_not_read(self, read_table: ReadTable) -> list[str]:
        """Return a note for each local table that names the files, although their folders are the labels."""
        local = [name for name in self._likely_tables() if "://" not in self.tables[name]]
        return [
            f"labels are the names of the folders, and not in {name!r}; move the files into one folder "
            "to read that"
            for name in local
            if self._joined(name, read_table)
        ]

    def _likely_tables(self) -> list[str]:
        readable = [name for name in self.tables if name.lower().endswith(TABLES)][:MOST_TABLES]
        return [name for name in readable if METADATA.fullmatch(PurePosixPath(name).name)] or readable

    def _by_folder(self) -> ArrowTable:
        depth = Counter(name.count("/") for name in self.files).most_common(1)
        names = [name for name in self.files if name.count("/") == depth[0][0]] if depth else []
        labels = [PurePosixPath(name).parent.name for name in names]
        if len(set(labels)) < 2:
            self._refuse()
        classes = sorted(set(labels))
        table = pa.table(
            {
                self.modality: _stored([self.files[name] for name in names]),
                "label": pa.array([classes.index(label) for label in labels], pa.int64()),
            }
        )
        rows = ArrowTable(table, Features({self.modality: self._feature, "label": ClassLabel(names=classes)}))
        if len(names) < len(self.files):
            left = len(self.files) - len(names)
            rows.notes = [f"{left:,} files outside the folders of the classes are left out"]
        return rows

    def _refuse(self) -> NoReturn:
        if self.tables:
            raise DatasetError(
                f"{self.dataset}: the {self.modality} files have no labels, and no column of "
                f"{', '.join(map(repr, sorted(self.tables)[:3]))} names them; add metadata.csv with columns "
                "file_name and label, or move the files of each class into a folder of their own"
            )
        raise DatasetError(
            f"{self.dataset}: the {self.modality} files have no labels; move those of each class into a "
            "folder of their own, or add metadata.csv with the columns file_name and label"
        )

    def _joined(self, name: str, read_table: ReadTable) -> _Joined | None:
        """Return the rows of the table *name* with their files; None if no column names them."""
        table, features = read_table(self.tables[name])
        known = _known(self.files)
        column = _naming_column(table, features, known)
        if column is None or len(features) < 2:
            return None
        values = table[column].to_pylist()
        addresses = [None if value is None else _address(value, known) for value in values]
        cells = [address or str(value) for address, value in zip(addresses, values, strict=True)]
        new = column if self.modality in features else self.modality
        typed = {
            (new if other == column else other): (self._feature if other == column else feature)
            for other, feature in features.items()
        }
        place = table.schema.names.index(column)
        found = ArrowTable(table.set_column(place, new, _stored(cells)), Features(typed))
        found.notes = self._notes(name, column, addresses)
        return _Joined(name, found)

    def _notes(self, name: str, column: str, addresses: Sequence[str | None]) -> list[str]:
        notes = []
        if not (METADATA.fullmatch(PurePosixPath(name).name) and FILE_COLUMN.fullmatch(column)):
            notes.append(
                f"labels are read from {name!r}, whose column {column!r} names the {self.modality} files; "
                "save it as metadata.csv with a column file_name to be sure"
            )
        left = len(set(self.files.values()) - set(addresses))
        if left:
            notes.append(f"{left:,} {self.modality} files have no row in {name!r} and are left out")
        return notes

    @property
    def _feature(self) -> Any:
        return Image() if self.modality == "image" else Audio(decode=False)


@dataclass(frozen=True)
class _Joined:
    name: str
    table: ArrowTable


def read_by_us(
    dataset: str,
    builder: Any,
    split: str,
    inner: str | None,
    tables: Mapping[str, str],
    read_table: ReadTable,
) -> MediaFiles | None:
    """Return the files of a split of a folder, or None if `datasets` reads them with their metadata.

    Args:
        dataset: its name.
        builder: the builder of the folder.
        split: of the folder.
        inner: the split of the files in its zips, see `splits_in_zips`.
        tables: the names and addresses of the tables in the folder.
        read_table: reads one.
    """
    if not isinstance(builder, FolderBasedBuilder):
        return None
    modality: Modality = "image" if builder.BASE_COLUMN_NAME == "image" else "audio"
    addresses = [str(address) for address in builder.config.data_files[split]]
    archives = _archives(addresses)
    files = {address: address for address in addresses if not address.lower().endswith(".zip")}
    packed = in_zips(archives)
    if inner is not None:
        packed = {name: address for name, address in packed.items() if (split_of(name) or "train") == inner}
    metadata = [name for name in files if METADATA.fullmatch(PurePosixPath(name).name)]
    beside = {**tables, **{name: name for name in metadata if name not in tables.values()}}
    found = MediaFiles(
        dataset,
        modality,
        {name: at for name, at in {**files, **packed}.items() if modality_by_name(name) == modality},
        {**beside, **{name: at for name, at in packed.items() if name.lower().endswith(TABLES)}},
    )
    if archives:
        return found
    if metadata:
        _, features = read_table(metadata[0])
        return None if any(FILE_COLUMN.fullmatch(column) for column in features) else found
    return found


def tables_in(files: Mapping[str, str]) -> dict[str, str]:
    """Return those of *files*, by name, that may be tables of labels."""
    return {
        name: at
        for name, at in files.items()
        if name.lower().endswith((*TABLES, *SHEETS)) and not is_hidden(name)
    }


def splits_in_zips(builder: Any) -> list[str]:
    """Return the splits by the folders in zip files, if the dataset has no other splits."""
    if not isinstance(builder, FolderBasedBuilder) or len(builder.config.data_files) > 1:
        return []
    addresses = [str(one) for files in builder.config.data_files.values() for one in files]
    return _splits(in_zips(_archives(addresses)))


def in_zip(dataset: str, archive: str) -> Mapping[str, MediaFiles]:
    """Return the files in one zip file by their split.

    Raises:
        DatasetError: if it has neither images nor audio files.
    """
    found = in_zips([archive])
    kinds = Counter(kind for name in found if (kind := modality_by_name(name)) is not None)
    if not kinds:
        endings = Counter(PurePosixPath(name).suffix or PurePosixPath(name).name for name in found)
        held = ", ".join(ending for ending, _ in endings.most_common(3)) or "nothing"
        raise DatasetError(
            f"{dataset}: a zip file without images or audio files (it holds {held}); unpack it, and pass the "
            "folder or the file in it"
        )
    modality = kinds.most_common(1)[0][0]
    tables = {name: at for name, at in found.items() if name.lower().endswith((*TABLES, *SHEETS))}
    return {
        split: MediaFiles(
            dataset,
            modality,
            {
                name: at
                for name, at in found.items()
                if modality_by_name(name) == modality and (split_of(name) or "train") == split
            },
            tables,
        )
        for split in _splits(found) or ["train"]
    }


def _splits(files: Mapping[str, str]) -> list[str]:
    media = [name for name in files if modality_by_name(name) is not None]
    named = {split for name in media if (split := split_of(name)) is not None}
    return sorted({split_of(name) or "train" for name in media}) if named else []


def _archives(addresses: Sequence[str]) -> list[str]:
    return [address for address in addresses if address.lower().endswith(".zip")]


def modality_by_name(name: str) -> Modality | None:
    """Return the modality of a file by the ending of its name; None for other files."""
    return next((modality for modality, pattern in FILE_NAME.items() if pattern.fullmatch(name)), None)


def split_of(name: str) -> str | None:
    """Return the split that a folder in *name* is called after, if any."""
    parents = PurePosixPath(name).parent.parts
    return next((SPLITS[part.lower()] for part in parents if part.lower() in SPLITS), None)


def in_zips(archives: Sequence[str]) -> dict[str, str]:
    """Return the files in zip files: their names, which begin with the zip's own, to their addresses.

    Raises:
        DatasetError: if one is no zip file, or has a password.
    """
    return {
        f"{PurePosixPath(archive).stem}/{member.filename}": f"zip://{member.filename}::{archive}"
        for archive in archives
        for member in _members(archive)
    }


def _members(archive: str) -> Iterator[ZipInfo]:
    try:
        with opened_zip(archive) as opened:
            members = opened.infolist()
    except (BadZipFile, NotImplementedError, ValueError) as error:
        beginning = open_file(archive)
        if is_lfs_pointer(beginning.read(0, min(POINTER_BYTES, beginning.size))):
            raise DatasetError(
                f"{archive}: a Git LFS pointer, not the zip file itself; run git lfs pull in its folder"
            ) from error
        raise DatasetError(f"{archive}: not a zip file, or damaged ({error}); replace the file") from error
    for member in members:
        if member.is_dir() or is_hidden(member.filename):
            continue
        if member.flag_bits & ENCRYPTED:
            raise DatasetError(f"{archive}: the files in it have a password; unpack it, and pass the folder")
        yield member


def _stored(addresses: Sequence[str]) -> pa.Array:
    return pa.array([{"bytes": None, "path": address} for address in addresses], STORED)


def _known(files: Mapping[str, str]) -> dict[str, str]:
    """Return the address of a file by every ending of its path, with and without extension.

    What several files could be called is left out, except a whole path.
    """
    known: dict[str, str | None] = {}
    for name, address in files.items():
        parts = PurePosixPath(name).parts
        for start in range(len(parts)):
            path = PurePosixPath(*parts[start:])
            for key in {str(path), str(path.with_suffix("")), *_numbers(path)}:
                known[key] = address if known.get(key, address) == address else None
    return {key: address for key, address in known.items() if address is not None}


def _numbers(path: PurePosixPath) -> list[str]:
    """Return `1` for `001.png`: text readers take such names for numbers."""
    stem = path.stem if len(path.parts) == 1 else ""
    return [str(int(stem))] if stem.isdecimal() and stem.isascii() else []


def _key(value: object) -> str:
    name = str(value).strip().replace("\\", "/")
    return name.removeprefix("./") if not isinstance(value, float) else f"{value:g}"


def _address(value: object, known: Mapping[str, str]) -> str | None:
    """Return the address of the file that *value* names, perhaps with the ending of another format."""
    key = _key(value)
    if key in known or modality_by_name(key) is None:
        return known.get(key)
    return known.get(str(PurePosixPath(key).with_suffix("")))


def _naming_column(table: pa.Table, features: Features, known: Mapping[str, str]) -> str | None:
    """Return the column whose values name files, the likeliest by its name if there are several."""
    head = table.slice(0, LOOKED_AT)
    naming = []
    for column, feature in features.items():
        if not isinstance(feature, Value) or feature.dtype.startswith("bool"):
            continue
        values = [value for value in head[column].to_pylist() if value is not None]
        distinct = set(values)
        named = sum(_address(value, known) is not None for value in values)
        # The names of files differ; the numbers of classes may be names of files too.
        if values and named >= OFTEN * len(values) and len(distinct) >= OFTEN * len(values):
            naming.append(column)
    usual = [column for name in NAMES_OF_FILES for column in naming if column.lower() == name]
    return next(iter([*usual, *naming]), None)

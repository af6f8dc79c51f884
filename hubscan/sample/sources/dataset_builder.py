"""Find the files and the splits of a dataset with `datasets`, and open the rows of one split."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

import datasets
import pyarrow as pa
from datasets import DatasetBuilder, load_dataset_builder
from datasets.packaged_modules.text.text import Text

from hubscan.errors import DatasetError
from hubscan.hub import settings
from hubscan.processes import temporary_folder
from hubscan.records import SampleRequest
from hubscan.sample.sources.arrow import spooled
from hubscan.sample.sources.builders import opened
from hubscan.sample.sources.declared import readable_features
from hubscan.sample.sources.delimited.dialect import named_separator
from hubscan.sample.sources.files import File
from hubscan.sample.sources.formats import READER_NAMES, READERS, suffix_of
from hubscan.sample.sources.local_folder import given_files, teach_extensions
from hubscan.sample.sources.media_folder import read_by_us, splits_in_zips, tables_in
from hubscan.sample.sources.named_files import member
from hubscan.sample.sources.protocols import Stream, Table
from hubscan.sample.sources.read_errors import one_line
from hubscan.sample.sources.source import SINGLE_SPLIT, chosen_split

METADATA_ERRORS: Final = (TypeError, KeyError, AttributeError, IndexError, AssertionError, RecursionError)
"""What `datasets` raises for metadata of a form that it did not expect."""


def builder_of(path: str, config: str | None = None, **options: Any) -> DatasetBuilder:
    """Return the builder of a dataset, without reporting the dataset to the library's download counter.

    The counter is not on the Hub but at another host, and would learn what is read.
    """
    teach_extensions(READERS)
    counts = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    try:
        with readable_features():
            return load_dataset_builder(path, config, cache_dir=_scratch().name, **options)
    except METADATA_ERRORS as error:
        raise DatasetError(
            f"{path}: its README.md or other metadata cannot be used ({type(error).__name__}: "
            f"{one_line(error)}); correct it"
        ) from error
    except OSError:
        if path not in READER_NAMES and not Path(path).exists():  # the card goes into the client's cache
            settings.check_cache()
        raise
    finally:
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = counts


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for the lock files of `datasets`, so that its cache need not be writable."""
    return temporary_folder()


def rows_of(
    request: SampleRequest, name: str, builder: DatasetBuilder, files: Mapping[str, str]
) -> tuple[str, Table | Stream, Sequence[File], tuple[str, ...]]:
    """Return the chosen split, its rows, its files if hubscan reads them itself, and notes for the user.

    Args:
        request: the split that was asked for.
        name: of the dataset.
        builder: of the dataset.
        files: the names and addresses of everything in its folder.
    """
    if isinstance(builder, Text):
        raise DatasetError(
            f"{name}: text files have no labels; write a csv or jsonl file with a text and a label in "
            "each row"
        )
    outer, inner = [str(split) for split in builder.config.data_files], splits_in_zips(builder)
    split = chosen_split(request.split, name, inner or outer)
    media = read_by_us(
        name, builder, outer[0] if inner else split, split if inner else None, tables_in(files), labels_at
    )
    if media is not None and not media.by_class:
        return split, media.rows(labels_at), (), ()
    rows, parts = opened(builder, split, named_separator(request.separator))
    return split, rows, parts, tuple(media.tables_not_read(labels_at)) if media else ()


def labels_at(address: str) -> tuple[pa.Table, datasets.Features]:
    """Return all rows of the table at *address*, which may be in a zip file, and their features."""
    with temporary_folder() as folder:
        if address.startswith("zip://"):
            unpacked = Path(folder) / PurePosixPath(address.partition("::")[0]).name
            unpacked.write_bytes(member(address))
            address = str(unpacked)
        reader, options = READERS[suffix_of(address)]
        rows, _ = opened(builder_of(reader, data_files=_as_given(address), **options), SINGLE_SPLIT)
        names = list(rows.features)
        tables = rows.labels(names) if isinstance(rows, Table) else rows.tables(names)
        return spooled(tables, address), rows.features


def _as_given(address: str) -> Any:
    """Return *address* as `datasets` takes it: a path would be read as a pattern."""
    return address if "://" in address else given_files([Path(address)], SINGLE_SPLIT)


def first_file(builder: DatasetBuilder) -> str:
    """Return the address of the first file of *builder*, "" if there is none."""
    return next((str(file) for files in builder.config.data_files.values() for file in files), "")

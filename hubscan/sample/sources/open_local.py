"""Open one split of a dataset on this disk: a file, a folder, or the output of `save_to_disk`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import datasets
from datasets.exceptions import DataFilesNotFoundError

from hubscan.processes import temporary_folder
from hubscan.records import SampleRequest
from hubscan.sample.sources.arrow import ArrowTable
from hubscan.sample.sources.card import check_folder
from hubscan.sample.sources.content_hash import content_hash
from hubscan.sample.sources.dataset_builder import builder_of, first_file, labels_at, rows_of
from hubscan.sample.sources.formats import holds_text, reader_of, refuse_archives
from hubscan.sample.sources.local_folder import files_in, folder_builder, given_files
from hubscan.sample.sources.media_folder import in_zip, in_zips
from hubscan.sample.sources.named_files import NamedFiles
from hubscan.sample.sources.plain_table import PlainTable
from hubscan.sample.sources.read_errors import read_errors
from hubscan.sample.sources.saved import refuse_foreign_tables
from hubscan.sample.sources.source import SINGLE_SPLIT, Source, chosen_split


def open_local(request: SampleRequest, path: Path) -> Source:
    """Return the split that *request* names in the file or folder at *path*.

    Raises:
        DatasetError: if it cannot be read, or has no such split.
    """
    name = str(request.dataset)
    with read_errors(name):
        if _saved(path):
            return _open_saved(request, path)
        if path.suffix.lower() == ".zip" and path.is_file() and not holds_text(path):
            return _open_zip(request, path)
        if path.is_dir():
            files = files_in(path)
            check_folder(name, path)
            try:
                builder = folder_builder(path, lambda folder: builder_of(folder, request.config))
            except (DataFilesNotFoundError, BadZipFile):
                in_zips([str(file) for file in files if file.suffix == ".zip"])
                refuse_archives(name, files)
                raise
        else:
            reader, options = reader_of(path)
            builder = builder_of(reader, data_files=given_files([path], SINGLE_SPLIT), **options)
            files = [path]
        root = path.resolve() if path.is_dir() else path.resolve().parent
        tables = {str(file.relative_to(path)): str(file.resolve()) for file in files if file != path}
        split, rows, parts, notes = rows_of(request, name, builder, tables)
    named = NamedFiles(str(root), first_file(builder), listed=_spellings(path, files))
    return Source(
        name, content_hash(path, files), request.config, split, rows, named.fetch, parts, named.locate, notes
    )


def _open_zip(request: SampleRequest, path: Path) -> Source:
    name = str(request.dataset)
    found = in_zip(name, str(path.resolve()))
    split = chosen_split(request.split, name, list(found))
    named = NamedFiles(str(path.resolve().parent))
    rows = found[split].rows(labels_at)
    return Source(name, content_hash(path, [path]), None, split, rows, named.fetch, (), named.locate)


def _saved(path: Path) -> bool:
    """Return whether *path* was written by `save_to_disk` of `datasets`."""
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _open_saved(request: SampleRequest, path: Path) -> Source:
    name = str(request.dataset)
    refuse_foreign_tables(name, path)
    with _plainly_named(path) as plain:
        found = datasets.load_from_disk(str(plain))
    single = isinstance(found, datasets.Dataset)
    split = chosen_split(request.split, name, [SINGLE_SPLIT] if single else list(found))
    dataset = found if single else found[split]
    if dataset._indices is not None:  # a selection of rows is stored as indices
        dataset = dataset.flatten_indices()
    files = files_in(path)
    table = PlainTable(ArrowTable(dataset.data.table, dataset.features, name), name, dataset.features)
    named = NamedFiles(str(path.resolve()))
    return Source(name, content_hash(path, files), None, split, table, named.fetch, (), named.locate)


def _spellings(root: Path, files: Iterable[Path]) -> Iterator[str]:
    """Yield the paths by which a reader may name *files*, which were found in *root*."""
    plain = root.resolve()
    for file in files:
        yield from {str(file), str(file.absolute()), str(file.resolve()), str(plain / file.relative_to(root))}


@contextmanager
def _plainly_named(path: Path) -> Iterator[Path]:
    """Yield *path*, or a link to it if `datasets` would take its `::` for a chain of file systems."""
    if "::" not in str(path.resolve()):
        yield path
        return
    with temporary_folder() as folder:
        link = Path(folder) / "data"
        link.symlink_to(path.resolve())
        yield link

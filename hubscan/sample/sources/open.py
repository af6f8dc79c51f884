"""Open one split of a dataset, given as a Hub id, a URL or a path, and pin its revision."""

from __future__ import annotations

import atexit
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile, ZipFile

import datasets
import pyarrow as pa
from datasets import DatasetBuilder, load_dataset_builder
from datasets.exceptions import DataFilesNotFoundError
from datasets.packaged_modules.csv.csv import Csv
from datasets.packaged_modules.json.json import Json

from hubscan.errors import DatasetError, HubError
from hubscan.hub import cached, settings
from hubscan.hub.client import ASKING, api, explained, is_unknown, may_ask
from hubscan.records import SampleRequest
from hubscan.sample.cells import Fetch
from hubscan.sample.file_columns import Locate
from hubscan.sample.sources.arrow import ArrowTable, spooled
from hubscan.sample.sources.arrow_stream import ArrowStream
from hubscan.sample.sources.builders import DatasetStream, opened
from hubscan.sample.sources.content_hash import content_hash
from hubscan.sample.sources.csv_dialect import named_separator
from hubscan.sample.sources.csv_file import Declared
from hubscan.sample.sources.declared import readable_features
from hubscan.sample.sources.delimited import DelimitedStream
from hubscan.sample.sources.files import File, StoredFile, names_like, open_file
from hubscan.sample.sources.json_rows import JsonRows
from hubscan.sample.sources.local_folder import files_in, folder_builder, given_files, teach_extensions
from hubscan.sample.sources.media_folder import in_zip, in_zips, read_by_us, splits_in_zips, tables_in
from hubscan.sample.sources.named_files import NamedFiles, from_nowhere, member, nowhere
from hubscan.sample.sources.parquet import ParquetTable
from hubscan.sample.sources.plain_table import PlainTable
from hubscan.sample.sources.protocols import Stream, Table
from hubscan.sample.sources.read_errors import read_errors
from hubscan.sample.sources.sequential import SequentialFile, addresses
from hubscan.sample.sources.tar import TarStream

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo

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
HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
SINGLE_SPLIT: Final = "train"  # the split of a file without splits


@dataclass(frozen=True)
class Source:
    """One split, not yet read."""

    dataset: str  # the canonical id, the URL, or the local path
    revision: str
    config: str | None
    split: str
    rows: Table | Stream
    fetch: Fetch  # reads the files named in cells
    files: Sequence[File | SequentialFile] = field(default_factory=tuple)
    locate: Locate = nowhere  # finds out whether a file named in a cell can be read
    notes: tuple[str, ...] = ()  # what was decided while opening, for `SampleInfo.notes`

    def stored(self) -> tuple[int, int]:
        """Return the number of bytes and requests that did not go through the Hub client."""
        found = [file for file in self.files if isinstance(file, StoredFile | SequentialFile)]
        return sum(file.bytes_read for file in found), sum(file.requests for file in found)

    @property
    def sequential(self) -> Sequence[SequentialFile]:
        """Return the files that are read from the beginning."""
        return [file for file in self.files if isinstance(file, SequentialFile)]

    def spent(self, fetched: int) -> int:
        """Return the bytes that count against the budget, of which *fetched* went through the Hub client."""
        # Count the position in the file, not the traffic: a broken connection may not change the sample.
        read = self.sequential
        return sum(file.passed for file in read) if read else fetched + self.stored()[0]

    def pinned(self) -> Source:
        """Return this source with its revision, which for sequential files is known only after reading."""
        if not self.sequential:
            return self
        contents = "".join(f"{file.name} {file.pin()}\n" for file in self.sequential)
        return replace(self, revision=f"url:{hashlib.sha256(contents.encode()).hexdigest()}")


def open_split(request: SampleRequest) -> Source:
    """Return the split that *request* names.

    A bare name such as `imdb` is first resolved to its canonical id and commit, because the current
    `datasets` cannot follow the redirect of the Hub.

    Raises:
        HubError: if the Hub cannot be reached or does not know the dataset.
        DatasetError: if a file, config or split does not exist; names the configs or splits that do.
    """
    if request.dataset is None:
        raise DatasetError("--dataset: not given; pass an id, a path or a URL, or set dataset in the recipe")
    if "://" in request.dataset:
        return _at_url(request, request.dataset)
    name = request.dataset
    path = _expanded_user(name)
    if path.exists():
        return _open_local(request, path)
    if _is_path(name):
        raise DatasetError(f"{name}: no such file or folder; check --dataset")
    info = _on_hub(name, request.revision)
    with read_errors(info.id):
        builder = _builder(info.id, request.config, revision=info.sha)
        root = f"hf://datasets/{info.id}@{info.sha}/"
        tables = {file.rfilename: root + file.rfilename for file in info.siblings or ()}
        split, rows, files, notes = _rows_of(request, info.id, builder, tables)
    config = request.config or builder.config.name
    named = NamedFiles(root, _first_file(builder))
    return Source(info.id, str(info.sha), config, split, rows, named.fetch, files, named.locate, notes)


def open_cached(request: SampleRequest, because: str, error: HubError) -> Source:
    """Return the split that *request* names as the cache of the Hub's client has it.

    Args:
        request: names the dataset.
        because: why the Hub is not asked.
        error: raised if the request names no dataset of the Hub, which alone can be in this cache.

    Raises:
        HubError: if not all of its files are there.
        DatasetError: as `open_split`.
    """
    name = str(request.dataset)
    if "://" in name:
        raise error
    absent = (
        f"dataset {name}: not in the cache, and {because}; "
        f"run this once with a network, or `hf download --repo-type dataset {name}`"
    )
    found = cached.snapshot(name, "dataset", request.revision, _has_data)
    if found is None:
        raise HubError(absent) from error
    with read_errors(name):
        builder = _builder(str(found.folder), request.config)
        split = _chosen_split(request.split, name, [str(split) for split in builder.config.data_files])
        files = [Path(address).relative_to(found.folder) for address in builder.config.data_files[split]]
        if cached.missing(found, "dataset", [file.as_posix() for file in files]):
            raise HubError(absent) from error
        rows, parts = opened(builder, split, named_separator(request.separator))
    notes = (f"commit {found.commit[:7]} from the Hub's cache, as {because}",)
    config = request.config or builder.config.name
    named = NamedFiles(str(found.folder), str(builder.config.data_files[split][0]))
    return Source(found.repo, found.commit, config, split, rows, named.fetch, parts, named.locate, notes)


def _has_data(folder: Path) -> bool:
    """Return whether *folder* has more than the card, which is all that a scan downloads as a file."""
    return any(file.is_file() and file.name != "README.md" for file in folder.rglob("*"))


def _builder(path: str, config: str | None = None, **options: Any) -> DatasetBuilder:
    """Return the builder of a dataset, without reporting the dataset to the library's download counter.

    The counter is not on the Hub but at another host, and would learn what is read.
    """
    teach_extensions(READERS)
    counts = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    try:
        with readable_features():
            return load_dataset_builder(path, config, cache_dir=_scratch(), **options)
    except OSError:
        if path not in READER_NAMES and not Path(path).exists():  # the card goes into the client's cache
            settings.check_cache()
        raise
    finally:
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = counts


@cache
def _scratch() -> str:
    """Return a folder for the lock files of `datasets`, so that its cache need not be writable."""
    folder = tempfile.mkdtemp(prefix="hubscan-datasets-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _expanded_user(name: str) -> Path:
    """Return *name* as a path, with a leading `~` replaced by the home folder if there is one."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def _is_path(name: str) -> bool:
    """Return whether *name* can only be a path: no dataset of the Hub has such an id."""
    if name.startswith(".") or not HUB_ID.fullmatch(name):
        return True
    return "/" not in name and _is_data_file(name)


def _is_data_file(name: str) -> bool:
    return _suffix(name) in READERS or PurePosixPath(name.lower()).suffix in (*PACKED, *UNREADABLE)


def _on_hub(name: str, revision: str | None) -> DatasetInfo:
    """Return what the Hub knows of the dataset *name*.

    Raises:
        HubError: if the Hub cannot be reached or does not know the dataset.
        DatasetError: if it does not know the dataset and *name* looks like a file.
    """
    try:
        with explained(f"dataset {name}"):
            may_ask(not datasets.config.HF_HUB_OFFLINE)  # HF_DATASETS_OFFLINE sets that, too
            return api().dataset_info(name, revision=revision, timeout=ASKING)  # type: ignore[arg-type]
    except HubError as error:
        if not (_is_data_file(name) and is_unknown(error)):
            raise
        raise DatasetError(
            f"{name}: no such file, and no dataset of this id on the Hub; check --dataset"
        ) from error


def _open_local(request: SampleRequest, path: Path) -> Source:
    name = str(request.dataset)
    with read_errors(name):
        if _saved(path):
            return _open_saved(request, path)
        if path.suffix.lower() == ".zip" and path.is_file() and not _holds_text(path):
            return _open_zip(request, path)
        if path.is_dir():
            files = files_in(path)
            try:
                builder = folder_builder(path, lambda folder: _builder(folder, request.config))
            except (DataFilesNotFoundError, BadZipFile):
                in_zips([str(file) for file in files if file.suffix == ".zip"])
                _refuse_archives(name, files)
                raise
        else:
            reader, options = _reader(path)
            builder = _builder(reader, data_files=given_files([path], SINGLE_SPLIT), **options)
            files = [path]
        root = path.resolve() if path.is_dir() else path.resolve().parent
        tables = {str(file.relative_to(path)): str(file.resolve()) for file in files if file != path}
        split, rows, parts, notes = _rows_of(request, name, builder, tables)
    named = NamedFiles(str(root), _first_file(builder), anywhere=not isinstance(builder, Csv | Json))
    return Source(
        name, content_hash(path, files), request.config, split, rows, named.fetch, parts, named.locate, notes
    )


def _rows_of(
    request: SampleRequest, name: str, builder: DatasetBuilder, files: Mapping[str, str]
) -> tuple[str, Table | Stream, Sequence[File], tuple[str, ...]]:
    """Return the chosen split, its rows, its files if hubscan reads them itself, and notes for the user.

    Args:
        request: the split that was asked for.
        name: of the dataset.
        builder: of the dataset.
        files: the names and addresses of everything in its folder.
    """
    outer, inner = [str(split) for split in builder.config.data_files], splits_in_zips(builder)
    split = _chosen_split(request.split, name, inner or outer)
    media = read_by_us(
        name, builder, outer[0] if inner else split, split if inner else None, tables_in(files), _labels_at
    )
    if media is not None and not media.by_class:
        return split, media.rows(_labels_at), (), ()
    rows, parts = opened(builder, split, named_separator(request.separator))
    return split, rows, parts, tuple(media.tables_not_read(_labels_at)) if media else ()


def _labels_at(address: str) -> tuple[pa.Table, datasets.Features]:
    """Return all rows of the table at *address*, which may be in a zip file, and their features."""
    with tempfile.TemporaryDirectory(prefix="hubscan-labels-") as folder:
        if address.startswith("zip://"):
            unpacked = Path(folder) / PurePosixPath(address.partition("::")[0]).name
            unpacked.write_bytes(member(address))
            address = str(unpacked)
        reader, options = READERS[_suffix(address)]
        rows, _ = opened(_builder(reader, data_files=_as_given(address), **options), SINGLE_SPLIT)
        names = list(rows.features)
        tables = rows.labels(names) if isinstance(rows, Table) else rows.tables(names)
        return spooled(tables, address), rows.features


def _as_given(address: str) -> Any:
    """Return *address* as `datasets` takes it: a path would be read as a pattern."""
    return address if "://" in address else given_files([Path(address)], SINGLE_SPLIT)


def _open_zip(request: SampleRequest, path: Path) -> Source:
    name = str(request.dataset)
    found = in_zip(name, str(path.resolve()))
    split = _chosen_split(request.split, name, list(found))
    named = NamedFiles(str(path.resolve().parent))
    rows = found[split].rows(_labels_at)
    return Source(name, content_hash(path, [path]), None, split, rows, named.fetch, (), named.locate)


def _first_file(builder: DatasetBuilder) -> str:
    return next((str(file) for files in builder.config.data_files.values() for file in files), "")


def _saved(path: Path) -> bool:
    """Return whether *path* was written by `save_to_disk` of `datasets`."""
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _open_saved(request: SampleRequest, path: Path) -> Source:
    name = str(request.dataset)
    with _plainly_named(path) as plain:
        found = datasets.load_from_disk(str(plain))
    single = isinstance(found, datasets.Dataset)
    split = _chosen_split(request.split, name, [SINGLE_SPLIT] if single else list(found))
    dataset = found if single else found[split]
    if dataset._indices is not None:  # a selection of rows is stored as indices
        dataset = dataset.flatten_indices()
    files = files_in(path)
    table = PlainTable(ArrowTable(dataset.data.table, dataset.features, name), name, dataset.features)
    named = NamedFiles(str(path.resolve()), anywhere=True)
    return Source(name, content_hash(path, files), None, split, table, named.fetch, (), named.locate)


@contextmanager
def _plainly_named(path: Path) -> Iterator[Path]:
    """Yield *path*, or a link to it if `datasets` would take its `::` for a chain of file systems."""
    if "::" not in str(path.resolve()):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="hubscan-link-") as folder:
        link = Path(folder) / "data"
        link.symlink_to(path.resolve())
        yield link


def _at_url(request: SampleRequest, url: str) -> Source:
    """Open the files at *url*; `{000..012}` and, except for http, `*` stand for several."""
    if re.match(r"\w+://[^/]*:[^/]*@", url):
        raise DatasetError("--dataset: the URL contains a password, which every result would show; remove it")
    found = _expanded(url)
    if not found:
        raise DatasetError(f"{url}: no such files; check --dataset")
    split = _chosen_split(request.split, url, [SINGLE_SPLIT])
    suffix = _suffix(url.partition("?")[0]) if url.startswith("http") else _suffix(url)
    reader = READERS.get(suffix, ("", {}))[0]
    if reader in IN_ONE_PASS:
        return _in_one_pass(request, url, split, suffix, found)
    files = [open_file(address) for address in found]
    stored = None
    if suffix == ".tar":
        rows: Table | Stream = TarStream(files)
    elif reader == "parquet":
        stored = ParquetTable(files)
        rows = PlainTable(stored, url)
    else:
        known = ", ".join(READERS)
        raise DatasetError(f"{url}: cannot read this file type at a URL; convert it to one of: {known}")
    facts = "".join(f"{file.name} {file.size}\n" for file in files)
    footers = stored.footer_hash if stored else ""
    digest = hashlib.sha256((facts + footers).encode()).hexdigest()
    return Source(url, f"url:{digest}", None, split, rows, from_nowhere, files)


def _in_one_pass(request: SampleRequest, url: str, split: str, suffix: str, found: Sequence[str]) -> Source:
    """Open files that can only be read from the beginning; their revision is known after that."""
    files = [SequentialFile(address, 2 * request.max_bytes) for address in found]
    if suffix in DELIMITED:
        form = Declared(named_separator(request.separator))
        return Source(url, "", None, split, DelimitedStream(files, url, form), from_nowhere, files)
    reader, options = READERS[suffix]
    if reader == "json":
        json_rows = JsonRows([(file.name, file.open) for file in files])
        return Source(url, "", None, split, json_rows, from_nowhere, files)
    if reader == "arrow":
        arrow_rows = ArrowStream([(file.name, file.open) for file in files])
        return Source(url, "", None, split, arrow_rows, from_nowhere, files)
    with read_errors(url):
        builder = _builder(reader, data_files=addresses(files, suffix), **options)
        rows = DatasetStream(builder.as_streaming_dataset(split=split), url)
    return Source(url, "", None, split, rows, from_nowhere, files)


def _expanded(url: str) -> list[str]:
    found = re.search(r"\{(\d+)\.\.(\d+)\}", url)
    if found:
        width, last = len(found[1]), min(int(found[2]), int(found[1]) + 100_000)
        numbers = range(int(found[1]), last + 1)
        return [f"{url[: found.start()]}{number:0{width}}{url[found.end() :]}" for number in numbers]
    if "*" in url and not url.startswith("http"):
        return names_like(url)
    return [url]


def _refuse_archives(name: str, files: Sequence[Path]) -> None:
    packed = next((file.name for file in files if file.suffix.lower() in ARCHIVES), None)
    if packed is not None:
        raise DatasetError(
            f"{name}: no data outside archives such as {packed!r}; unpack them, and pass the folder"
        )


def _reader(path: Path) -> tuple[str, dict[str, Any]]:
    suffix = next(iter(_suffixes_in(path)), "") if path.suffix.lower() == ".zip" else _suffix(path.name)
    if suffix not in READERS:
        known = ", ".join(READERS)
        if suffix in ARCHIVES:
            raise DatasetError(f"{path}: cannot read {suffix} archives; unpack it, and pass the folder")
        raise DatasetError(
            f"{path}: cannot read {path.suffix or 'files without extension'}; convert it to one of: {known}"
        )
    return READERS[suffix]


def _holds_text(path: Path) -> bool:
    """Return whether the zip file at *path* has one csv, tsv or json file, or several csv or tsv files."""
    suffixes = _suffixes_in(path)
    return set(suffixes) <= set(DELIMITED) if len(suffixes) != 1 else _read_as_text(suffixes[0])


def _suffixes_in(path: Path) -> list[str]:
    """Return the extensions of the files in a zip file, apart from hidden ones."""
    try:
        with ZipFile(path) as archive:
            members = [PurePosixPath(m.filename) for m in archive.infolist() if not m.is_dir()]
    except (BadZipFile, OSError):
        return []
    return [_suffix(m.name) for m in members if not any(p.startswith((".", "__MACOSX")) for p in m.parts)]


def _read_as_text(suffix: str) -> bool:
    return READERS.get(suffix, ("", {}))[0] in ("csv", "json")


def _suffix(name: str) -> str:
    """Return the lower-case extension of the data format: `.csv` for `x.csv.gz`."""
    path = PurePosixPath(name.lower())
    if path.suffix == ".zip" and _read_as_text(path.with_suffix("").suffix):
        return path.with_suffix("").suffix
    return (path.with_suffix("") if path.suffix in PACKED else path).suffix


def _chosen_split(asked: str | None, dataset: str, splits: list[str]) -> str:
    if asked is None:
        return "train" if "train" in splits else splits[0]
    if asked not in splits:
        raise DatasetError(f"{dataset}: no split {asked!r}; pass --split with one of: {', '.join(splits)}")
    return asked

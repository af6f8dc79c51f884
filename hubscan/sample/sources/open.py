"""Open one split of a dataset, given as a Hub id, a URL or a path, and pin its revision."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import datasets

from hubscan.errors import DatasetError, HubError
from hubscan.hub import cached
from hubscan.hub.client import ASKING, api, explained, is_unknown, may_ask
from hubscan.hub.ranges import RemoteFile
from hubscan.records import SampleRequest
from hubscan.sample.sources.card import DECLARING, MOST_BYTES, check_declaration, check_folder
from hubscan.sample.sources.dataset_builder import builder_of, first_file, rows_of
from hubscan.sample.sources.formats import is_data_file
from hubscan.sample.sources.local_folder import files_in
from hubscan.sample.sources.named_files import NamedFiles
from hubscan.sample.sources.open_local import open_local
from hubscan.sample.sources.open_url import open_url
from hubscan.sample.sources.read_errors import read_errors
from hubscan.sample.sources.source import Source, chosen_split

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo

HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


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
        return open_url(request, request.dataset)
    name = request.dataset
    path = _expanded_user(name)
    if path.exists():
        return open_local(request, path)
    if _is_path(name):
        raise DatasetError(f"{name}: no such file or folder; check --dataset")
    info = _on_hub(name, request.revision)
    with read_errors(info.id):
        root = f"hf://datasets/{info.id}@{info.sha}/"
        _check_files_that_declare(info, root)
        builder = builder_of(info.id, request.config, revision=info.sha)
        tables = {file.rfilename: root + file.rfilename for file in info.siblings or ()}
        split, rows, files, notes = rows_of(request, info.id, builder, tables)
    config = request.config or builder.config.name
    named = NamedFiles(root, first_file(builder))
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
        check_folder(name, found.folder)
        builder = builder_of(str(found.folder), request.config)
        split = chosen_split(request.split, name, [str(split) for split in builder.config.data_files])
        files = [Path(address).relative_to(found.folder) for address in builder.config.data_files[split]]
        if cached.missing(found, "dataset", [file.as_posix() for file in files]):
            raise HubError(absent) from error
        beside = {str(file.relative_to(found.folder)): str(file) for file in files_in(found.folder)}
        split, rows, parts, notes = rows_of(request, name, builder, beside)
    notes = (
        *notes,
        f"commit {found.commit[:7]} from the Hub's cache, as {because}",
    )
    config = request.config or builder.config.name
    named = NamedFiles(str(found.folder), first_file(builder))
    return Source(found.repo, found.commit, config, split, rows, named.fetch, parts, named.locate, notes)


def _check_files_that_declare(info: DatasetInfo, root: str) -> None:
    """Check the files that declare configs, before `datasets` reads them."""
    for name in DECLARING.keys() & {file.rfilename for file in info.siblings or ()}:
        file = RemoteFile(root + name)
        check_declaration(info.id, name, file.read(0, min(file.size, MOST_BYTES + 1)))


def _has_data(folder: Path) -> bool:
    """Return whether *folder* has more than the card, which is all that a scan downloads as a file."""
    return any(file.is_file() and file.name != "README.md" for file in folder.rglob("*"))


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
    return "/" not in name and is_data_file(name)


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
        if not (is_data_file(name) and is_unknown(error)):
            raise
        raise DatasetError(
            f"{name}: no such file, and no dataset of this id on the Hub; check --dataset"
        ) from error

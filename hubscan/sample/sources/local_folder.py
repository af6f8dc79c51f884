"""Find the files of a local folder, where every name is a name: `datasets` would read it as a pattern."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from datasets import DatasetBuilder, data_files, packaged_modules
from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder
from fsspec.utils import glob_translate

from hubscan.errors import DatasetError

LISTED_FOLDERS: Final = 4
CHAIN: Final = "::"  # in the middle of a path, `datasets` takes it for a chain of file systems
CHAIN_MARK: Final = "\ue000\ue001"  # private characters that stand for it in the meantime


def files_in(root: Path) -> list[Path]:
    """Return all files in *root* and its folders, sorted, including those behind symbolic links."""
    return [root / name for name in _names_in(str(root))]


def given_files(files: Sequence[Path], split: str) -> data_files.DataFilesDict:
    """Return *files* in the form in which `datasets` takes files that are already found."""
    names = [str(file.resolve()) for file in files]
    return data_files.DataFilesDict({split: data_files.DataFilesList(names, [()] * len(names))})


def teach_extensions(readers: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Let `datasets` recognise all extensions in *readers*, also those that it does not know."""
    for extension, (module, options) in readers.items():
        if extension not in packaged_modules._EXTENSION_TO_MODULE:
            packaged_modules._EXTENSION_TO_MODULE[extension] = (module, dict(options))
            packaged_modules._MODULE_TO_EXTENSIONS[module].append(extension)
            packaged_modules._ALL_ALLOWED_EXTENSIONS.append(extension)


def folder_builder(root: Path, build: Callable[[str], DatasetBuilder]) -> DatasetBuilder:
    """Return what *build* makes of the absolute path of *root*, with the paths of its files as they are.

    `datasets` would join the path of the folder and the patterns for its files into one pattern, so a
    folder called `data [v2]` would stand for `data v` and `data 2`.

    Raises:
        DatasetError: if `datasets` must read a file itself, but cannot because of its name.
    """
    with _literal_paths():
        builder = build(f"{root.resolve()}/.")  # it would take the last part of `x.py` for a script
    for files in builder.config.data_files.values():
        files[:] = [file.replace(CHAIN_MARK, CHAIN) for file in files]
        chained = next((file for file in files if CHAIN in file), None)
        if chained is not None and isinstance(builder, FolderBasedBuilder):
            raise DatasetError(f"{chained}: images and audio files cannot be read if '::' is in their path; "
                               "rename the file or its folder")  # fmt: skip
    return builder


@contextmanager
def _literal_paths() -> Iterator[None]:
    """While the block runs, let `datasets` take patterns for files apart from the path of their folder."""
    resolve: Callable[..., list[str]] = data_files.resolve_pattern
    describe = data_files._get_origin_metadata
    names_in = lru_cache(LISTED_FOLDERS)(_names_in)

    def resolved(pattern: str, base_path: str, *options: Any, **more: Any) -> list[str]:
        relative = os.path.normpath(pattern)
        elsewhere = "://" in pattern or relative.startswith((os.sep, os.pardir))
        if elsewhere or "://" in base_path or not Path(base_path).is_dir():
            return resolve(pattern, base_path, *options, **more)
        found = _matching(relative, base_path, names_in(base_path), *options[:1], **more)
        return [file.replace(CHAIN, CHAIN_MARK) for file in found]

    def described(files: list[str], *options: Any, **more: Any) -> Any:
        local = all(Path(file).is_absolute() for file in files)
        return [()] * len(files) if local else describe(files, *options, **more)

    data_files.resolve_pattern, data_files._get_origin_metadata = resolved, described
    try:
        yield
    finally:
        data_files.resolve_pattern, data_files._get_origin_metadata = resolve, describe


def _matching(
    pattern: str, root: str, names: Sequence[str], allowed_extensions: list[str] | None = None, **_: Any
) -> list[str]:
    """Return the paths of the files in *root* that `datasets` would choose for *pattern*.

    Raises:
        FileNotFoundError: if there are none.
    """
    ignored = set(data_files.FILES_TO_IGNORE) - {PurePosixPath(pattern).name}
    # The name of a file that is there is no pattern.
    fits = re.compile(re.escape(pattern) if pattern in names else glob_translate(pattern))
    found = [
        f"{root.rstrip('/')}/{name}"
        for name in names
        if fits.fullmatch(name)
        and PurePosixPath(name).name not in ignored
        and not data_files._is_inside_unrequested_special_dir(name, pattern)
        and not data_files._is_unrequested_hidden_file_or_is_inside_unrequested_hidden_dir(name, pattern)
        and (allowed_extensions is None or _has_extension(name, allowed_extensions))
    ]
    if not found:
        raise FileNotFoundError(f"no file in {root} fits {pattern!r}")
    return found


def _has_extension(name: str, allowed: Sequence[str]) -> bool:
    return any(f".{part}" in allowed for part in PurePosixPath(name).name.split(".")[1:])


def _names_in(root: str) -> list[str]:
    """Return the files below *root*, relative to it, sorted."""
    found: list[str] = []
    for folder, folders, names in os.walk(root, followlinks=True):
        place = Path(folder)
        folders[:] = [name for name in folders if not _leads_back(place / name)]
        inside = "" if place == Path(root) else f"{place.relative_to(root).as_posix()}/"
        found += [f"{inside}{name}" for name in names if (place / name).is_file()]
    return sorted(found)


def _leads_back(folder: Path) -> bool:
    """Return whether *folder* is a symbolic link to a folder that contains it."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())

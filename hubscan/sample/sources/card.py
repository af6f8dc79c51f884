"""Check what the card of a dataset declares, before `datasets` resolves its patterns and options.

The front matter of README.md, and `.huggingface.yaml`, come from whoever uploaded the dataset.
"""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hubscan.errors import DatasetError
from hubscan.untrusted import Malformed, Refused, bytes_inside, front_matter, yaml_of

DECLARING: Final[Mapping[str, Callable[..., Any]]] = {"README.md": front_matter, ".huggingface.yaml": yaml_of}
MOST_BYTES: Final = 2**24
MOST_VALUES: Final = 2**18  # the client needs 15 s for as many; 21,000 classes take 42,000
MOST_CONFIGS: Final = 20_000
MOST_PATTERNS: Final = 100_000
MOST_PATTERN: Final = 1_000  # characters
MOST_STARS: Final = 8  # each multiplies the time to compare a name with the pattern
MOST_OPTION: Final = 100  # characters
MOST_ROWS_SKIPPED: Final = 10**6
ABOUT: Final = ("config_name", "default", "description", "version")
ENGINES: Final = ("c",)
CHARACTERS: Final = ("sep", "delimiter", "quotechar", "escapechar", "comment", "thousands", "decimal")
LISTS: Final = ("names", "column_names", "usecols", "index_col", "na_values", "columns", "true_values")
MORE_LISTS: Final = ("false_values", "header", "skiprows")
WORDS: Final = ("encoding", "encoding_errors", "compression", "field", "sample_by", "on_bad_lines")
NUMBERS: Final = ("nrows", "skipfooter", "quoting", "chunksize", "newlines_in_values", "block_size")
SWITCHES: Final = (
    *("drop_labels", "drop_metadata", "keep_linebreaks", "skip_blank_lines", "skipinitialspace"),
    *("keep_default_na", "na_filter", "doublequote", "use_threads", "low_memory", "lines", "verbose"),
    *("error_bad_lines", "warn_bad_lines", "mangle_dupe_cols", "memory_map", "dayfirst"),
)


def check_declaration(dataset: str, name: str, content: bytes | str) -> None:
    """Check the content of the card, or of the file of YAML, which *name* tells.

    Raises:
        DatasetError: naming the key, if a file that it names may be elsewhere, or if an option of a reader is
            none that hubscan passes on.
    """
    try:
        stated = DECLARING[name](content, most_bytes=MOST_BYTES, most_values=MOST_VALUES)
    except Malformed as error:
        raise DatasetError(f"dataset {dataset}: {name} {_is(error)}; correct it") from error
    _check(dataset, name, stated if isinstance(stated, dict) else {})


def check_folder(dataset: str, folder: Path) -> None:
    """Check the card and the YAML file of the dataset in *folder*, if it has them.

    Raises:
        DatasetError: as `check_declaration`, or if one of them is not a regular file.
    """
    for name in DECLARING:
        file = (folder / name).resolve()  # in the cache of the Hub's client files are links
        try:
            check_declaration(dataset, name, bytes_inside(file.parent, file.name, most_bytes=MOST_BYTES))
        except FileNotFoundError:
            continue
        except Refused as error:
            raise DatasetError(f"dataset {dataset}: {name} {_is(error)}; correct it") from error
        except OSError as error:
            raise DatasetError(
                f"dataset {dataset}: {name} cannot be read ({error.strerror}); check its permissions"
            ) from error


def _is(error: Exception) -> str:
    text = str(error)
    return text if text.startswith(("has ", "its ")) else f"is {text}"


def _check(dataset: str, file: str, stated: Mapping[str, Any]) -> None:
    configs = stated.get("configs")
    listed = configs if isinstance(configs, list) else [] if configs is None else [configs]
    if len(listed) > MOST_CONFIGS:
        raise DatasetError(f"dataset {dataset}: {file} has more than {MOST_CONFIGS:,} configs; split it")
    for config in listed:
        if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
            raise DatasetError(f"dataset {dataset}: configs in {file} must be a list of mappings; correct it")
        for key, value in config.items():
            why = _reason(key, value)
            if why:
                raise DatasetError(
                    f"dataset {dataset}: {file} states {key[:MOST_OPTION]!r}, {why}; correct it"
                )
    info = stated.get("dataset_info")
    for one in info if isinstance(info, list) else [info]:
        if one is not None and not isinstance(one, dict):
            raise DatasetError(
                f"dataset {dataset}: dataset_info in {file} must be a mapping or a list of them; correct it"
            )


def _reason(key: str, value: Any) -> str | None:
    """Return why the entry *key* of a config is not passed on; None if it is."""
    if key in ("data_files", "data_dir"):
        return next((why for path in _paths(value) if (why := _foreign(path))), None)
    if key in ABOUT:
        return None if value is None or isinstance(value, str | bool | int | float) else "which is no text"
    if key == "features":
        return None if isinstance(value, list | dict | None) else "which is no list"
    return _reason_of_option(key, value)


def _paths(value: Any) -> Iterator[Any]:
    """Yield the patterns in any of the forms that `data_files` may have."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if count > MOST_PATTERNS:
            yield None
            return
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += [one["path"]] if "path" in one and "split" in one else list(one.values())
        elif one is not None:
            yield one


def _foreign(path: Any) -> str | None:
    """Return why *path* is no pattern of files in the same dataset; None if it is one."""
    if not isinstance(path, str):
        return "where a file is not a text, or which names too many files"
    if len(path) > MOST_PATTERN or len(re.findall(r"\*+|\[|\{", path)) > MOST_STARS:
        return "with a pattern that is too long or has too many asterisks"
    plain = posixpath.normpath(path.replace("\\", "/"))
    elsewhere = plain.startswith(("/", "../")) or plain == ".." or re.match(r"[A-Za-z]:", plain)
    if elsewhere or "://" in path or "::" in path or "\0" in path or path.startswith("~"):
        return f"with {path[:MOST_OPTION]!r}, which is not in the dataset's own folder"
    return None


def _reason_of_option(key: str, value: Any) -> str | None:
    """Return why an option of a reader is not passed on; None if it is on the list and plausible."""
    if value is None:
        return None
    text = value if isinstance(value, str) and len(value) <= MOST_OPTION else None
    for names, fits, why in (
        (("engine",), value in ENGINES, "an engine that is not used here"),
        (CHARACTERS, text is not None and len(text) <= 1, "more than one character"),
        (SWITCHES, isinstance(value, bool), "which is neither true nor false"),
        (("encoding",), text is not None and _is_encoding(text), "not an encoding"),
        (WORDS, text is not None, "no short text"),
        ((*NUMBERS, *LISTS, *MORE_LISTS), _is_plain(value), "which is no plausible value"),
    ):
        if key in names:
            return None if fits else why
    return "an option that hubscan does not pass on"


def _is_encoding(name: str) -> bool:
    try:
        return len(name) <= MOST_OPTION and codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError, TypeError):
        return False


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= MOST_PATTERNS and all(map(_is_scalar, value))
    return _is_scalar(value)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int):
        return 0 <= value <= MOST_ROWS_SKIPPED
    return isinstance(value, str) and len(value) <= MOST_PATTERN

"""Check the files that the output of `save_to_disk` names, before `datasets` maps them into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hubscan.errors import DatasetError
from hubscan.untrusted import Malformed, Refused, bytes_inside, json_of, open_inside

STATE, INFO, DICT = "state.json", "dataset_info.json", "dataset_dict.json"
MOST_JSON: Final = 2**26
MOST_TABLE: Final = 2**50  # bytes; it is mapped, not read


def refuse_foreign_tables(dataset: str, folder: Path) -> None:
    """Check that all splits in *folder*, and their tables, are regular files inside it.

    Raises:
        DatasetError: naming the file, if one is elsewhere, or is damaged.
    """
    splits = _object(dataset, folder, DICT).get("splits")
    names = splits if isinstance(splits, list) else []
    for part in [folder, *(folder / _plain(dataset, DICT, name) for name in names)]:
        state = _object(dataset, part, STATE)
        _object(dataset, part, INFO)
        listed = [*_list(state.get("_data_files")), *_list(state.get("_indices_data_files"))]
        for table in listed:
            name = _plain(dataset, STATE, table.get("filename") if isinstance(table, dict) else None)
            try:
                open_inside(folder, part.relative_to(folder) / name, most_bytes=MOST_TABLE).close()
            except OSError as error:
                reason = str(error) if isinstance(error, Refused) else str(error.strerror)
                raise DatasetError(
                    f"{dataset}: {STATE} names {name!r}, which cannot be read ({reason}); save it again"
                ) from error


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain(dataset: str, file: str, name: Any) -> str:
    if not isinstance(name, str) or not name or any(mark in name for mark in "/\\\0") or name in (".", ".."):
        raise DatasetError(
            f"{dataset}: {file} names {str(name)[:100]!r}, which is not beside it; save it again"
        )
    return name


def _object(dataset: str, folder: Path, name: str) -> dict[str, Any]:
    try:
        found = json_of(bytes_inside(folder, name, most_bytes=MOST_JSON), most_bytes=MOST_JSON)
    except FileNotFoundError:
        return {}
    except (Malformed, Refused) as error:
        raise DatasetError(f"{dataset}: {name} is {error}; save the dataset again") from error
    except OSError as error:
        raise DatasetError(f"{dataset}: {name} cannot be read ({error.strerror}); check it") from error
    if not isinstance(found, dict):
        raise DatasetError(f"{dataset}: {name} is not a JSON object; save the dataset again")
    return found

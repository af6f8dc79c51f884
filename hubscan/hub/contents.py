"""Refuse a checkpoint whose files name others elsewhere, or of another kind, before a library reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hubscan.errors import CheckpointError
from hubscan.hub.deciding import NAMED_WEIGHTS, bases
from hubscan.untrusted import Malformed, Refused, bytes_inside, json_of

MOST_BYTES: Final = 2**26  # of an index; that of the largest public checkpoints has 10 MB
MOST_NAME: Final = 255  # characters
INDEX: Final = ".safetensors.index.json"
VERSIONS: Final = {
    "config.json": "configuration_files",
    "tokenizer_config.json": "fast_tokenizer_files",
}
"""Keys that list the files for certain versions of transformers."""


def refuse_foreign_names(folder: Path) -> None:
    """Check the files that the checkpoint in *folder*, and its modules, name.

    An index may only name safetensors files beside it, and so may the key `transformers_weights` of a config.
    Lists of versions may only name files beside them.

    Raises:
        CheckpointError: naming the file and what it names.
    """
    for base in bases(folder):
        for index in sorted({file.name for file in base.glob(f"*{INDEX}")} | _named_index(folder, base)):
            for name in _shards(folder, base / index):
                if not is_weights(name):
                    raise _refused(index, "weight_map", name)
        for file, key in VERSIONS.items():
            listed = _object(folder, base / file).get(key)
            for name in listed if isinstance(listed, list) else []:
                if not _ends(name, ".json"):
                    raise _refused(file, key, name)


def _named_index(folder: Path, base: Path) -> set[str]:
    """Return the index that the config names, after checking that it names weights or an index."""
    named = _object(folder, base / "config.json").get(NAMED_WEIGHTS)
    if named is None or is_weights(named):
        return set()
    if not _ends(named, INDEX):
        raise _refused("config.json", NAMED_WEIGHTS, named)
    return {named}


def is_weights(name: object) -> bool:
    """Return whether *name* is that of a safetensors file, without a folder."""
    return _ends(name, ".safetensors")


def _ends(name: object, ending: str) -> bool:
    if not isinstance(name, str) or len(name) > MOST_NAME or any(mark in name for mark in "/\\\0"):
        return False
    return name.endswith(ending) and name != ending


def _shards(folder: Path, index: Path) -> Iterator[Any]:
    shards = _object(folder, index).get("weight_map")
    if not isinstance(shards, dict):
        if index.exists():
            raise CheckpointError(f"{index.name} has no weight_map; save the model again")
        return
    seen = set()
    for name in shards.values():
        if not isinstance(name, str) or name not in seen:
            yield name
            seen.add(name)


def _object(folder: Path, file: Path) -> dict[str, Any]:
    """Return the JSON object in *file*, empty if it is not there.

    In the cache of the Hub's client the files are links, to the folder of the repository. Those of a folder
    on this disk are the user's own.
    """
    try:
        root = folder.parents[1] if folder.parent.name == "snapshots" else file.resolve().parent
        found = json_of(bytes_inside(root, file.resolve(), most_bytes=MOST_BYTES), most_bytes=MOST_BYTES)
    except FileNotFoundError:
        return {}
    except (Malformed, Refused) as error:
        raise CheckpointError(f"{file.name} is {error}; correct or download it again") from error
    except OSError as error:
        raise CheckpointError(
            f"{file.name} cannot be read ({error.strerror}); check its permissions"
        ) from error
    return found if isinstance(found, dict) else {}


def _refused(file: str, key: str, name: object) -> CheckpointError:
    shown = repr(name)[:100] if isinstance(name, str) else f"a {type(name).__name__}"
    kind = "a JSON file" if key in VERSIONS.values() else "a safetensors file"
    return CheckpointError(f"{file} names {shown} in {key}, which is not {kind} beside it; correct {file}")

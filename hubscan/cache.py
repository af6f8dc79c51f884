"""Features by content address: what one scan computed, the next one reads.

The address is a hash over all that decides a feature: the checkpoint's commit, the sample's
fingerprint, how it was to be read, where and by which versions. Nothing in it can go stale; what
has not been read for longest gives way when the cache is full.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hubscan.records import Features, Pooling

BUDGET_BYTES: Final = 10 * 10**9
SUFFIX: Final = ".safetensors"


def folder() -> Path:
    """Return where features lie: `HUBSCAN_CACHE`, or hubscan's place in the user's cache."""
    from platformdirs import user_cache_path

    asked = os.environ.get("HUBSCAN_CACHE")
    return (Path(asked).expanduser() if asked else user_cache_path("hubscan")) / "features"


def address(facts: Mapping[str, Any]) -> str:
    """Return the name of the features that *facts* decide."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def is_address(name: str) -> bool:
    """Return whether *name* is one that `address` gives: 64 lowercase hexadecimal digits."""
    return re.fullmatch("[0-9a-f]{64}", name) is not None


def load(name: str) -> Features | None:
    """Return the features called *name*, if they are here and whole.

    Raises:
        ValueError: if *name* is no address.
    """
    file = _file(name)
    try:
        with safe_open(file, framework="numpy") as opened:
            facts = json.loads((opened.metadata() or {})["features"])
            layers = {name: opened.get_tensor(name) for name in facts.pop("layers")}
        pooling = TypeAdapter(Pooling).validate_python(facts.pop("pooling"))
        file.touch()  # the least recently read gives way first
        return Features(layers=layers, pooling=pooling, **facts)
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, ValidationError):
        _remove(file)  # cut off or of another version: computed anew, and written again
        return None


def store(name: str, features: Features, budget_bytes: int = BUDGET_BYTES) -> None:
    """Keep *features*; a disk that is full or cannot be written costs the next scan time, not this one.

    Raises:
        ValueError: if *name* is no address.
    """
    # The names keep their order beside the tensors, which the format sorts its own way.
    facts = asdict(replace(features, layers={})) | {"layers": list(features.layers)}
    tensors = {name: np.ascontiguousarray(matrix) for name, matrix in features.layers.items()}
    content = save(tensors, {"features": json.dumps(facts)})
    file = _file(name)
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(file)
        prune(budget_bytes)
    except OSError:
        _remove(partial)


def entries() -> Iterator[Path]:
    """Yield the files of the cache, the least recently read first."""
    yield from sorted(folder().glob(f"*/*{SUFFIX}"), key=lambda file: file.stat().st_mtime)


def prune(budget_bytes: int) -> int:
    """Remove what was read least recently until *budget_bytes* hold the rest; return the bytes freed."""
    files = [(file, file.stat().st_size) for file in entries()]
    excess = sum(size for _, size in files) - budget_bytes
    freed = 0
    for file, size in files:
        if freed >= excess:
            break
        file.unlink(missing_ok=True)
        freed += size
    return freed


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


def _file(name: str) -> Path:
    if not is_address(name):  # a path, say, would make files outside the cache ours to remove
        raise ValueError(f"{name}: not an address of features")
    return folder() / name[:2] / (name + SUFFIX)

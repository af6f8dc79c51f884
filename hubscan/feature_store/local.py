"""Store features in a local folder; when it is full, remove those that were read least recently."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hubscan.environment import cache_folder
from hubscan.feature_store.protocols import DamagedFeatures
from hubscan.feature_store.stored import StoredFeatures
from hubscan.processes import has_ended, owner
from hubscan.records import Features, Pooling
from hubscan.records.features import is_address

log = logging.getLogger(__name__)

BUDGET_BYTES: Final = 10 * 10**9
SUFFIX: Final = ".safetensors"
KEYS, CONTENTS, LAYER = "keys", "contents", "layer."  # names of tensors


def default_folder() -> Path:
    """Return the default folder for features: in `HUBSCAN_CACHE`, or in hubscan's part of the user cache."""
    return cache_folder() / "features"


class LocalStore:
    """One safetensors file for each address."""

    def __init__(self, folder: str | Path, budget_bytes: int = BUDGET_BYTES) -> None:
        self.folder = Path(folder)
        self._budget = budget_bytes

    @property
    def place(self) -> str:
        """Return the path of the folder."""
        return str(self.folder.absolute())

    def load(self, address: str) -> StoredFeatures | None:
        """See `FeatureStore`; a damaged file is removed."""
        file = self._file(address)
        try:
            stored = _read(file, address)
        except OSError:  # not there, or not readable
            return None
        except (SafetensorError, KeyError, ValueError, TypeError, ValidationError) as error:
            _remove(file)
            raise DamagedFeatures(f"{file}: was damaged, and is removed") from error
        with suppress(OSError):  # another user's file cannot be touched, but is valid
            file.touch()  # `prune` removes the least recently read first
        return stored

    def save(self, address: str, stored: StoredFeatures) -> None:
        """See `FeatureStore`."""
        file = self._file(address)
        partial = file.with_name(f"{file.name}.{owner()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(_written(address, stored))
            partial.replace(file)
            self.prune(self._budget)
        except OSError as error:
            _remove(partial)
            log.warning(
                "hubscan's cache in %s cannot be written (%s), so features are not kept for later scans",
                self.folder,
                error.strerror or error,
            )

    def entries(self) -> Iterator[Path]:
        """Yield the files, the least recently read first."""
        yield from sorted(self.folder.glob(f"*/*{SUFFIX}"), key=lambda file: file.stat().st_mtime)

    def prune(self, budget_bytes: int) -> int:
        """Remove the least recently read files until the rest fits *budget_bytes*; return the bytes freed.

        What killed processes left incomplete is removed too.
        """
        for partial in self.folder.glob(f"*/*{SUFFIX}.*"):
            if has_ended(partial.name.partition(f"{SUFFIX}.")[2]):
                _remove(partial)
        files = [(file, file.stat().st_size) for file in self.entries()]
        excess = sum(size for _, size in files) - budget_bytes
        freed = 0
        for file, size in files:
            if freed >= excess:
                break
            file.unlink(missing_ok=True)
            freed += size
        return freed

    def _file(self, address: str) -> Path:
        if not is_address(address):  # a path could name a file outside this folder, which would be removed
            raise ValueError(f"{address}: not an address of features")
        return self.folder / address[:2] / (address + SUFFIX)


def _read(file: Path, address: str) -> StoredFeatures:
    with safe_open(file, framework="numpy") as opened:
        metadata = opened.metadata() or {}
        facts = json.loads(metadata["features"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    digest = _digest(address, metadata["features"], tensors)
    if (metadata["address"], metadata["digest"]) != (address, digest):
        raise ValueError("damaged, or stored under another address")
    rows = len(tensors[KEYS])
    if any(len(tensor) != rows for tensor in tensors.values()):
        raise ValueError("its tensors have different numbers of rows")
    layers = {name: tensors[LAYER + name] for name in facts.pop("layers")}
    pooling = TypeAdapter(Pooling).validate_python(facts.pop("pooling"))
    return StoredFeatures(Features(layers=layers, pooling=pooling, **facts), tensors[KEYS], tensors[CONTENTS])


def _written(address: str, stored: StoredFeatures) -> bytes:
    # Safetensors sorts tensors in its own way; the list of names keeps the order of the layers.
    facts = asdict(replace(stored.features, layers={})) | {"layers": list(stored.features.layers)}
    layers = {LAYER + name: matrix for name, matrix in stored.features.layers.items()}
    tensors = {
        name: np.ascontiguousarray(tensor)
        for name, tensor in {**layers, KEYS: stored.keys, CONTENTS: stored.contents}.items()
    }
    described = json.dumps(facts)
    digest = _digest(address, described, tensors)
    return save(tensors, {"features": described, "address": address, "digest": digest})


def _digest(address: str, described: str, tensors: Mapping[str, Any]) -> str:
    """Return a hash over the features, their description, and the address: everything that decides them."""
    digest = hashlib.sha256(f"{address} {described}".encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()

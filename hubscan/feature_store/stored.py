"""Features together with the rows that they belong to, so that samples can share their common rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hubscan.records import Features, Input
from hubscan.records.sample import content

if TYPE_CHECKING:
    from hubscan.records import Rows

Digests = npt.NDArray[np.uint64]
NOT_HERE = -1


@dataclass(frozen=True)
class StoredFeatures:
    """Features of N rows."""

    features: Features
    keys: Rows  # (N, 2) unique row keys, as in `Sample.keys`
    contents: Digests  # (N,) digest of the input of each row

    def places(self, keys: Rows, contents: Digests | None = None) -> Rows:
        """Return the position of each of the rows *keys* (n, 2) among these, (n,); −1 if it is missing.

        With *contents* (n,), a row whose input has another digest counts as missing.
        """
        known = {key: place for place, key in enumerate(map(tuple, self.keys.tolist()))}
        found = np.array([known.get(key, NOT_HERE) for key in map(tuple, keys.tolist())], np.int64)
        if contents is not None and len(self.keys):
            found[self.contents[found] != contents] = NOT_HERE
        return found

    def at(self, places: Rows) -> Features:
        """Return the features of the rows at *places* (n,), in this order."""
        return replace(
            self.features, layers={name: matrix[places] for name, matrix in self.features.layers.items()}
        )

    def extends(self, other: StoredFeatures) -> bool:
        """Return whether both were computed in the same way, so their rows can share a matrix."""
        return _made(self.features) == _made(other.features)

    def with_rows_of(self, other: StoredFeatures) -> StoredFeatures:
        """Return these rows and those of *other*, which replace rows with the same key."""
        ours = np.flatnonzero(other.places(self.keys) == NOT_HERE)
        kept = self.at(ours)
        layers = {
            name: np.concatenate([kept.layers[name], matrix])
            for name, matrix in other.features.layers.items()
        }
        return StoredFeatures(
            features=replace(other.features, layers=layers),
            keys=np.concatenate([self.keys[ours], other.keys]),
            contents=np.concatenate([self.contents[ours], other.contents]),
        )


def content_digests(inputs: Iterable[Input]) -> Digests:
    """Return a 64-bit digest of each of *inputs*, (n,)."""
    digests = (hashlib.blake2b(content(value), digest_size=8).digest() for value in inputs)
    return np.frombuffer(b"".join(digests), np.uint64)


def _made(features: Features) -> tuple[object, ...]:
    widths = {name: matrix.shape[1] for name, matrix in features.layers.items()}
    return (
        features.pooling,
        features.parameters,
        features.device,
        features.dtype,
        features.processor,
        widths,
    )

"""The interface of feature stores, and the address of features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from hubscan.feature_store.stored import StoredFeatures


class DamagedFeatures(Exception):
    """Stored features are not those that belong to their address; they have been removed."""


class FeatureStore(Protocol):
    """Stores features by their address."""

    @property
    def place(self) -> str:
        """Return the argument with which `open_store` opens this store."""
        ...

    def load(self, address: str) -> StoredFeatures | None:
        """Return the features at *address*, None if there are none.

        Raises:
            DamagedFeatures: if they, or their description, are not those that were saved at *address*.
            ValueError: if *address* is not an address.
        """
        ...

    def save(self, address: str, stored: StoredFeatures) -> None:
        """Save *stored* at *address*, replacing what is there.

        If the store is full or cannot be written, the next scan takes longer; this one continues.

        Raises:
            ValueError: if *address* is not an address.
        """
        ...


def address(facts: Mapping[str, Any]) -> str:
    """Return the address of the features that *facts* decide: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

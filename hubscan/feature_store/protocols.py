"""What a feature store is, and how features are addressed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from hubscan.feature_store.stored import StoredFeatures


class FeatureStore(Protocol):
    """Keeps features by their address."""

    @property
    def place(self) -> str:
        """Return what `open_store` opens this store by."""
        ...

    def load(self, address: str) -> StoredFeatures | None:
        """Return the features at *address*, if they are here, whole, and kept under this address.

        Raises:
            ValueError: if *address* is not an address.
        """
        ...

    def save(self, address: str, stored: StoredFeatures) -> None:
        """Keep *stored* in place of what is at *address*.

        A store that is full or cannot be written costs the next scan time, and never ends this one.

        Raises:
            ValueError: if *address* is not an address.
        """
        ...


def address(facts: Mapping[str, Any]) -> str:
    """Return the address of the features that *facts* decide: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

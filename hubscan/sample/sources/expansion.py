"""Stop reading a packed file that unpacks to far more than any data does."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from hubscan.errors import DatasetError
from hubscan.sample.budgets import FREE_EXPANSION_BYTES, MOST_EXPANSION


class Expanded(io.RawIOBase):
    """A packed file, unpacked, which raises a `DatasetError` once that is too much."""

    def __init__(self, packed: io.BufferedIOBase, unpack: Callable[..., Any], name: str) -> None:
        """Read nothing yet.

        Args:
            packed: the file.
            unpack: opens it.
            name: of the file, for the message.
        """
        self._packed = _Counted(packed)
        self._opened = unpack(self._packed)
        self._name = name
        self._passed = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill *buffer* with the next bytes, and return their number."""
        found: bytes = self._opened.read(len(buffer))
        buffer[: len(found)] = found
        self._passed += len(found)
        refuse_bomb(self._name, self._packed.passed, self._passed)
        return len(found)


class _Counted(io.RawIOBase):
    """A file that counts what is read of it."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self.passed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer)
        self.passed += count
        return count


def refuse_bomb(name: str, packed: int, unpacked: int) -> None:
    """Raise a `DatasetError` if *packed* bytes of the file *name* unpack to too many bytes."""
    if unpacked > FREE_EXPANSION_BYTES and unpacked > MOST_EXPANSION * packed:
        raise DatasetError(
            f"{name}: unpacks to over {MOST_EXPANSION} times its size, as only empty or repeated rows do; "
            "check what is in it"
        )

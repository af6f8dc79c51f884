"""What a split has to tell: one whose rows can be read from anywhere, and one that goes by once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from datasets import Features

Rows = npt.NDArray[np.int64]


@runtime_checkable
class Table(Protocol):
    """A split in row groups, each of which is read as a whole."""

    features: Features
    starts: Rows  # (G + 1,) first row of each row group, and the number of rows behind the last
    total_bytes: int  # of the split, as it is stored

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        ...

    def labels(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield *columns* of each row group, in their order."""
        ...

    def costs(self, columns: Sequence[str]) -> Rows:
        """Return the bytes (G,) that it takes to read *columns* of each row group."""
        ...

    def take(self, wanted: Mapping[int, Rows], columns: Sequence[str]) -> Iterator[tuple[Rows, pa.Table]]:
        """Yield rows and their numbers in the split, a few at a time.

        Args:
            wanted: row group to places in it, ascending.
            columns: what to read.
        """
        ...


class Stream(Protocol):
    """A split that can only be gone through from its beginning."""

    features: Features

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        ...

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, some at a time."""
        ...

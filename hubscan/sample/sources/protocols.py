"""The two interfaces of a split: a table with random access, and a stream that is read once."""

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
    """A split in row groups, each of which is read whole."""

    features: Features
    starts: Rows  # (G + 1,) first row of each row group, then the number of rows
    total_bytes: int  # of the split, as stored

    @property
    def notes(self) -> Sequence[str]:
        """Return what was decided while reading, each with how to change it, for `SampleInfo.notes`."""
        ...

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        ...

    def labels(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield *columns* of each row group, in order."""
        ...

    def costs(self, columns: Sequence[str]) -> Rows:
        """Return the cost (G,), in bytes, of reading *columns* of each row group."""
        ...

    def take(self, wanted: Mapping[int, Rows], columns: Sequence[str]) -> Iterator[tuple[Rows, pa.Table]]:
        """Yield row numbers in the split and the rows, a few at a time.

        Args:
            wanted: row group to the positions of rows in it, ascending.
            columns: the columns to read.
        """
        ...


class Stream(Protocol):
    """A split that can only be read from the beginning."""

    features: Features

    @property
    def notes(self) -> Sequence[str]:
        """Return what was decided while reading, each with how to change it, for `SampleInfo.notes`."""
        ...

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        ...

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, in batches."""
        ...


@runtime_checkable
class StreamOfLooseTypes(Stream, Protocol):
    """A stream of a format in which any cell may have another type than the rest of its column."""

    texts: Sequence[str]  # columns whose cells that are no texts are passed on, to be dropped and counted

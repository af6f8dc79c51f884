"""Find rows that belong together: those with the same value in the group column, and exact copies."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Numbers = npt.NDArray[np.int64]


def group_value(table: pa.Table, column: str | None, place: int) -> Hashable:
    """Return a value that identifies the group of row *place* of *table*.

    Texts are hashed, so long ones take no memory and invalid UTF-8 is accepted. None if the cell is
    null, NaN or blank, or if there is no group column.
    """
    if column is None or not (cell := table[column][place]).is_valid:
        return None
    if isinstance(cell, pa.StringScalar | pa.LargeStringScalar | pa.StringViewScalar):
        text = cell.as_buffer().to_pybytes()
        return hashlib.sha256(text).digest() if text.strip() else None
    # `as_py` refuses times in nanoseconds that Python's own types cannot represent.
    value: Hashable = cell.value if pa.types.is_temporal(cell.type) else cell.as_py()
    return value if value == value else None


def numbered(values: Iterable[Hashable]) -> Numbers:
    """Return the number (n,) of each value, in the order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def linked(*keys: Numbers) -> Numbers | None:
    """Return the number (n,) of the group of each row, in the order of first appearance.

    Groups are the connected components of the graph that joins rows with the same number in any of *keys*,
    each (n,): a row that shares one key with a second row and another key with a third links all three.
    None if no rows are linked.
    """
    n = len(keys[0])
    # Each row is joined to the first one with the same number.
    first = [np.unique(key, return_index=True, return_inverse=True)[1:] for key in keys]
    ends = (np.tile(np.arange(n), len(keys)), np.concatenate([row[of_row] for row, of_row in first]))
    graph = coo_array((np.ones(n * len(keys), bool), ends), shape=(n, n))
    count, component = connected_components(graph, directed=False)
    return None if count == n else numbered(component.tolist())

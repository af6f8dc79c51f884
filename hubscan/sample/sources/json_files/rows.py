"""Read JSON files as a `Stream`, and say where a column changes its type."""

from __future__ import annotations

import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from datasets import Audio, Features, Image
from datasets.table import cast_array_to_feature

from hubscan.errors import DatasetError
from hubscan.sample.budgets import BATCH_BYTES, MOST_COLUMNS
from hubscan.sample.column_types import features_of
from hubscan.sample.sources.json_files.columns import (
    SCALARS,
    column,
    is_nan,
    kind_of_value,
    main_kind,
    same_kind,
    stray,
    texts_and_others,
    type_of,
)
from hubscan.sample.sources.json_files.document import Repeated, described
from hubscan.sample.sources.json_files.parse import parsed
from hubscan.sample.sources.read_errors import damage, one_line

HEAD_ROWS: Final = 100
BATCH_ROWS: Final = 1000
FIRST_CHARACTERS: Final = 10 << 20  # of the rows that decide the type of each column
Opener = Callable[[], io.BufferedReader]
Place = tuple[str, str, int]  # the file, "line" or "row", and the number
Row = tuple[Place, dict[str, Any], int]  # with about how many bytes of memory it takes


class JsonRows:
    """The rows of JSON files, each column of one type: that of most values in its first rows."""

    def __init__(
        self, files: Sequence[tuple[str, Opener]], features: Features | None = None, field: str | None = None
    ) -> None:
        """Read the first rows, and keep the stream open so they are not downloaded twice.

        Args:
            files: the name of each file, and a function that opens it from its first byte.
            features: the features that the dataset declares, if any.
            field: the key that holds the rows, if the dataset declares it.

        Raises:
            DatasetError: if there are no rows, or they cannot be read.
        """
        self._files = files
        self._field = field
        self._declared = features or Features()
        self.notes: Sequence[str] = ()
        self.texts: Sequence[str] = ()
        self._begun: Iterator[Row] | None = self._read()
        self._first: list[Row] = list(_first(self._begun))
        if not self._first:
            raise DatasetError(f"{files[0][0]}: the split has no rows; check --dataset")
        found = _by_column(self._first)
        if len(found) > MOST_COLUMNS:
            raise DatasetError(
                f"{files[0][0]}: over {MOST_COLUMNS:,} keys in the first rows; give all rows the same keys"
            )
        self._types = {name: type_of(values) for name, values in found.items()}
        self._kinds = {name: main_kind(values) for name, values in found.items()}
        self._examples = _examples(self._first, self._kinds)
        inferred = features_of(pa.schema(list(self._types.items())))
        self.features = Features({**inferred, **self._declared})

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*; a value that does not fit its column is null."""
        rows = [row for _, row, _ in self._first[:HEAD_ROWS]]
        return pa.table({name: self._fitting([row.get(name) for row in rows], name) for name in columns})

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, in batches.

        Raises:
            DatasetError: if not all rows can be read, or a value of *columns* does not fit its column.
        """
        begun, self._begun = self._begun, None
        first, self._first = self._first, self._first[:HEAD_ROWS]
        rows = itertools.chain(first, begun) if begun is not None else self._read()
        del first
        for batch in _batches(rows):
            yield pa.table({name: self._column(batch, name) for name in columns})

    def _read(self) -> Iterator[Row]:
        for name, opened in self._files:
            with damage(name):
                found = parsed(opened(), name, self._field)
                self.notes = tuple(dict.fromkeys((*self.notes, *found.notes)))
                for number, row, held in found.numbered:
                    yield (name, found.unit, number), row, held

    def _column(self, batch: Sequence[Row], name: str) -> pa.Array:
        values = [None if is_nan(value := row.get(name)) else value for _, row, _ in batch]
        kind = self._kinds.get(name)
        self._refuse_repeated(batch, name)
        if kind is None:
            return self._as_declared(pa.nulls(len(values)), name, batch[0][0])
        if kind in (*SCALARS, "list") and (at := stray(values, kind)) is not None:
            if kind == "text" and name in self.texts:
                return texts_and_others(values)
            raise DatasetError(
                f"{_where(batch[at][0])}, column {name!r}: {described(values[at])}, but "
                f"{self._other(name, batch[at][0])}; write all values of the column in one form"
            )
        try:
            found = column(values, self._types[name])
        except ValueError as error:
            at = self._failing(values, name)
            raise DatasetError(
                f"{_where(batch[at][0])}, column {name!r}: {described(values[at])} does not fit the "
                f"values before it ({one_line(error)}); write all values of the column in one form"
            ) from error
        return self._as_declared(found, name, batch[0][0])

    def _other(self, name: str, place: Place) -> str:
        """Return where the column has its usual type, with that value."""
        (file, unit, number), value = self._examples[name]
        where = f"{unit} {number}" if file == place[0] else _where((file, unit, number))
        return f"{where} has {described(value)}"

    def _refuse_repeated(self, batch: Sequence[Row], name: str) -> None:
        for place, row, _ in batch:
            if isinstance(row, Repeated) and name in row.keys_repeated:
                raise DatasetError(
                    f"{_where(place)}, column {name!r}: the object has this key twice; rename one of them"
                )

    def _failing(self, values: Sequence[Any], name: str) -> int:
        return next((at for at, value in enumerate(values) if not self._fits(value, name)), 0)

    def _fits(self, value: Any, name: str) -> bool:
        kind = self._kinds[name]
        if value is None or is_nan(value) or kind is None:
            return value is None
        if kind in (*SCALARS, "list") and stray([value], kind) is not None:
            return False
        try:
            column([value], self._types[name])
        except ValueError:
            return False
        return True

    def _fitting(self, values: Sequence[Any], name: str) -> pa.Array:
        if self._kinds.get(name) is None:
            return pa.nulls(len(values))
        fitting = [value if self._fits(value, name) else None for value in values]
        return self._as_declared(column(fitting, self._types[name]), name, self._first[0][0])

    def _as_declared(self, values: pa.Array, name: str, place: Place) -> pa.Array:
        """Return *values* as the feature that the dataset declares, such as classes for their names."""
        feature = self._declared.get(name)
        if feature is None:
            return values
        feature = Image() if isinstance(feature, Audio) else feature  # `datasets` needs torchcodec for audio
        try:
            return cast_array_to_feature(values, feature)
        except (pa.ArrowException, ValueError, TypeError, KeyError) as error:
            raise DatasetError(
                f"{_where(place)} and later, column {name!r}: does not fit the declared type: "
                f"{one_line(error)}; correct dataset_info in README.md"
            ) from error


def _first(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the first rows, which decide the type of each column."""
    characters = bytes_held = 0
    for place, row, held in rows:
        yield place, row, held
        bytes_held += held
        characters += sum(
            len(key) + len(value) if isinstance(value, str) else 32 for key, value in row.items()
        )
        if characters > FIRST_CHARACTERS or bytes_held > BATCH_BYTES:
            return


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Yield up to 1,000 rows at a time, fewer if they take much memory."""
    batch, bytes_held = list[Row](), 0
    for row in rows:
        batch.append(row)
        bytes_held += row[2]
        if len(batch) == BATCH_ROWS or bytes_held > BATCH_BYTES:
            yield batch
            batch, bytes_held = [], 0
    if batch:
        yield batch


def _by_column(rows: Sequence[Row]) -> Mapping[str, Sequence[Any]]:
    """Return the values of each key that *rows* have."""
    found = defaultdict[str, list[Any]](list)
    for _, row, _ in rows:
        for name, value in row.items():
            found[name].append(value)
    return found


def _examples(rows: Sequence[Row], kinds: Mapping[str, str | None]) -> dict[str, tuple[Place, Any]]:
    """Return the first value of each column that has its type."""
    found: dict[str, tuple[Place, Any]] = {}
    for place, row, _ in rows:
        for name, value in row.items():
            kind, other = kinds[name], kind_of_value(value)
            if name not in found and kind and other and same_kind(other, kind):
                found[name] = place, value
    return found


def _where(place: Place) -> str:
    file, unit, number = place
    return f"{file}, {unit} {number}"

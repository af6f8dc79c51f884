"""Encode labels of any type as small integers, and count them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hubscan.errors import DatasetError
from hubscan.sample.class_names import notes_about_spelling
from hubscan.sample.columns import Columns
from hubscan.sample.missing_words import notes_about_classes
from hubscan.sample_size import LEAST_OF_CLASS, MOST

Codes = npt.NDArray[np.int32]

NO_LABEL: Final = -1  # the code of a multi-label row with no labels
IGNORED_TAG: Final = -100  # the tag that loss functions ignore
MOST_LABELS: Final = 50_000  # a bound on memory
MANY_VALUES: Final = 500  # with more different values, integers may be numbers
FEW_VALUES: Final = 20  # with at most this many different values, whole numbers are always classes
ROWS_A_NUMBER: Final = 20  # below this many rows per value, integers are numbers and not classes
ALL_DIFFERENT: Final = 0.9  # more different values than this for each row are ids, not classes
MISSING, UNKNOWN = "missing label", "class number without a name"


class NotClasses(DatasetError):
    """A column has too many different values to hold classes."""

    def __init__(self, where: str, problem: str, otherwise: str) -> None:
        super().__init__(f"{where}: {problem}; pass another --label-column{otherwise}")
        self.where = where  # the dataset and the column
        self.problem = problem  # how many values it has
        self.otherwise = otherwise  # what else could be passed


class AreNumbers(Exception):
    """A column whose values might have been classes holds numbers.

    The message is a note for the user if they could have been meant as classes, else empty.
    """


@dataclass(frozen=True, slots=True)
class Coded:
    """The labels of some rows."""

    places: Codes  # (p,) row within the table; ascending
    codes: Codes  # (p,) code of the label, or NO_LABEL
    words: Codes | None = None  # (p,) position in the row's list, if labels are lists
    numbers: npt.NDArray[np.float64] | None = None  # (rows,) if labels are numbers; NaN if missing
    dropped: Mapping[str, int] = field(default_factory=dict)  # reason to number of rows without a label


class Coder:
    """Gives each label a code, in order of first appearance, and counts rows by label."""

    def __init__(self, columns: Columns, samples: int | None, where: str) -> None:
        """Start without labels.

        Args:
            columns: the columns to read, and their label kind.
            samples: the requested number of rows, at least two for each class.
            where: the dataset and column, for error messages.
        """
        self.columns = columns
        self.values: list[Any] = []
        self.counts = np.zeros(0, np.int64)  # rows with each label, or words with each tag
        self.dropped: Counter[str] = Counter()
        self._numbers: dict[Any, int] = {}
        self._most = (samples or MOST) // LEAST_OF_CLASS if columns.kind == "class" else MOST_LABELS
        self._floats = False  # whether integers are stored as floats, as pandas does beside an empty cell
        self._table_differs = False  # whether nearly all values of the latest table are different
        self._where = where

    def coded(self, table: pa.Table) -> Coded:
        """Return the labels of *table*, which has the label columns, and count them.

        Raises:
            AreNumbers: if an undeclared column has a fraction, or too many different values for classes.
            NotClasses: if another column does, or nearly all its values differ.
        """
        found = self.again(table)
        self.dropped.update(found.dropped)
        codes = found.codes[found.codes >= 0]
        counted = np.bincount(codes, minlength=max(len(self.values), len(self.counts)))
        counted[: len(self.counts)] += self.counts
        self.counts = counted.astype(np.int64)
        if not self._may_be_numbers and len(self.values) > self._most:
            self._refuse(self._most)
        return found

    def again(self, table: pa.Table) -> Coded:
        """Return the labels of rows that were already counted."""
        if self.columns.kind == "number":
            return _of_numbers(table[self.columns.labels[0]])
        if len(self.columns.labels) > 1:
            return self._of_indicators(np.stack([_ones(table[name]) for name in self.columns.labels]).T)
        if self.columns.kind == "class":
            return self._of_classes(table[self.columns.labels[0]])
        return self._of_lists(table[self.columns.labels[0]])

    def conclude(self) -> None:
        """Check the labels once all rows are counted.

        Whether integers are classes depends only on their values; how many classes are allowed depends
        on the number of rows requested.

        Raises:
            AreNumbers: if undeclared integers are numbers: over 500 different values, with fewer than
                20 rows each on average, that are not all the integers from 0 or 1. Floats without a
                fraction are numbers from 20 different values on, or if nearly all of them differ.
            NotClasses: if nearly all values differ, or there are too many classes for two rows each.
        """
        if self._all_different and not self._floats:
            self._refuse_different()
        if self._may_be_numbers and self._like_numbers:
            raise AreNumbers(self._note_about_numbers)
        if len(self.values) > self._most:
            self._refuse(self._most)

    @property
    def notes(self) -> Sequence[str]:
        """Return what was decided about the labels, each with how to change it, for `SampleInfo.notes`."""
        names = self.names() if self.columns.kind != "number" else []
        notes = [*notes_about_classes(names), *notes_about_spelling(names)]
        if self._may_be_numbers and (self._floats or self._like_quantities):
            stored = "whole numbers stored as floats" if self._floats else "whole numbers"
            notes.append(
                f"the labels are {stored} and are read as {len(self.values):,} classes; pass --label-kind "
                "number to predict them as numbers"
            )
        return notes

    @property
    def too_many(self) -> bool:
        """Return whether the sample is too small for two rows of each class, so nothing can be drawn."""
        return len(self.values) > self._most

    @property
    def classes(self) -> int:
        """Return the number of classes to draw for: 1 for numbers; with several labels, one more for none."""
        return 1 if self.columns.kind == "number" else len(self.values) + (self.columns.kind == "multilabel")

    def strata(self) -> list[str]:
        """Return a name for each of these classes; the one for rows without labels comes last."""
        return [*self.names(), ""][: self.classes]

    def names(self) -> list[str]:
        """Return the name of each label, in the order of the codes."""
        if self.columns.names:
            return [self.columns.names[value] for value in self.values]
        return [str(value) for value in self.values]

    def order(self) -> list[int]:
        """Return the codes sorted by label: numerically for numbers, else by name."""
        return sorted(range(len(self.values)), key=self.values.__getitem__)

    def _of_classes(self, column: pa.ChunkedArray) -> Coded:
        if _is_fractional(column.type):
            column = self._without_fractions(column)
        codes = self._coded_values(column)
        places = np.flatnonzero(codes >= 0).astype(np.int32)
        return Coded(places, codes[places], dropped=_missing(codes))

    def _without_fractions(self, column: pa.ChunkedArray) -> pa.Array:
        """Return floats of whole numbers; infinities and NaN are missing.

        Raises:
            AreNumbers: if one has a fraction, and the column was not declared to hold classes.
        """
        floats = _as_floats(column)
        finite = np.isfinite(floats)
        if not self.columns.fixed and (floats[finite] != np.floor(floats[finite])).any():
            raise AreNumbers
        self._floats = True
        return pa.array(floats, mask=~finite)

    def _of_lists(self, column: pa.ChunkedArray) -> Coded:
        lists = column.combine_chunks()
        lengths = pc.list_value_length(lists)
        present = pc.is_valid(lists).to_numpy(zero_copy_only=False)
        lengths = lengths.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        rows = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        flat = pc.list_flatten(lists)
        words = (np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)).astype(np.int32)
        if self.columns.one_hot:
            self._know(range(int(lengths.max(initial=0))))
            codes = np.where(_ones(flat) == 1, words, NO_LABEL - 1).astype(np.int32)
        else:
            codes = self._coded_values(flat)
        return self._gathered(rows, codes, words, present)

    def _of_indicators(self, ones: npt.NDArray[np.float64]) -> Coded:
        self._know(self.columns.labels)
        present = np.asarray(np.isfinite(ones).all(axis=1))
        rows, codes = np.nonzero((ones == 1) & present[:, None])
        labels = codes.astype(np.int32)
        return self._gathered(rows.astype(np.int32), labels, labels, present)

    def _gathered(self, rows: Codes, codes: Codes, words: Codes, present: npt.NDArray[np.bool_]) -> Coded:
        """Return the known labels of each row, with NO_LABEL for a multi-label row without any."""
        known = codes >= 0
        rows, codes, words = rows[known], codes[known], words[known]
        empty = present & (np.bincount(rows, minlength=len(present)) == 0)
        without = ~present | (empty if self.columns.kind == "token" else False)
        dropped = {MISSING: int(without.sum())} if without.any() else {}
        if self.columns.kind == "multilabel" and empty.any():
            rows = np.concatenate([rows, np.flatnonzero(empty).astype(np.int32)])
            codes = np.concatenate([codes, np.full(int(empty.sum()), NO_LABEL, np.int32)])
            words = np.concatenate([words, np.zeros(int(empty.sum()), np.int32)])
            order = np.argsort(rows, kind="stable")
            rows, codes, words = rows[order], codes[order], words[order]
        return Coded(rows, codes, words, dropped=dropped)

    def _coded_values(self, column: pa.ChunkedArray | pa.Array) -> Codes:
        """Return the code of each value, −1 if it is missing and −2 if it is not a declared class."""
        encoded = pc.dictionary_encode(column)
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.unify_dictionaries().combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0)
        self._table_differs = _different(len(encoded.dictionary), len(column) - column.null_count)
        table = np.array([*map(self._code, encoded.dictionary.to_pylist()), -1], np.int32)
        places = encoded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
        return np.asarray(table[places])

    def _code(self, value: Any) -> int:
        if value is None or value != value or (isinstance(value, str) and not value.strip()):
            return -1
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, float) and self.columns.kind == "multilabel":
            raise DatasetError(
                f"{self._where}: a list holds the number {value:g}, not a label; pass another --label-column"
            )
        if isinstance(value, int) and self._withheld(value):
            return -1
        if self.columns.names and not (isinstance(value, int) and value < len(self.columns.names)):
            return -2
        if value not in self._numbers:
            self._know([value])
        return self._numbers[value]

    def _withheld(self, value: int) -> bool:
        """Return whether *value* marks a hidden or ignored label."""
        return value < 0 if self.columns.names else self.columns.kind == "token" and value == IGNORED_TAG

    def _know(self, values: Sequence[Any]) -> None:
        for value in values:
            if value not in self._numbers:
                self._numbers[value] = len(self.values)
                self.values.append(value)
        if len(self.values) > max(MOST_LABELS, self._most):
            if self._table_differs:
                self._refuse_different()
            if self._may_be_numbers and self._sparse:
                raise AreNumbers(self._note_about_numbers)
            self._refuse(MOST_LABELS)

    @property
    def _may_be_numbers(self) -> bool:
        kind = self.columns.kind == "class" and not self.columns.fixed
        return kind and bool(self.values) and isinstance(self.values[0], int)

    @property
    def _like_numbers(self) -> bool:
        """Return whether whole numbers have too many values for classes, and too few rows of each."""
        if self._floats and self._all_different:
            return True
        few = FEW_VALUES if self._floats else MANY_VALUES
        return len(self.values) > few and self._sparse and not self._consecutive

    @property
    def _consecutive(self) -> bool:
        """Return whether the values are all the integers from 0 or 1 on, as numbered classes are."""
        least = min(self.values)
        return least in (0, 1) and max(self.values) - least + 1 == len(self.values)

    @property
    def _like_quantities(self) -> bool:
        """Return whether there are many values with gaps, so they might be quantities such as ages."""
        return len(self.values) > FEW_VALUES and not self._consecutive

    @property
    def _note_about_numbers(self) -> str:
        return (
            f"the labels are {len(self.values):,} different whole numbers and are predicted as numbers; pass "
            "--label-kind class if they are classes"
        )

    @property
    def _sparse(self) -> bool:
        return int(self.counts.sum()) < ROWS_A_NUMBER * len(self.values)

    @property
    def _all_different(self) -> bool:
        return self.columns.kind == "class" and _different(len(self.values), int(self.counts.sum()))

    def _refuse(self, most: int) -> NoReturn:
        more = "" if self._all_different else ", or more --samples if these are classes"
        raise NotClasses(
            self._where,
            f"over {most:,} different values{self._among}, and each class needs "
            f"{LEAST_OF_CLASS} sampled rows",
            f"{more}{self._or_number}",
        )

    def _refuse_different(self) -> NoReturn:
        raise NotClasses(
            self._where,
            f"{len(self.values):,} different values{self._among}, so these are not classes",
            self._or_number,
        )

    @property
    def _among(self) -> str:
        rows = int(self.counts.sum())  # those of the table that is being read are not counted yet
        return f" in {rows:,} labelled rows" if rows >= len(self.values) else ""

    @property
    def _or_number(self) -> str:
        integers = bool(self.values) and isinstance(self.values[0], int) and not self.columns.names
        return ", or --label-kind number if these are numbers to predict" if integers else ""


def _different(values: int, rows: int) -> bool:
    """Return whether nearly every row has a value of its own; two rows are too few to say."""
    return rows > 2 and values > ALL_DIFFERENT * rows


def _is_fractional(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _of_numbers(column: pa.ChunkedArray) -> Coded:
    numbers = _as_floats(column)
    finite = np.isfinite(numbers)
    places = np.flatnonzero(finite).astype(np.int32)
    dropped = {MISSING: int((~finite).sum())} if not finite.all() else {}
    return Coded(places, np.zeros(len(places), np.int32), None, np.where(finite, numbers, np.nan), dropped)


def _missing(codes: Codes) -> dict[str, int]:
    found = {reason: int((codes == code).sum()) for code, reason in ((-1, MISSING), (-2, UNKNOWN))}
    return {reason: count for reason, count in found.items() if count}


def _ones(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.float64]:
    """Return a column of 0 and 1 as floats, with NaN for any other value."""
    values = _as_floats(column)
    return np.where((values == 0) | (values == 1), values, np.nan)


def _as_floats(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.float64]:
    floats = pc.cast(column, pa.float64(), safe=False)
    if isinstance(floats, pa.ChunkedArray):
        floats = floats.combine_chunks()
    filled = pc.fill_null(floats, float("nan"))
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.float64)

"""Read csv and tsv files as a `Stream`, from the first row to the last, with the types of the first rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from datasets import Features

from hubscan.errors import DatasetError
from hubscan.sample.column_types import features_of
from hubscan.sample.sources.delimited import types as csv_types
from hubscan.sample.sources.delimited.file import BATCH_ROWS, Batch, CsvFile, Declared, shortened
from hubscan.sample.sources.delimited.findings import (
    FRACTIONS,
    LETTERS,
    SHORT,
    Findings,
)
from hubscan.sample.sources.delimited.text import named_contents, undecodable
from hubscan.sample.sources.delimited.types import ColumnType, Unfit

if TYPE_CHECKING:
    from hubscan.sample.sources.files import File
    from hubscan.sample.sources.sequential import SequentialFile

HEAD_ROWS: Final = 100
TYPED_ROWS: Final = 10_000  # the first rows, which decide the types, and the most text in them
TYPED_CHARACTERS, TYPED_CELLS = 2**25, 2**21


class DelimitedStream:
    """The rows of csv and tsv files with a header each."""

    def __init__(
        self,
        files: Sequence[File | SequentialFile],
        name: str,
        declared: Declared | None = None,
        features: Features | None = None,
    ) -> None:
        """Read the first rows, and keep the file open so they are not downloaded twice.

        Args:
            files: the files of the split, in order.
            name: the name of the split for error messages.
            declared: what is known about the form of the files.
            features: the declared types of columns.

        Raises:
            DatasetError: if there are no rows, or a file is not delimited text.
        """
        self._files, self._name, self._declared = files, name, declared or Declared()
        self._findings = Findings()
        self._forms: dict[str, None] = {}  # notes about the form of the files
        self._begun: Iterator[Batch] | None = self._batches()
        self._head, ended = _typed_rows(self._begun)
        if not self._head:
            raise DatasetError(f"{name}: the split has no rows; check --dataset and --split")
        self._first = self._head[0]
        self._types = self._typed(features, ended)
        self.features = self._featured(features)

    @property
    def notes(self) -> Sequence[str]:
        """Return what was decided while reading, each with how to change it, for `SampleInfo.notes`."""
        return [*self._forms, *self._findings.notes()]

    @property
    def hints(self) -> Sequence[str]:
        """Return what may be wrong with the header or a column, for an error about the columns."""
        header = self._first.header
        hints = []
        if header.looks_like_a_row([column[:HEAD_ROWS] for column in self._first.columns]):
            hints.append(
                "is a header missing? the first line looks like a row: add one with the names of the columns"
            )
        if len(header.names) == 1:
            hints.append("the header has one field only: pass --separator if another character separates")
        commas = [
            name
            for name, place in header.places.items()
            if self._types[name].values is None and csv_types.has_decimal_commas(self._first.columns[place])
        ]
        if commas:
            hints.append(f"column {commas[0]!r} has numbers with a decimal comma: write them with a point")
        return hints

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        self._check(columns)
        return self._table(self._first, columns, Findings()).slice(0, HEAD_ROWS)

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, in batches.

        Raises:
            DatasetError: if not all rows can be read, or a cell does not fit the type of its column.
        """
        self._check(columns)
        begun, self._begun = self._begun, None
        head, self._head = self._head, []
        for batch in itertools.chain(head, begun) if begun else self._batches():
            yield self._table(batch, columns, self._findings)

    def _batches(self) -> Iterator[Batch]:
        self._findings = Findings()
        for name, content in named_contents(self._files):
            file = CsvFile(name, content, self._declared, self._findings)
            self._forms |= dict.fromkeys(file.notes)
            yield from file.batches()

    def _typed(self, features: Features | None, ended: bool) -> dict[str, ColumnType]:
        found = {}
        for name in self._first.header.places:
            declared = csv_types.declared(features[name]) if features and name in features else None
            cells = [
                cell
                for batch in self._head
                if (at := batch.header.places.get(name)) is not None
                for cell in batch.columns[at]
            ]
            found[name] = declared or csv_types.inferred(cells, ended=ended)
        return found

    def _featured(self, features: Features | None) -> Features:
        """Return the features of the columns, without those that have neither a name nor values."""
        unnamed = self._first.header.unnamed
        kept = {
            name: kind.arrow
            for name, kind in self._types.items()
            if not (name in unnamed and (pa.types.is_null(kind.arrow) or not any(self._cells(name))))
        }
        found = features_of(pa.schema(list(kept.items())))
        return Features({name: (features or {}).get(name, feature) for name, feature in found.items()})

    def _cells(self, name: str) -> Sequence[csv_types.Cell]:
        return self._first.columns[self._first.header.places[name]]

    def _check(self, columns: Sequence[str]) -> None:
        """Refuse columns that the header does not tell apart."""
        header = self._first.header
        for name in columns:
            if name in header.repeated:
                raise DatasetError(
                    f"{self._first.name}, line 1: columns {header.numbers(name)} are both called {name!r}; "
                    "rename or remove one"
                )
            if name in header.unnamed:
                raise DatasetError(
                    f"{self._first.name}, line 1: column {header.numbers(name)} has no name; add one"
                )

    def _table(self, batch: Batch, columns: Sequence[str], findings: Findings) -> pa.Table:
        found = {name: self._column(batch, name) for name in columns}
        _note(batch, {name: (found[name], self._types[name]) for name in columns}, findings)
        return pa.table(found)

    def _column(self, batch: Batch, name: str) -> pa.Array:
        place = batch.header.places.get(name)
        if place is None or name in batch.header.repeated:
            raise DatasetError(
                f"{batch.name}: column {name!r} is missing or there twice, unlike in {self._first.name}; "
                "give all files the same columns"
            )
        cells, kind = batch.columns[place], self._types[name]
        try:
            return kind.array(cells)
        except (Unfit, UnicodeEncodeError, pa.ArrowException, OverflowError):
            self._refuse_cell(batch, name, cells, kind)

    def _refuse_cell(
        self, batch: Batch, name: str, cells: Sequence[csv_types.Cell], kind: ColumnType
    ) -> None:
        """Raise a `DatasetError` for the first of *cells* that does not fit."""
        for line, cell in zip(batch.lines, cells, strict=True):
            where = f"{batch.name}, line {line}, column {name!r}"
            try:
                kind.array([cell])
            except Unfit as error:
                if kind.declared:
                    raise DatasetError(
                        f"{where}: {shortened(str(cell))} is not {error}; replace it, or leave it empty if "
                        "the value is missing"
                    ) from error
                raise DatasetError(
                    f"{where}: {shortened(str(cell))} is not {error}, unlike the first cells of this column; "
                    "replace it, leave it empty if the value is missing, or move this row to the top if the "
                    "column holds texts"
                ) from error
            except UnicodeEncodeError as error:
                raise DatasetError(
                    f"{where}: the byte {undecodable(str(cell))} is not UTF-8; save the file as UTF-8, for "
                    "example with `iconv -f CP1252 -t UTF-8`"
                ) from error
            except (pa.ArrowException, OverflowError) as error:
                raise DatasetError(
                    f"{where}: {shortened(str(cell))} is not of the declared type {kind.arrow}; replace it"
                ) from error
        raise AssertionError("a cell that does not fit is among the cells")


def _typed_rows(batches: Iterator[Batch]) -> tuple[list[Batch], bool]:
    """Return the first rows, and whether these are all."""
    head: list[Batch] = []
    rows = characters = cells = 0
    for batch in batches:
        head.append(batch)
        rows += len(batch.lines)
        cells += len(batch.lines) * len(batch.columns)
        characters += sum(len(cell) for column in batch.columns for cell in column if cell)
        file_ended = rows >= BATCH_ROWS and len(batch.lines) < BATCH_ROWS
        enough = rows >= TYPED_ROWS or characters >= TYPED_CHARACTERS or cells >= TYPED_CELLS
        if enough or file_ended:
            return head, False
    return head, True


def _note(batch: Batch, columns: Mapping[str, tuple[pa.Array, ColumnType]], findings: Findings) -> None:
    """Count what is unusual in the columns that are read."""
    short: set[int] = set()
    for name, (found, kind) in columns.items():
        cells = batch.columns[batch.header.places[name]]
        if None in cells:
            short |= {row for row, cell in enumerate(cells) if cell is None}
        if kind.values is None:
            letters = [] if batch.quotes else [row for row, cell in enumerate(cells) if _seems_quoted(cell)]
            _add(findings, LETTERS, batch, letters)
        elif pa.types.is_integer(kind.arrow) and pa.types.is_floating(found.type):
            fractions = [row for row, value in enumerate(found.to_pylist()) if value and value % 1]
            _add(findings, FRACTIONS, batch, fractions)
        elif kind.whole:
            findings.add_words(name, cells)
    _add(findings, SHORT, batch, sorted(short))


def _seems_quoted(cell: csv_types.Cell) -> bool:
    return bool(cell and '"' in cell and len(cell) > 1 and (cell[0] == cell[-1] == '"' or '\\"' in cell))


def _add(findings: Findings, finding: str, batch: Batch, rows: Sequence[int]) -> None:
    if rows:
        findings.add(finding, batch.where(rows[0]), len(rows))

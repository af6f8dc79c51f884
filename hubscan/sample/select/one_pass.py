"""Draw the sample in one pass over the rows, with a reservoir per class and a budget of bytes.

Random keys alone decide the order of the rows of a class. The first rows of each class are kept, enough
of them for any order in which the classes can take turns.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from hubscan.records import SampleRequest
from hubscan.sample.cells import Reader, Unusable
from hubscan.sample.columns import Columns
from hubscan.sample.groups import group_value
from hubscan.sample.label_codes import NO_LABEL, Coder
from hubscan.sample.select.drawn_rows import DrawnRow, DrawnRows, Label, Pick, checked, labels_of, merged
from hubscan.sample.select.label_store import rarest
from hubscan.sample.select.quotas import class_order, class_weights, counted, seats
from hubscan.sample.select.random_keys import row_keys
from hubscan.sample.select.reservoir import Reservoir
from hubscan.sample.select.token_labels import has_word, words_of
from hubscan.sample.sources.protocols import Stream, StreamOfLooseTypes
from hubscan.sample_size import rows_by_default

SPARE: Final = 4  # standard deviations by which the smallest keys may miss the share of a class
CUT_SHORT: Final = "reading stopped at --max-bytes, so a larger sample may not contain these rows"
CHANGED: Final = (
    "the shares of the classes change along the split, so a larger sample may not contain these rows"
)

Spent = Callable[[], int]
"""Return the number of bytes received over the network."""
Stratum = int  # the code of a label, or NO_LABEL


class OnePass:
    """The rows kept during the pass."""

    def __init__(self, columns: Columns, coder: Coder, reader: Reader, request: SampleRequest) -> None:
        self._columns, self._coder, self._reader, self._request = columns, coder, reader, request
        self._dropped: Counter[str] = Counter()
        # Keep one row more per class than its share, since a class may get one of the leftover seats.
        self._balanced = Reservoir[DrawnRow](lambda classes: self._most() + classes)
        # For proportional shares, the first rows of all classes together include those of large classes.
        self._uniform = Reservoir[tuple[list[Stratum], DrawnRow]](lambda _: self._most() + self._spare())
        self._counts: Counter[Stratum] = Counter()
        self._proportional = columns.kind != "number" and not request.balance
        self.seen = 0

    def take(self, table: pa.Table) -> None:
        """Offer the rows of one batch to the reservoirs; read the inputs only of rows that one accepts."""
        keys = row_keys(self._request.seed, self.seen, table.num_rows).tolist()
        coded = self._coder.coded(table)
        labels = labels_of(coded, self._columns.kind, table.num_rows)
        if not self._coder.too_many:
            for place in np.unique(coded.places).tolist():
                self._offer(table, place, keys[place], labels[place])
        self.seen += table.num_rows

    def drawn_rows(self, notes: Iterable[str] = (), *, all_seen: bool = True) -> DrawnRows:
        """Return the drawn rows; *all_seen* says whether the whole split was read.

        Raises:
            AreNumbers: if the labels turn out to be numbers.
            NotClasses: if there are too many different labels.
        """
        self._coder.conclude()
        names = self._coder.strata()
        numbers = [self._stratum(place, len(names)) for place in range(len(names))]
        uniform = self._first_of_all()
        picks = [self._picks(stratum, uniform[stratum]) for stratum in numbers]
        token = self._columns.kind == "token"
        rows = self._coder.counts if token else [self._counts[stratum] for stratum in numbers]
        of_class = np.array(rows, np.int64)
        weights = class_weights(of_class, balanced=not self._proportional)
        order, size = class_order(self._request.seed, names), self._size(len(names))
        kept = np.array([len(rows) for rows in picks], np.int64)
        most = np.where([self._has_all(stratum) for stratum in numbers], kept, np.maximum(of_class, kept))
        short = counted(seats(weights, most, size, order), len(names)) > kept
        return DrawnRows(
            picks=merged(picks, seats(weights, kept, size, order)),
            rows_seen=self.seen,
            dropped=self._dropped,
            all_seen=all_seen,
            notes=(*notes, *([CHANGED] if short.any() else [])),
        )

    def _size(self, classes: int) -> int:
        return self._request.samples or rows_by_default(classes)

    def _most(self) -> int:
        """Return the largest possible size of the sample, given the classes seen or declared."""
        return self._size(max(self._coder.classes, len(self._columns.names or ())))

    def _spare(self) -> int:
        return SPARE * (math.isqrt(self._most() * self._coder.classes) + 1)

    def _offer(self, table: pa.Table, place: int, key: int, label: Label) -> None:
        strata = self._strata(label)
        for stratum in strata:
            self._counts[stratum] += 1
        uniform = self._proportional and self._uniform.takes(None, key)
        balanced = [stratum for stratum in strata if self._balanced.takes(stratum, key)]
        if not (uniform or balanced):
            return
        try:
            inputs = checked(self._reader.read(table, place), label)
        except Unusable as reason:
            self._dropped[str(reason)] += 1
            return
        drawn = DrawnRow(self.seen + place, label, inputs, group_value(table, self._columns.group, place))
        for stratum in balanced:
            if self._gives(drawn, stratum):
                self._balanced.add(stratum, key, drawn.row, drawn)
        if uniform:
            self._uniform.add(None, key, drawn.row, (strata, drawn))

    def _strata(self, label: Label) -> list[Stratum]:
        if self._columns.kind == "number":
            return [0]
        if self._columns.kind == "multilabel":  # by the counts so far, for any sample size
            return [rarest(np.array(label.codes, np.int32), self._coder.counts) if label.codes else NO_LABEL]
        return list(dict.fromkeys(label.codes))

    def _stratum(self, place: int, count: int) -> Stratum:
        """Return the stratum of the class at *place* of *count*, where rows without labels come last."""
        return NO_LABEL if self._columns.kind == "multilabel" and place == count - 1 else place

    def _gives(self, drawn: DrawnRow, stratum: Stratum) -> bool:
        return self._columns.kind != "token" or has_word(drawn, stratum)

    def _first_of_all(self) -> dict[Stratum, list[DrawnRow]]:
        """Return the rows in the uniform reservoir by class."""
        found: dict[Stratum, list[DrawnRow]] = defaultdict(list)
        for strata, drawn in self._uniform.kept(None):
            for stratum in strata:
                if self._gives(drawn, stratum):
                    found[stratum].append(drawn)
        return found

    def _picks(self, stratum: Stratum, uniform: Sequence[DrawnRow]) -> list[Pick]:
        """Return the kept rows of a class in order, from the reservoir that holds more of its first rows."""
        drawn = max(self._balanced.kept(stratum), uniform, key=len)
        if self._columns.kind != "token":
            return [Pick(row) for row in drawn]
        return words_of(stratum, drawn, self._request.seed, whole=self._has_all(stratum))

    def _has_all(self, stratum: Stratum) -> bool:
        return self._balanced.has_all(stratum) or (self._proportional and self._uniform.has_all(None))


def draw_rows(
    stream: Stream,
    columns: Columns,
    coder: Coder,
    reader: Reader,
    request: SampleRequest,
    spent: Spent,
) -> DrawnRows:
    """Return the rows that *request* describes, from one pass over *stream*.

    The pass ends early when *spent*, the bytes received over the network, exceeds the budget. A note then
    says so; another one says if the end depends on which rows were kept.

    Raises:
        AreNumbers: if the labels turn out to be numbers.
        NotClasses: if there are too many different labels.
    """
    one_pass = OnePass(columns, coder, reader, request)
    if isinstance(stream, StreamOfLooseTypes):
        stream.texts = columns.inputs.get("text", ())
    for table in stream.tables(columns.all):
        one_pass.take(table)
        if spent() > request.max_bytes:
            ended = (
                "this split can only be read from the beginning; reading stopped at --max-bytes, after "
                f"{spent() / 1e6:,.1f} MB and {one_pass.seen:,} rows, so later rows were not considered"
            )
            notes = [ended, *([CUT_SHORT] if reader.fetched else [])]
            return one_pass.drawn_rows(notes, all_seen=False)
    return one_pass.drawn_rows()

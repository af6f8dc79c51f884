"""A request in, the drawn `Sample` out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import datasets

from hubscan.errors import DatasetError
from hubscan.hub.client import Traffic, counted
from hubscan.records import Sample, SampleRequest
from hubscan.sample.assemble import assemble
from hubscan.sample.cells import MOST_CHARACTERS, Reader
from hubscan.sample.column_types import kinds_of
from hubscan.sample.columns import Columns, find
from hubscan.sample.label_codes import Coder, ManyValues
from hubscan.sample.select import one_pass, random_access
from hubscan.sample.sources.arrow import ArrowTable
from hubscan.sample.sources.builders import DatasetStream
from hubscan.sample.sources.open import Source, open_split
from hubscan.sample.sources.parquet import ParquetTable
from hubscan.sample.sources.tar import TarStream
from hubscan.sample_size import rows_by_default

if TYPE_CHECKING:
    from hubscan.sample.select.drawn_rows import DrawnRows


def draw(request: SampleRequest) -> Sample:
    """Return the sample that *request* asks for: every row of a class equally likely, classes as asked.

    The same request and commit give the same rows, in the order of the split. Rows without a label,
    empty texts and images that cannot be decoded give way to others, and each is counted by its
    reason in `Draw.dropped`.

    Raises:
        HubError: if the Hub cannot be reached.
        DatasetError: if the dataset, split or columns do not give rows that could be told apart.
    """
    # A server that truncates for ever would otherwise hold a scan for nine minutes.
    datasets.config.STREAMING_READ_MAX_RETRIES = 5
    with counted() as traffic:
        source = open_split(request)
        try:
            sample = _draw_by_kind(request, source, traffic)
        except UnicodeDecodeError as error:  # inputs that are not give way to others; labels cannot
            raise DatasetError(f"{source.dataset}: a label is not UTF-8: {error.reason}") from error
    stored_bytes, stored_requests = source.stored()
    return replace(
        sample,
        draw=replace(
            sample.draw,
            bytes_read=traffic.bytes_read + stored_bytes,
            requests=traffic.requests + stored_requests,
        ),
    )


def _draw_by_kind(request: SampleRequest, source: Source, traffic: Traffic) -> Sample:
    rows = source.rows
    columns = find(rows.features, kinds_of(rows.features), rows.head, request)
    try:
        return _draw_of_columns(request, source, columns, traffic)
    except ManyValues:
        return _draw_of_columns(request, source, replace(columns, kind="number", fixed=True), traffic)


def _draw_of_columns(request: SampleRequest, source: Source, columns: Columns, traffic: Traffic) -> Sample:
    where = f"{source.dataset}, column {', '.join(columns.labels)!r}"
    coder = Coder(columns, (request.samples or rows_by_default(0)) // 2, where)
    reader = Reader(columns.inputs, columns.kind, source.fetch, request.max_seconds)
    drawn = _draw_rows(request, source, columns, coder, reader, traffic)
    if reader.cut:
        drawn.notes += (f"texts of over {MOST_CHARACTERS:,} characters were cut there: {reader.cut}",)
    return assemble(request, source.pinned(), columns, coder, drawn)


def _draw_rows(
    request: SampleRequest, source: Source, columns: Columns, coder: Coder, reader: Reader, traffic: Traffic
) -> DrawnRows:
    rows = source.rows
    if isinstance(rows, ParquetTable | ArrowTable):
        return random_access.draw_rows(rows, columns, coder, reader, request)
    assert isinstance(rows, TarStream | DatasetStream)
    return one_pass.draw_rows(rows, columns, coder, reader, request, lambda: source.spent(traffic.bytes_read))

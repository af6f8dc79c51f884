"""Open a split and draw the `Sample` that a request describes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import datasets

from hubscan.errors import DatasetError, HubError, HubscanError
from hubscan.hub.client import is_unreachable, why_not_asked
from hubscan.hub.traffic import Traffic, counted
from hubscan.records import Sample, SampleRequest
from hubscan.sample.assemble import assemble
from hubscan.sample.cells import Reader
from hubscan.sample.column_names import listed
from hubscan.sample.column_types import kinds_of
from hubscan.sample.columns import Columns, find, likelier_labels
from hubscan.sample.file_columns import recognised
from hubscan.sample.kept import KeptSplit, keep, kept
from hubscan.sample.label_codes import AreNumbers, Coder, NotClasses
from hubscan.sample.select import one_pass, random_access
from hubscan.sample.select.one_pass import Spent
from hubscan.sample.sources.builders import DatasetStream
from hubscan.sample.sources.delimited.stream import DelimitedStream
from hubscan.sample.sources.open import open_cached, open_split
from hubscan.sample.sources.protocols import Table
from hubscan.sample.sources.source import Source

if TYPE_CHECKING:
    from hubscan.sample.select.drawn_rows import DrawnRows


@dataclass(frozen=True)
class OpenSplit:
    """A split whose columns are known, ready to draw from."""

    request: SampleRequest
    source: Source
    columns: Columns
    traffic: Traffic  # used to open it

    def draw(self) -> Sample:
        """Return the sample; see `draw`."""
        with counted(self.traffic) as traffic:
            try:
                sample = self._by_kind(traffic)
            except UnicodeDecodeError as error:  # such inputs are replaced, but such labels cannot be
                raise DatasetError(
                    f"{self.source.dataset}: a label is not valid UTF-8 ({error.reason}); convert the data"
                ) from error
        stored_bytes, stored_requests = self.source.stored()
        sample = replace(
            sample,
            draw=replace(
                sample.draw,
                bytes_read=traffic.bytes_read + stored_bytes,
                requests=traffic.requests + stored_requests,
            ),
        )
        keep(self.request, sample)
        return sample

    def _by_kind(self, traffic: Traffic) -> Sample:
        def spent() -> int:
            return self.source.spent(traffic.bytes_read)

        try:
            return _draw_of_columns(self.request, self.source, self.columns, spent)
        except NotClasses as error:
            raise DatasetError(
                f"{error.where}: {error.problem}; pass --label-column {self._likelier_columns()}"
                f"{error.otherwise}{_hints(self.source, '')}"
            ) from error
        except AreNumbers as note:  # a stream is read again, with the whole byte budget again
            notes = (*self.columns.notes, *filter(None, [str(note)]))
            numbers = replace(self.columns, kind="number", fixed=True, notes=notes)
            before = 0 if self.source.sequential else spent()
            return _draw_of_columns(self.request, self.source, numbers, lambda: spent() - before)

    def _likelier_columns(self) -> str:
        kinds = kinds_of(self.source.rows.features)
        likelier = likelier_labels(kinds, self.source.rows.head, self.columns)
        return " or ".join(likelier) if likelier else f"with one of {listed(kinds)}"


def open_dataset(request: SampleRequest) -> OpenSplit | KeptSplit:
    """Open the split that *request* names and find its columns, reading only a few rows.

    If the data is elsewhere and cannot be reached, it is what an earlier scan kept, or what the cache of the
    Hub's client has of the dataset; `SampleInfo.notes` says so.

    Raises:
        HubError: if the Hub cannot be reached.
        DatasetError: if the dataset, split or column does not exist, or the columns are ambiguous.
    """
    # A server that keeps truncating its answers would otherwise block a scan for nine minutes.
    datasets.config.STREAMING_READ_MAX_RETRIES = 5
    # As the Hub's client reads it; with two slashes after the host, the Hub would know no dataset.
    datasets.config.HF_ENDPOINT = datasets.config.HF_ENDPOINT.rstrip("/")
    try:
        return _opened(request, open_split)
    except (HubError, DatasetError) as error:
        if str(request.revision).startswith("url:") and "://" in str(request.dataset):
            return _repeated(request, error)
        if not isinstance(error, HubError):
            raise
        if not is_unreachable(error):
            raise
        at_url = request.dataset if "://" in str(request.dataset) else None
        unreachable, because = error, why_not_asked(error, at_url)
    found = kept(request, because)
    return found or _opened(request, lambda asked: open_cached(asked, because, unreachable))


def _repeated(request: SampleRequest, error: HubscanError) -> KeptSplit:
    """Return the rows that an earlier scan kept of a URL, which its run folder has without a signature.

    Raises:
        DatasetError: if there are none; asks for the whole URL.
    """
    found = kept(request, "its URL cannot be read now")
    if found is None:
        raise DatasetError(
            f"--dataset: {error}; pass it with a new signature to `hubscan rank`, if it was signed, and "
            "repeat this"
        ) from error
    return found


def _opened(request: SampleRequest, opening: Callable[[SampleRequest], Source]) -> OpenSplit:
    with counted() as traffic:
        source = opening(request)
        rows = source.rows
        if request.separator and not isinstance(rows, DelimitedStream | DatasetStream):
            raise DatasetError(f"--separator: has no effect, as {source.dataset} is not csv; leave it out")
        try:
            files = recognised(kinds_of(rows.features), rows.head, source.locate, request)
            columns = files.of(
                lambda kinds: find(rows.features, kinds, rows.head, request), rows.head, source.dataset
            )
        except DatasetError as error:
            error.args = (f"{error}{_hints(source, str(error))}",)
            raise
    return OpenSplit(request, source, columns, traffic)


def _hints(source: Source, said: str) -> str:
    """Return what may be wrong with the header or a column of a csv file, to follow the message *said*."""
    hints = source.rows.hints if isinstance(source.rows, DelimitedStream) else ()
    return "".join(f"; {hint}" for hint in hints if not ("header" in hint and "is a header" in said))


def draw(request: SampleRequest) -> Sample:
    """Return the sample that *request* describes, in which every row of a class is equally likely.

    The same request and commit give the same rows in the same order. A sample of n rows is the first n
    rows of any larger one with the same seed; `SampleInfo.notes` says so if reading in one pass makes
    that impossible. Classes take turns until they run out, or get rows in proportion to their shares.
    Rows without a label, empty texts and images that cannot be decoded are replaced, and
    `SampleInfo.dropped` counts them by reason.

    Raises:
        HubError: if the Hub cannot be reached.
        DatasetError: if the dataset, split or columns do not give rows with different labels.
    """
    return open_dataset(request).draw()


def _draw_of_columns(request: SampleRequest, source: Source, columns: Columns, spent: Spent) -> Sample:
    where = f"{source.dataset}, column {', '.join(columns.labels)!r}"
    coder = Coder(columns, request.samples, where)
    reader = Reader(columns.inputs, columns.kind, source.fetch, request.max_seconds, request.background)
    drawn = _draw_rows(request, source, columns, coder, reader, spent)
    drawn.notes += (*source.notes, *source.rows.notes, *columns.notes, *coder.notes, *reader.notes)
    return assemble(request, source.pinned(), columns, coder, drawn)


def _draw_rows(
    request: SampleRequest,
    source: Source,
    columns: Columns,
    coder: Coder,
    reader: Reader,
    spent: Spent,
) -> DrawnRows:
    rows = source.rows
    if isinstance(rows, Table):
        return random_access.draw_rows(rows, columns, coder, reader, request)
    return one_pass.draw_rows(rows, columns, coder, reader, request, spent)

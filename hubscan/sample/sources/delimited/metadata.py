"""Read the `metadata.csv` of a folder of images or audio files in the same way as any csv file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from hubscan.sample.sources.delimited.stream import DelimitedStream
from hubscan.sample.sources.files import open_file


class CsvMetadata:
    """Makes a builder of `datasets` read its csv metadata with our reader; `notes` says what was decided.

    The reader of `datasets` takes a class called None or NA for missing, and guesses types anew every
    10,000 rows.
    """

    def __init__(self, builder: Any) -> None:
        self.notes: dict[str, None] = {}
        self._others = builder._read_metadata
        if builder.config.features is None and builder.config.filters is None:
            builder._read_metadata = self._read

    def _read(self, metadata_file: str, metadata_ext: str = "") -> Iterator[pa.Table]:
        if metadata_ext != ".csv":
            yield from self._others(metadata_file, metadata_ext=metadata_ext)
            return
        address = str(metadata_file)
        rows = DelimitedStream([open_file(address)], address)
        yield from rows.tables(list(rows.features))
        self.notes |= dict.fromkeys(rows.notes)

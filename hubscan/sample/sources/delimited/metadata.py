"""Read `metadata.csv` and `metadata.jsonl` of a folder of images or audio files as any csv or JSON file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa

from hubscan.sample.sources.delimited.stream import DelimitedStream
from hubscan.sample.sources.files import open_file
from hubscan.sample.sources.json_files.rows import JsonRows
from hubscan.sample.sources.protocols import Stream
from hubscan.sample.sources.unpacked import open_bytes


class TextMetadata:
    """Makes a builder of `datasets` read its metadata with our readers; `notes` says what was decided.

    The reader of csv in `datasets` takes a class called None or NA for missing, and guesses types anew every
    10,000 rows. That of JSON ends the process if values are nested too deeply.
    """

    def __init__(self, builder: Any) -> None:
        self.notes: dict[str, None] = {}
        self._others = builder._read_metadata
        if builder.config.features is None and builder.config.filters is None:
            builder._read_metadata = self._read

    def _read(self, metadata_file: str, metadata_ext: str = "") -> Iterator[pa.Table]:
        address = str(metadata_file)
        if metadata_ext == ".csv":
            rows: Stream = DelimitedStream([open_file(address)], address)
        elif metadata_ext == ".jsonl":
            rows = JsonRows([(address, partial(open_bytes, address))])
        else:
            yield from self._others(metadata_file, metadata_ext=metadata_ext)
            return
        yield from rows.tables(list(rows.features))
        self.notes |= dict.fromkeys(rows.notes)

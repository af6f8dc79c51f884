"""Open the files of a split at a URL, and pin their revision."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from hubscan.errors import DatasetError
from hubscan.records import SampleRequest
from hubscan.sample.sources.arrow_stream import ArrowStream
from hubscan.sample.sources.delimited.dialect import named_separator
from hubscan.sample.sources.delimited.file import Declared
from hubscan.sample.sources.delimited.stream import DelimitedStream
from hubscan.sample.sources.files import names_like, open_file
from hubscan.sample.sources.formats import IN_ONE_PASS, READERS, suffix_of
from hubscan.sample.sources.json_files.rows import JsonRows
from hubscan.sample.sources.named_files import from_nowhere
from hubscan.sample.sources.parquet import ParquetTable
from hubscan.sample.sources.plain_table import PlainTable
from hubscan.sample.sources.protocols import Stream, Table
from hubscan.sample.sources.sequential import SequentialFile
from hubscan.sample.sources.source import SINGLE_SPLIT, Source, chosen_split, public_name
from hubscan.sample.sources.tar import TarStream


def open_url(request: SampleRequest, url: str) -> Source:
    """Return the split in the files at *url*; `{000..012}` and, except for http, `*` stand for several.

    Raises:
        DatasetError: if there are no such files, or of a format that cannot be read.
    """
    if re.match(r"\w+://[^/]*:[^/]*@", url):
        raise DatasetError(
            "--dataset: the URL contains a password, which the list of processes shows; remove it"
        )
    name = public_name(url)
    found = _expanded(url)
    if not found:
        raise DatasetError(f"{name}: no such files; check --dataset")
    split = chosen_split(request.split, name, [SINGLE_SPLIT])
    suffix = suffix_of(url.partition("?")[0]) if url.startswith("http") else suffix_of(url)
    reader = READERS.get(suffix, ("", {}))[0]
    if reader in IN_ONE_PASS:
        return _in_one_pass(request, name, split, reader, found)
    files = [open_file(address) for address in found]
    stored = None
    if suffix == ".tar":
        rows: Table | Stream = TarStream(files)
    elif reader == "parquet":
        stored = ParquetTable(files)
        rows = PlainTable(stored, name)
    else:
        known = ", ".join(READERS)
        raise DatasetError(f"{name}: cannot read this file type at a URL; convert it to one of: {known}")
    facts = "".join(f"{public_name(file.name)} {file.size}\n" for file in files)
    footers = stored.footer_hash if stored else ""
    digest = hashlib.sha256((facts + footers).encode()).hexdigest()
    return Source(name, f"url:{digest}", None, split, rows, from_nowhere, files)


def _in_one_pass(request: SampleRequest, name: str, split: str, reader: str, found: Sequence[str]) -> Source:
    """Open files that can only be read from the beginning; their revision is known after that."""
    files = [SequentialFile(address, 2 * request.max_bytes) for address in found]
    openers = [(file.name, file.open) for file in files]
    rows: Stream
    if reader == "csv":
        rows = DelimitedStream(files, name, Declared(named_separator(request.separator)))
    elif reader == "json":
        rows = JsonRows(openers)
    else:
        rows = ArrowStream(openers)
    return Source(name, "", None, split, rows, from_nowhere, files)


def _expanded(url: str) -> list[str]:
    found = re.search(r"\{(\d+)\.\.(\d+)\}", url)
    if found:
        width, last = len(found[1]), min(int(found[2]), int(found[1]) + 100_000)
        numbers = range(int(found[1]), last + 1)
        return [f"{url[: found.start()]}{number:0{width}}{url[found.end() :]}" for number in numbers]
    if "*" in url and not url.startswith("http"):
        return names_like(url)
    return [url]

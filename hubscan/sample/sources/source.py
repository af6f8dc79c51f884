"""One split of a dataset: where it is from, its revision, and access to its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hubscan.errors import DatasetError
from hubscan.sample.cells import Fetch
from hubscan.sample.choices import choices
from hubscan.sample.file_columns import Locate
from hubscan.sample.sources.files import File, StoredFile
from hubscan.sample.sources.named_files import nowhere
from hubscan.sample.sources.protocols import Stream, Table
from hubscan.sample.sources.sequential import SequentialFile
from hubscan.secret_text import public_url, unquoted

SINGLE_SPLIT: Final = "train"  # the split of a file without splits


@dataclass(frozen=True)
class Source:
    """One split, not yet read."""

    dataset: str  # the canonical id, the URL without its secrets, or the local path
    revision: str
    config: str | None
    split: str
    rows: Table | Stream
    fetch: Fetch  # reads the files named in cells
    files: Sequence[File | SequentialFile] = field(default_factory=tuple)
    locate: Locate = nowhere  # finds out whether a file named in a cell can be read
    notes: tuple[str, ...] = ()  # what was decided while opening, for `SampleInfo.notes`

    def stored(self) -> tuple[int, int]:
        """Return the number of bytes and requests that did not go through the Hub client."""
        found = [file for file in self.files if isinstance(file, StoredFile | SequentialFile)]
        return sum(file.bytes_read for file in found), sum(file.requests for file in found)

    @property
    def sequential(self) -> Sequence[SequentialFile]:
        """Return the files that are read from the beginning."""
        return [file for file in self.files if isinstance(file, SequentialFile)]

    def spent(self, fetched: int) -> int:
        """Return the bytes that count against the budget, of which *fetched* went through the Hub client."""
        # Count the position in the file, not the traffic: a broken connection may not change the sample.
        read = self.sequential
        return sum(file.passed for file in read) if read else fetched + self.stored()[0]

    def pinned(self) -> Source:
        """Return this source with its revision, which for sequential files is known only after reading."""
        if not self.sequential:
            return self
        contents = "".join(f"{public_name(file.name)} {file.pin()}\n" for file in self.sequential)
        return replace(self, revision=f"url:{hashlib.sha256(contents.encode()).hexdigest()}")


def public_name(address: str) -> str:
    """Return *address* as results show it: a web address without user and query, which may hold a secret.

    A revision is computed from this name, too, so that a URL that is signed again has the same revision.

    Raises:
        DatasetError: if it is not a valid URL.
    """
    if not address.lower().startswith(("http://", "https://")):
        return address
    try:
        return public_url(address)
    except ValueError as error:
        raise DatasetError(f"--dataset: not a valid URL ({unquoted(error)}); check its host") from error


def chosen_split(asked: str | None, dataset: str, splits: list[str]) -> str:
    """Return *asked*, or else train or the first of *splits*.

    Raises:
        DatasetError: if *dataset* has no such split.
    """
    if asked is None:
        return "train" if "train" in splits else splits[0]
    if asked not in splits:
        raise DatasetError(f"{dataset}: no split {asked!r}; pass --split with one of: {choices(splits)}")
    return asked

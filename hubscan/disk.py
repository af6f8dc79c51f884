"""Explain in one line that a disk is full, read-only or broken, and which folder is on it.

A scan stops then: no candidate is to blame, and every further one would fail as well.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hubscan.environment import asked_cache_folder, why_not_writable
from hubscan.errors import DiskError, HubscanError

FULL: Final = errno.ENOSPC
REASONS: Final = {
    FULL: "its disk is full",
    errno.EDQUOT: "your quota of its disk is used up",
    errno.EFBIG: "a file would be larger than is allowed (see `ulimit -f`)",
    errno.EROFS: "its disk is read-only",
}
"""What only writing a file can meet."""
REASONS_OF_OURS: Final = {errno.EACCES: "no permission to write it", errno.EIO: "its disk reports an error"}
"""What reading a user's file can meet too; it is the disk's fault in the folders that hubscan writes."""
FROM_RUST: Final = re.compile(r"\(os error (\d+)\)")  # how libraries in Rust end the message of such an error


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that hubscan or one of its libraries writes."""

    name: str
    folder: Path
    variable: str = ""  # that names it
    shared: bool = False  # files of the user may be there too

    @property
    def free(self) -> int:
        """Return the free bytes of its disk, or of that which it would be created on."""
        existing = next(path for path in (self.folder, *self.folder.absolute().parents) if path.exists())
        return shutil.disk_usage(existing).free

    def has(self, file: str | bytes | None) -> bool:
        """Return whether *file* is in it."""
        return file is not None and Path(os.fsdecode(file)).absolute().is_relative_to(self.folder.absolute())


def run_folder(folder: Path) -> Place:
    """Return the place of a run in *folder*."""
    return Place("the run folder", folder)


def client_cache() -> Place:
    """Return the cache of the Hub's client, with checkpoints and datasets."""
    from huggingface_hub import constants  # slow, and needed for an error only

    return Place("the cache of the Hub's client", Path(constants.HF_HUB_CACHE), "HF_HOME")


@contextmanager
def explained(
    *places: Place, needs: Callable[[], int | None] = lambda: None, in_rust: bool = False
) -> Iterator[None]:
    """Turn an exception about a full, read-only or broken disk in the block into a `DiskError`.

    Args:
        places: what the block writes, besides the caches and the temporary folder; the first is named if
            nothing tells which it is.
        needs: returns how many bytes the block needed, if that is known.
        in_rust: also read the errors of libraries in Rust, which have the number in their text; not where a
            stranger's names may be in it.
    """
    try:
        yield
    except HubscanError:
        raise
    except Exception as error:
        found = _fault(error, places, in_rust)
        if found is None:
            raise
        raise DiskError(_sentence(*found, needs())) from error


def _fault(error: BaseException, places: tuple[Place, ...], in_rust: bool) -> tuple[int, Place | None] | None:
    """Return the number of the fault behind *error*, and its place if that is known."""
    for cause in _causes(error):
        code = _code(cause, in_rust)
        if code not in REASONS and code not in REASONS_OF_OURS:
            continue
        everywhere = (*places, *_known())
        files = (getattr(cause, "filename", None), getattr(cause, "filename2", None))
        named = next((place for place in everywhere if any(map(place.has, files))), None)
        if code in REASONS:
            return code, named or _probed(code, everywhere) or next(iter(places), None)
        if code in REASONS_OF_OURS and named is not None and not named.shared:
            return code, named
    return None


def _known() -> tuple[Place, ...]:
    temporary = Place("the temporary folder", Path(tempfile.gettempdir()), "TMPDIR", shared=True)
    return client_cache(), Place("hubscan's cache", asked_cache_folder(), "HUBSCAN_CACHE"), temporary


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _code(error: BaseException, in_rust: bool) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    found = FROM_RUST.search(str(error)) if in_rust else None
    return int(found[1]) if found else None


def _probed(code: int, places: tuple[Place, ...]) -> Place | None:
    """Return the place whose disk has this fault now; a write does not say which file it failed for."""
    if code == FULL:
        return min(places, key=lambda place: place.free)
    if code == errno.EROFS:
        return next((place for place in places if why_not_writable(place.folder)), None)
    return None


def _sentence(code: int, place: Place | None, needed: int | None) -> str:
    reason = {**REASONS, **REASONS_OF_OURS}[code]
    if place is None:
        return f"a file cannot be written: {reason}; correct that"
    sizes = [f"{_size(place.free)} free"] if code == FULL else []
    sizes += [f"{_size(needed)} needed"] if needed else []
    detail = f" ({', '.join(sizes)})" if sizes else ""
    mend = "make it writable" if code in (errno.EROFS, errno.EACCES) else "make space there"
    other = f", or set {place.variable} to another folder" if place.variable else ""
    return f"{place.name}, {place.folder}, cannot be written: {reason}{detail}; {mend}{other}"


def _size(count: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} bytes"

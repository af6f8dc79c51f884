"""Identify local files by a hash of their content that reads at most about a gigabyte."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

WHOLE_BYTES: Final = 2**30  # of all files together; up to this size every byte is read
PIECES: Final = 16  # read of a file larger than its share, the first and last at its ends
LEAST_BYTES: Final = 2**12  # of each file, for any number of files


def content_hash(root: Path, files: Sequence[Path]) -> str:
    """Return a hash of the names, lengths and contents of *files*, which are in *root* or are *root*.

    Modification times do not matter, so the same files on another machine give the same hash. Up to a
    gigabyte in total, every byte is hashed. Beyond that, each file has an equal share of a gigabyte; of a
    file larger than its share, 16 evenly spaced pieces are hashed, including its beginning and its end.
    A change to such a file goes unnoticed if it keeps the length and is between the pieces. Adding or
    removing a byte is always noticed, and so is a different footer of a parquet file, which holds the
    bounds and lengths of its columns.
    """
    sizes = [file.stat().st_size for file in files]
    share = max(WHOLE_BYTES // max(len(files), 1), LEAST_BYTES) if sum(sizes) > WHOLE_BYTES else None
    digest = hashlib.sha256()
    for file, size in zip(files, sizes, strict=True):
        digest.update(str(file.relative_to(root.parent)).encode())
        with file.open("rb") as stream:
            if share is None or size <= share:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
            else:
                digest.update(_pieces(stream, size, share))
    return f"sha256:{digest.hexdigest()}"


def _pieces(stream: IO[bytes], size: int, share: int) -> bytes:
    length = share // PIECES
    digest = hashlib.sha256(f"{size} bytes, {PIECES} pieces".encode())
    for number in range(PIECES):
        stream.seek((size - length) * number // (PIECES - 1))
        digest.update(stream.read(length))
    return digest.digest()

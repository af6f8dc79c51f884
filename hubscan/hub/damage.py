"""Recognise files of a checkpoint that are not what they should be, before any library reads them."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Final

from hubscan.errors import CheckpointError
from hubscan.hub.deciding import deciding_files
from hubscan.lfs_pointer import is_lfs_pointer
from hubscan.untrusted import json_of

FIRST_BYTES: Final = 512
LARGEST_HEADER: Final = 100_000_000  # bytes; the limit of the format
WEB_PAGE: Final = re.compile(rb"\s*<(!doctype\s+html|html|head|\?xml)\b", re.IGNORECASE)
MAY_BE_EMPTY: Final = ("merges.txt", "normalizer.json")


def refuse_damaged(folder: Path) -> None:
    """Refuse the checkpoint in *folder* if a file is a Git LFS pointer, empty, a web page or cut off.

    Raises:
        CheckpointError: naming the file, and what to do about it.
    """
    for name, file in deciding_files(folder, variants=False).items():
        try:
            with file.open("rb") as opened:
                begin = opened.read(FIRST_BYTES)
        except OSError as error:
            raise CheckpointError(
                f"{name} cannot be read ({error.strerror}); check its permissions"
            ) from error
        if is_lfs_pointer(begin):
            downloaded = folder.parent.name == "snapshots"  # in the cache of the Hub's client
            what = "ask its authors to upload the file" if downloaded else "run git lfs pull in this folder"
            raise CheckpointError(f"{name} is a Git LFS pointer, not the file; {what}")
        if not begin and file.name not in MAY_BE_EMPTY:
            raise CheckpointError(f"{name} is empty; copy or download it again")
        if WEB_PAGE.match(begin):
            raise CheckpointError(f"{name} is a web page, not the file; download it again")
        if file.suffix == ".safetensors":
            _refuse_cut_off(name, file)


def _refuse_cut_off(name: str, file: Path) -> None:
    size = file.stat().st_size
    end = _end(file, size)
    if end is None:
        raise CheckpointError(
            f"{name} is damaged: it does not begin as a safetensors file; download it again, or save it with "
            "save_pretrained"
        )
    if end > size:
        raise CheckpointError(
            f"{name} is cut off: it has {size:,} of its {end:,} bytes; copy or download it again"
        )


def _end(file: Path, size: int) -> int | None:
    """Return how many bytes *file* has to have according to its header; None if that is not one.

    A header that is cut off counts as whole; its end is then beyond the file.
    """
    with file.open("rb") as opened:
        prefix = opened.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else LARGEST_HEADER + 1
        if length > LARGEST_HEADER or opened.read(1) not in (b"{", b""):
            return None
        if 8 + length > size:
            return 8 + length
        opened.seek(8)
        try:
            header = json_of(opened.read(length), most_bytes=LARGEST_HEADER)
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
            return 8 + length + max(map(int, ends), default=0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return None

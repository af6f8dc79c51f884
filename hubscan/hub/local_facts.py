"""Read the licence and the size of a local checkpoint, which the Hub's listing states for a remote one.

The files come from strangers, so only a bounded part of each is read, and a file that is damaged or
implausible means "unknown".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from hubscan.hub.contents import is_weights
from hubscan.hub.deciding import module_folders
from hubscan.untrusted import Malformed, bytes_of, front_matter, json_of

CARD_BYTES: Final = 2**16
INDEX_BYTES: Final = 2**25
HEADER_BYTES: Final = 2**25  # of one safetensors file; the format allows 100 MB
LONGEST_LICENSE: Final = 100  # characters
MOST_AXES: Final = 8
Tensor = tuple[str, tuple[int, ...]]
"""The dtype as safetensors names it, such as F32, and the shape."""


def license_in(folder: Path) -> str | None:
    """Return the licence in the front matter of README.md, its `license_name` if it is "other"; else None."""
    try:
        text = _beginning(folder / "README.md", CARD_BYTES).decode("utf-8", "replace")
        card = front_matter(text.lstrip("\ufeff \t\r\n"))
    except (OSError, Malformed):
        return None
    stated = card.get("license")
    if isinstance(stated, list) and len(stated) == 1:
        stated = stated[0]
    own = _printable(card.get("license_name")) if stated == "other" else None
    return own or _printable(stated)


def parameters_in(folder: Path) -> int | None:
    """Return the number of weights that the headers of the safetensors files state; None if unknown.

    Like the Hub's count, it includes weights that the encoder does not use, such as a decoder's.
    """
    tensors = tensors_in(folder)
    return sum(math.prod(shape) for _, shape in tensors) or None if tensors else None


def tensors_in(folder: Path) -> list[Tensor] | None:
    """Return the dtype and the shape of each tensor of the safetensors files; None if unknown."""
    try:
        return [tensor for file in _weight_files(folder) for tensor in _tensors_of(file)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
        return None


def _weight_files(folder: Path) -> Iterable[Path]:
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").exists():
        return [folder / "model.safetensors"]
    if not index.exists():
        modules = (*(folder / module for module in module_folders(folder)), *folder.glob("0_*"))
        return [file for file in (module / "model.safetensors" for module in modules) if file.exists()][:1]
    content = json_of(bytes_of(index, most_bytes=INDEX_BYTES), most_bytes=INDEX_BYTES)
    names = {str(name) for name in content["weight_map"].values()}
    if not all(map(is_weights, names)):
        raise ValueError("index names something else")
    return [folder / name for name in names]


def _tensors_of(file: Path) -> list[Tensor]:
    """Return the tensors that the header of *file* says it holds.

    Raises:
        ValueError: if the header is damaged, or claims more than a file of this size can hold.
    """
    if not file.is_file():
        raise ValueError("not a regular file")
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > HEADER_BYTES:
            raise ValueError("header too large")
        header = json_of(opened.read(length), most_bytes=HEADER_BYTES)
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    total = sum(_product(entry["shape"]) for entry in entries)
    if total > 8 * file.stat().st_size:  # at least one bit for each
        raise ValueError("more numbers than the file can hold")
    return [(str(entry["dtype"]), tuple(entry["shape"])) for entry in entries]


def _product(shape: Any) -> int:
    if len(shape) > MOST_AXES or not all(type(side) is int and 0 <= side < 2**48 for side in shape):
        raise ValueError("not a shape")
    return math.prod(shape)


def _beginning(file: Path, size: int) -> bytes:
    if not file.is_file():  # a named pipe would block
        raise FileNotFoundError(file)
    with file.open("rb") as opened:
        return opened.read(size)


def _printable(value: object) -> str | None:
    fine = isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= LONGEST_LICENSE
    return str(value).strip() if fine else None

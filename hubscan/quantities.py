"""Counts, byte sizes and durations as people write them: `33M`, `2GB`, `20m`."""

from __future__ import annotations

import math
import re
from typing import Final

_COUNTS: Final = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
_BYTES: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS: Final = {"S": 1, "M": 60, "H": 3600}
_LONGEST: Final = 30  # characters; a longer number is a mistake, or an attempt to overflow


def count(text: object) -> object:
    """Read `33M`, `1.5B` or `250000` as a number; return anything else unchanged.

    >>> count("1.5M")
    1500000
    """
    found = _scaled(text, r"([KMB]?)", _COUNTS)
    return text if found is None else round(found)


def byte_size(text: object) -> object:
    """Read `500MB`, `1.5G` or `250000` as a number of bytes; return anything else unchanged.

    >>> byte_size("1.5GB")
    1500000000
    """
    found = _scaled(text, r"([KMGT]?)B?", _BYTES)
    return text if found is None else round(found)


def seconds(text: str) -> float | None:
    """Read a duration such as `90s`, `20m` or `1.5h` in seconds; return None for anything else.

    >>> seconds("20m")
    1200.0
    """
    return _scaled(text, r"([SMH])", _SECONDS)


def _scaled(text: object, unit: str, units: dict[str, int]) -> float | None:
    """Return the number in *text* times its unit; None if *text* is not written so."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    match = re.fullmatch(rf"([0-9]+(?:\.[0-9]+)?) ?{unit}", text.strip().upper())
    value = float(match[1]) * units[match[2]] if match else math.inf
    return value if math.isfinite(value) else None

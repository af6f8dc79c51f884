"""How much memory a process of hubscan may use: `HUBSCAN_MEMORY`, or what its work should need."""

from __future__ import annotations

import os
from typing import Final

from hubscan import environment, quantities
from hubscan.errors import SettingError
from hubscan.processes import RAN_OUT, machine_bytes

VARIABLE: Final = "HUBSCAN_MEMORY"
FLOAT32: Final = 4  # bytes of a weight
COPIES: Final = 4  # of the weights: as read, as loaded, converted, and what a library keeps
TRAINED_COPIES: Final = 8  # with gradients, two moments and an average of the weights
BESIDES: Final = 8_000_000_000  # for a batch, features and their scores


def of_candidate(before: int, parameters: int | None, *, trains: bool) -> int:
    """Return the bytes that a process may use which loads a network.

    Args:
        before: bytes in use without the network.
        parameters: number of weights; None if not known, which allows all memory of the machine.
        trains: whether the weights are trained.

    Raises:
        SettingError: if `HUBSCAN_MEMORY` is not a size.
    """
    if parameters is None:
        return asked() or machine_bytes()
    return most(before + parameters * FLOAT32 * (TRAINED_COPIES if trains else COPIES) + BESIDES)


def most(needed: int) -> int:
    """Return `HUBSCAN_MEMORY`, or *needed* bytes but not more than the machine has.

    Raises:
        SettingError: if `HUBSCAN_MEMORY` is not a size.
    """
    return asked() or min(needed, machine_bytes())


def asked() -> int | None:
    """Return `HUBSCAN_MEMORY` in bytes; None if it is not set.

    Raises:
        SettingError: if it is not a size.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    size = quantities.byte_size(text)
    if not isinstance(size, int) or size <= 0:
        raise SettingError(f"{VARIABLE}={environment.shown(text)}: is not a size; set it to one such as 8GB")
    return size


def why_ended(reason: str, limit: int | None) -> str:
    """Return *reason*, why a process ended; or that it exceeded *limit* bytes, if memory ran out."""
    return exceeded(limit) if reason == RAN_OUT and limit is not None else reason


def exceeded(limit: int) -> str:
    """Return in words that a process needed more than *limit* bytes."""
    return f"out of memory: it needs more than {limit / 1e9:.1f} GB; set {VARIABLE} to allow more"

"""List what can be chosen in a message of bounded length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MOST_LISTED: Final = 30


def choices(names: Sequence[str]) -> str:
    """Return the first of *names* with commas, and how many more there are.

    >>> choices(["train", "test"])
    'train, test'
    >>> choices([str(number) for number in range(1030)])[-17:]
    '29 and 1,000 more'
    """
    more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more

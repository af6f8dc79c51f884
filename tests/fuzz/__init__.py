"""Fuzz targets for everything that hubscan parses from outside.

They run with a few examples among the other tests, and with as many as HUBSCAN_FUZZ_EXAMPLES says.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from hypothesis import HealthCheck, settings

F = TypeVar("F", bound=Callable[..., Any])

EXAMPLES: Final = int(os.environ.get("HUBSCAN_FUZZ_EXAMPLES", "20"))


def fuzz() -> Callable[[F], F]:
    """Return the settings of a target: bounded, and repeatable unless there are many examples."""
    chosen = settings(
        max_examples=EXAMPLES,
        derandomize=EXAMPLES <= 20,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    return cast(Callable[[F], F], chosen)

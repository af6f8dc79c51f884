"""Run a job for each candidate on a sample, and yield the results as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hubscan.engines.local import LocalEngine
from hubscan.engines.protocols import Engine, Progress, Result
from hubscan.recipe import Recipe

__all__ = ["ENGINES", "Engine", "Progress", "Result", "create"]

ENGINES: Final[Mapping[str, Callable[..., Engine]]] = {"local": LocalEngine}
"""The engines, by their name in a recipe. Each must pass tests/test_engine_contract.py."""


def create(recipe: Recipe, *, limit_seconds: float | None = None) -> Engine:
    """Return the engine of *recipe*, not yet started.

    Args:
        recipe: states the engine, the device, the number of workers, and how long a candidate may be silent.
        limit_seconds: the most time that one candidate may take; None for no limit.

    Raises:
        RecipeError: if the device is not available.
    """
    return ENGINES[recipe.engine](
        recipe.device, recipe.workers, stall_seconds=recipe.stall_seconds, limit_seconds=limit_seconds
    )

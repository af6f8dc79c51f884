"""Where candidates run: candidates, a sample and a job in, results out as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hubscan.engines.local import LocalEngine
from hubscan.engines.protocols import Engine, Progress, Result
from hubscan.recipe import Recipe

__all__ = ["ENGINES", "Engine", "Progress", "Result", "create"]

ENGINES: Final[Mapping[str, Callable[..., Engine]]] = {"local": LocalEngine}
"""The engines, by the name that a recipe calls them by; each is held to tests/test_engine_contract.py."""


def create(recipe: Recipe, *, limit_seconds: float | None = None) -> Engine:
    """Return the engine that *recipe* asks for; nothing runs before it is started.

    Args:
        recipe: names the engine, the device, the number of workers, and how long a candidate may be silent.
        limit_seconds: how long one candidate may take in all; None for no limit.

    Raises:
        RecipeError: if the engine cannot have the device that is asked for.
    """
    return ENGINES[recipe.engine](
        recipe.device, recipe.workers, stall_seconds=recipe.stall_seconds, limit_seconds=limit_seconds
    )

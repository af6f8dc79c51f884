"""hubscan: which checkpoint on the Hugging Face Hub to fine-tune, without fine-tuning any.

import hubscan

ranking = hubscan.rank("imdb", "text-classification")
print(ranking.best.model)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    import hubscan.scores as scores
    from hubscan.api import embed, rank
    from hubscan.run import load_run

__all__ = ["__version__", "embed", "load_run", "rank", "scores"]

_HOMES = {"rank": "hubscan.api", "embed": "hubscan.api", "load_run": "hubscan.run"}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first asked for: torch alone takes seconds."""
    if name == "scores":
        return import_module("hubscan.scores")
    if name not in _HOMES:
        raise AttributeError(f"module 'hubscan' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Name what is public too where it is not imported yet."""
    return sorted({*globals(), *__all__})

"""Find the checkpoint on the Hugging Face Hub to fine-tune, without fine-tuning any.

>>> import hubscan
>>> ranking = hubscan.rank("imdb", "text-classification")  # doctest: +SKIP
>>> ranking.best.model  # doctest: +SKIP
'BAAI/bge-small-en-v1.5'
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
    """Import a public name when it is first used, because importing torch takes seconds."""
    if name == "scores":
        return import_module("hubscan.scores")
    if name not in _HOMES:
        raise AttributeError(f"module 'hubscan' has no attribute {name!r}")
    from hubscan import environment

    environment.check()
    with environment.explained():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})

"""Choose the precision that a checkpoint computes in."""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

from hubscan.records import Precision
from hubscan.untrusted import bytes_of, json_of

HALVES: Final = ("bfloat16", "float16")


def precision(asked: str, folder: Path, *, on_gpu: bool) -> Precision:
    """Return the precision that the checkpoint in *folder* computes in.

    *asked* decides unless it is "auto", which means float32, except for a checkpoint that is stored in half
    precision and runs on a GPU: float32 would take twice the memory and many times the time, for digits that
    its weights do not have.

    Args:
        asked: "auto", "float32", "bfloat16" or "float16".
        folder: of the checkpoint; its `config.json` states the precision of the stored weights.
        on_gpu: whether it runs on one. A CPU is slower in half precision than in float32.
    """
    wanted = asked if asked != "auto" else _stored(folder) if on_gpu else "float32"
    return next((known for known in get_args(Precision) if known == wanted), "float32")


def _stored(folder: Path) -> str:
    """Return the precision that the config states; loading the checkpoint reports a damaged config."""
    try:
        config = json_of(bytes_of(folder / "config.json"))
        named = str(config.get("dtype") or config.get("torch_dtype"))  # the key before transformers 5
    except (OSError, ValueError, AttributeError):
        return "float32"
    named = named.removeprefix("torch.")
    return named if named in HALVES else "float32"

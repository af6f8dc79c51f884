"""What was asked for in, what a checkpoint computes in out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, get_args

from hubscan.records import Precision

HALVES: Final = ("bfloat16", "float16")


def precision(asked: str, folder: Path, *, on_gpu: bool) -> Precision:
    """Return what the checkpoint in *folder* is to compute in.

    *asked* decides, unless it is "auto": that is float32, but for a checkpoint that was stored in a
    half precision and runs on a GPU, where twice the memory and many times the time would buy digits
    that its weights do not have.

    Args:
        asked: "auto", "float32", "bfloat16" or "float16".
        folder: of the checkpoint; its `config.json` says what the weights are stored in.
        on_gpu: whether it runs on one. A CPU is slower in a half precision than in float32.
    """
    wanted = asked if asked != "auto" else _stored(folder) if on_gpu else "float32"
    return next((known for known in get_args(Precision) if known == wanted), "float32")


def _stored(folder: Path) -> str:
    """Return what the config says of the weights; a damaged one is reported where it is loaded."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        named = str(config.get("dtype") or config.get("torch_dtype"))  # its name until transformers 5
    except (OSError, ValueError, AttributeError):
        return "float32"
    return named if named in HALVES else "float32"

"""Read pickled weights, and write the files of a checkpoint: `model.safetensors` and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

Facts = Mapping[str, Any]


def write_checkpoint(out: Path, config: Facts, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write config.json and model.safetensors; equal input gives equal bytes."""
    import numpy as np
    from safetensors.numpy import save_file

    # save_file ignores strides: a transposed view would be read back as another array.
    rows_first = {name: np.asarray(values, order="C") for name, values in tensors.items()}
    write_json(out / "config.json", config)
    save_file(rows_first, out / "model.safetensors", metadata={"format": "pt"})


def load_pickled(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a PyTorch state dict; only data is unpickled, no code runs."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


def write_json(path: Path, content: object) -> None:
    """Write *content* to *path*, and create its folder if needed."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def the_file(folder: Path, pattern: str) -> Path:
    """Return the only file in *folder* that matches *pattern*."""
    (path,) = folder.glob(pattern)
    return path

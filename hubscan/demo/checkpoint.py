"""Named arrays and facts in, `model.safetensors` and JSON files of a checkpoint's folder out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

Facts = Mapping[str, Any]


def write_checkpoint(out: Path, config: Facts, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write config.json and model.safetensors; the same input gives the same bytes."""
    import numpy as np
    from safetensors.numpy import save_file

    # save_file writes memory as it lies: a transposed view would come back as another array.
    rows_first = {name: np.asarray(values, order="C") for name, values in tensors.items()}
    write_json(out / "config.json", config)
    save_file(rows_first, out / "model.safetensors", metadata={"format": "pt"})


def load_pickled(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a PyTorch state dict, unpickled as data only."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


def write_json(path: Path, content: object) -> None:
    """Write *content* to *path*, whose folder is made if need be."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def the_file(folder: Path, pattern: str) -> Path:
    """Return the one file of *folder* that matches."""
    (path,) = folder.glob(pattern)
    return path

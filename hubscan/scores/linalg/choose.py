"""Choose the linear algebra backend for given features."""

from __future__ import annotations

from typing import Any

from hubscan.scores.linalg.backend import Backend
from hubscan.scores.targets import is_tensor


def backend_of(features: Any) -> Backend:
    """Return the backend for *features*: torch for a tensor, numpy for everything else."""
    if is_tensor(features):
        from hubscan.scores.linalg.torch_backend import TorchBackend

        return TorchBackend.on_device_of(features)
    from hubscan.scores.linalg.numpy_backend import NumpyBackend

    return NumpyBackend()

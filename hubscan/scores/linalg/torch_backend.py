"""Dense linear algebra on torch tensors, on their own device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hubscan.scores.linalg.backend import Block
from hubscan.scores.targets import Matrix64


@dataclass(frozen=True, slots=True)
class TorchBackend:
    """See `Backend`."""

    device: torch.device

    @classmethod
    def on_device_of(cls, features: torch.Tensor) -> TorchBackend:
        """Return the backend on the device of *features*, or on the CPU if that device has no float64."""
        return cls(torch.device("cpu") if features.device.type == "mps" else features.device)

    def double(self, features: Any) -> Block:
        """Return *features* in float64."""
        return features.detach().to(self.device).double()

    def block(self, matrix: npt.NDArray[Any]) -> Block:
        """Return *matrix* as a tensor on the device."""
        return torch.as_tensor(matrix, device=self.device)

    def host(self, block: Block) -> Matrix64:
        """Return *block* as a numpy array."""
        return np.asarray(block.cpu())

    def extremes(self, block: Block) -> tuple[Matrix64, Matrix64]:
        """Return the minimum and maximum of each column."""
        return self.host(block.amin(dim=0)), self.host(block.amax(dim=0))

    def gram(self, rows: Block) -> Block:
        """Return rowsᵀ·rows."""
        return rows.T @ rows

    def eigh(self, symmetric: Block) -> tuple[Matrix64, Block]:
        """Return eigenvalues and eigenvectors."""
        values, vectors = torch.linalg.eigh(symmetric)
        return self.host(values), vectors

    def orthonormal(self, gram: Block) -> Block:
        """Return the inverse of the upper Cholesky factor."""
        factor = torch.linalg.cholesky(gram, upper=True)
        return torch.linalg.solve_triangular(factor, torch.eye(len(gram)).to(gram), upper=True)

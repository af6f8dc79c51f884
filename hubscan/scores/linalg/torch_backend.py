"""Dense linear algebra on torch tensors, on the device where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hubscan.scores.linalg.backend import Block
from hubscan.scores.targets import Classes, Matrix64


@dataclass(frozen=True, slots=True)
class TorchBackend:
    """See `Backend`."""

    device: torch.device

    @classmethod
    def beside(cls, features: torch.Tensor) -> TorchBackend:
        """Return the algebra on the device of *features*; on the CPU where that one knows no float64."""
        return cls(torch.device("cpu") if features.device.type == "mps" else features.device)

    def double(self, features: Any) -> Block:
        """Return *features* in float64."""
        return features.detach().to(self.device).double()

    def block(self, matrix: npt.NDArray[Any]) -> Block:
        """Return a tensor of *matrix* on the device."""
        return torch.as_tensor(matrix, device=self.device)

    def host(self, block: Block) -> Matrix64:
        """Return *block* as a numpy array."""
        return np.asarray(block.cpu())

    def identity(self, size: int) -> Block:
        """Return the identity matrix."""
        return torch.eye(size, dtype=torch.float64, device=self.device)

    def extremes(self, block: Block) -> tuple[Matrix64, Matrix64]:
        """Return the least and the largest number of each column."""
        return self.host(block.amin(dim=0)), self.host(block.amax(dim=0))

    def diagonal(self, matrix: Block) -> Block:
        """Return a view of the diagonal."""
        return matrix.diagonal()

    def gram(self, rows: Block) -> Block:
        """Return rowsᵀ·rows."""
        return rows.T @ rows

    def eigh(self, symmetric: Block) -> tuple[Matrix64, Block]:
        """Return eigenvalues and vectors."""
        values, vectors = torch.linalg.eigh(symmetric)
        return self.host(values), vectors

    def inverse(self, positive: Block) -> Block:
        """Return the inverse by way of the Cholesky factor."""
        return torch.cholesky_inverse(torch.linalg.cholesky(positive))

    def orthonormal(self, gram: Block) -> Block:
        """Return the inverse of the upper Cholesky factor."""
        factor = torch.linalg.cholesky(gram, upper=True)
        return torch.linalg.solve_triangular(factor, self.identity(len(gram)), upper=True)

    def half_log_det(self, positive: Block) -> Matrix64:
        """Return ½ log det by the Cholesky factors."""
        factors = torch.linalg.cholesky(positive)
        return self.host(factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1))

    def sums(self, rows: Block, at: Classes, classes: Classes, count: int) -> Block:
        """Return the sums as a product with the sparse indicators: atomic additions would vary in order."""
        places, shape = torch.stack([self.block(classes), self.block(at)]), (count, len(rows))
        ones = torch.ones(len(at), dtype=torch.float64, device=self.device)
        return torch.sparse_coo_tensor(places, ones, size=shape, check_invariants=False) @ rows

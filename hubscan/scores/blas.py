"""Prepare the libraries of linear algebra for a process whose memory is limited."""

from __future__ import annotations


def reserve_buffers() -> None:
    """Make OpenBLAS allocate its buffers: where a limit denies them later, it tries again for ever."""
    import numpy as np
    from scipy.linalg import cholesky

    square = np.eye(64)
    cholesky(square @ square)  # numpy and scipy each contain a copy of the library

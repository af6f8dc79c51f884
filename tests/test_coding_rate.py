from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hubscan.scores.coding_rate import coding_rate, conditional_rate

Array = npt.NDArray[Any]


def by_eigenvalues(z: Array, eps: float) -> float:
    """The definition, with the sum in extended precision."""
    eigenvalues = np.linalg.eigvalsh(z.T @ z).astype(np.longdouble).clip(min=0)
    return float(0.5 * np.log1p(eigenvalues / (len(z) * eps)).sum())


def test_both_gram_sides_give_the_same_rate() -> None:
    z = np.random.default_rng(1).normal(size=(50, 80))
    wide, narrow = coding_rate(z, 1e-2), by_eigenvalues(z, 1e-2)
    assert wide == pytest.approx(narrow, rel=1e-12)
    assert coding_rate(z.T, 1e-2 * 50 / 80) == pytest.approx(narrow, rel=1e-12)


def test_classes_are_weighted_by_their_rows_and_absent_numbers_are_no_classes() -> None:
    z = np.random.default_rng(2).normal(size=(10, 3))
    labels = np.array([5] * 9 + [900])
    expected = 0.9 * coding_rate(z[:9], 1e-4) + 0.1 * coding_rate(z[9:], 1e-4)
    assert conditional_rate(z, labels, 1e-4) == pytest.approx(expected, rel=1e-12)

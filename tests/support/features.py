"""Labelled features, random with separated classes or degenerate, and a comparison of scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hubscan.records import Features, Pooling, Score

Array = npt.NDArray[Any]

SHAPES = [(300, 20, 3), (120, 90, 4), (50, 140, 5), (400, 30, 150)]
"""Halves with more rows than columns, and with fewer; more columns than rows; many classes."""


def of_last_layer(matrix: Array) -> Features:
    """Return *matrix* (n, width) as the features of a checkpoint."""
    return Features({"last": matrix}, Pooling("mean", "declared"), 1000, "cpu", "float32", "T", 1.0, False)


def separated(n: int, d: int, classes: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(n)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    return (rng.normal(size=(n, d)) + rng.normal(size=(classes, d))[labels]).astype(np.float32), labels


def made(n: int, d: int, classes: int = 3, seed: int = 0, shift: float = 0.7) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return rng.normal(size=(n, d)) + shift * rng.normal(size=(classes, d))[labels], labels


def several(n: int, labels: int = 4, seed: int = 0) -> Array:
    columns = np.random.default_rng(seed).random((n, labels)) < np.linspace(0.15, 0.5, labels)
    columns[0], columns[1] = False, True
    return columns.astype(int)


def degenerate() -> dict[str, tuple[Array, Array]]:
    f, y = made(24, 5)
    wide, _ = made(24, 60)
    repeated = np.tile(np.arange(12), 2)
    lonely = np.where(np.arange(24) == 7, 9, y)
    graded = np.where(np.arange(24) % 2 == 0, 1e20, 1e-20)[:, None]
    return {
        "more rows than columns": (f, y),
        "fewer rows than columns": (wide, y),
        "a constant column": (np.column_stack([f, np.full(24, 0.1)]), y),
        "repeated rows": (f[repeated], y[repeated]),
        "repeated rows, fewer than columns": (wide[repeated], y[repeated]),
        "one row in a class": (f, lonely),
        "one row in a class, fewer than columns": (wide, lonely),
        "absent numbers": (f, y * 300 - 5),
        "half precision": (f.astype(np.float16), y),
        "rows of 1e-20": (f * 1e-20, y),
        "rows of 1e20": (f * 1e20, y),
        "rows of 1e-20 and of 1e20": (f * graded, y),
        "one column": (f[:, :1], y),
    }


def same(found: Score, expected: Score) -> None:
    for name in ("value", "low", "high", "null", "null_spread"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-8, abs=1e-10), name
    assert found.accuracy == expected.accuracy

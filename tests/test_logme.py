from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hubscan.scores.linalg.banded import banded
from hubscan.scores.logme import NOISE_FLOOR, log_evidence

Array = npt.NDArray[Any]


def best_of(log_density: Any) -> float:
    """Maximise over log 1/α and log 1/β, the latter at least the floor, from four starts."""
    bounds = [(-60, 60), (np.log(NOISE_FLOOR), 5)]
    starts = [(a, b) for a in (-4, 2) for b in (np.log(NOISE_FLOOR) / 2, -1)]
    options = {"xatol": 1e-7, "fatol": 1e-14, "maxiter": 2000}
    runs = [
        minimize(lambda p: -log_density(*p), start, method="Nelder-Mead", bounds=bounds, options=options)
        for start in starts
    ]
    return -float(min(run.fun for run in runs))


def reference(features: Array, target: Array) -> float:
    """log N(y; 0, FFᵀ/α + I/β)/n by Cholesky, maximised; F and y in units of their root mean square."""
    n, scale = len(target), np.sqrt(np.mean(target.astype(float) ** 2))
    covariance = features.astype(float) @ features.astype(float).T
    covariance *= n / np.trace(covariance)

    def log_density(log_signal: float, log_noise: float) -> float:
        c = np.exp(log_signal) * covariance + np.exp(log_noise) * np.eye(n)
        try:
            half = np.linalg.cholesky(c)
        except np.linalg.LinAlgError:
            return -1e9
        z = np.linalg.solve(half, target / scale)
        return float(-0.5 * np.log(2 * np.pi) - np.log(half.diagonal()).mean() - 0.5 * z @ z / n)

    return best_of(log_density) - float(np.log(scale))


def extended_reference(features: Array, target: Array) -> float:
    """The same from the eigenvalues of FFᵀ with 120 digits, for features whose squares overflow float64."""
    with mpmath.workdps(120):
        f, y = mpmath.matrix(features.astype(float).tolist()), mpmath.matrix(target.astype(float).tolist())
        n, mean_square = len(target), sum(v * v for v in y) / len(target)
        values, vectors = mpmath.mp.eigsy(f * f.T)
        largest = max(values)
        along = vectors.T * y
        sigma = np.array([float(max(v, 0) / largest) for v in values])
        z2 = np.array([float(v * v / mean_square) for v in along])
        scale = float(mpmath.sqrt(mean_square))

    def log_density(log_signal: float, log_noise: float) -> float:
        variance = np.exp(log_signal) * sigma + np.exp(log_noise)
        return float(-0.5 * (np.log(2 * np.pi * variance) + z2 / variance).sum() / n)

    return best_of(log_density) - float(np.log(scale))


def one_hot(labels: Array) -> list[Array]:
    return [(labels == c).astype(float) for c in np.unique(labels)]


def made(n: int, d: int, classes: int = 3, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(classes, d))[labels], labels


@pytest.mark.parametrize("offset", [0.0, 10.0])  # on both sides of WIDTH, so with a band and without
@pytest.mark.parametrize(("n", "d"), [(50, 5), (30, 70), (20, 20), (90, 70), (12, 300)])
def test_it_is_the_exact_gaussian_evidence_for_more_rows_than_columns_and_fewer(
    n: int, d: int, offset: float
) -> None:
    features, labels = made(n, d)
    features += offset
    expected = np.mean([reference(features, column) for column in one_hot(labels)])
    assert log_evidence(features, labels) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("n", "d"), [(80, 6), (30, 70)])
def test_a_number_and_several_labels_are_targets_as_they_stand(n: int, d: int) -> None:
    features, labels = made(n, d)
    rng = np.random.default_rng(1)
    number = 50.0 + features @ rng.normal(size=d) + rng.normal(size=n)
    assert log_evidence(features, number) == pytest.approx(reference(features, number), rel=1e-8)
    columns = rng.random((n, 4)) < 0.3
    expected = np.mean([reference(features, column) for column in columns.T.astype(float)])
    assert log_evidence(features, columns) == pytest.approx(expected, rel=1e-8)
    one_of_k = np.stack(one_hot(labels), axis=1).astype(int)
    assert log_evidence(features, one_of_k) == pytest.approx(log_evidence(features, labels), rel=1e-12)
    assert log_evidence(features, number * 1e3) == pytest.approx(
        log_evidence(features, number) - np.log(1e3), rel=1e-10
    )


def degenerate() -> dict[str, tuple[Array, Array]]:
    rng = np.random.default_rng(3)
    f, y = made(12, 5, 2)
    wide, _ = made(12, 30, 2)
    repeated = np.concatenate([np.arange(6), np.arange(6)])
    graded = f * np.where(np.arange(12) % 3 == 0, 1e20, 1e-20)[:, None]
    tiny_column = np.column_stack([f, 1e-9 * rng.normal(size=12)])
    return {
        "a constant column": (np.column_stack([f, np.full(12, 3.0)]), y),
        "a column of zeros": (np.column_stack([f, np.zeros(12)]), y),
        "a repeated column": (np.column_stack([f, f[:, 0]]), y),
        "repeated rows": (f[repeated], y[repeated]),
        "repeated rows, fewer than columns": (wide[repeated], y[repeated]),
        "repeated rows of different labels": (wide[repeated], (np.arange(12) < 5).astype(int)),
        "one row in a class": (f, (np.arange(12) == 4).astype(int)),
        "one row in a class, fewer than columns": (wide, (np.arange(12) == 4).astype(int)),
        "absent numbers": (f, np.where(y == 1, 900, -7)),
        "half precision": (f.astype(np.float16), y),
        "rows of 1e-20": (f * 1e-20, y),
        "rows of 1e20": (f * 1e20, y),
        "rows of 1e-20 and of 1e20": (graded, y),
        "rows of 1e-200": (f * 1e-200, y),
        "rows of 1e200": (wide * 1e200, y),
        "columns of very different scale": (tiny_column, y),
        "a column that is the label": (np.column_stack([f, y]), y),
        "a column that is nearly the label": (np.column_stack([f, y + 1e-5 * rng.normal(size=12)]), y),
    }


@pytest.mark.parametrize("name", degenerate())
def test_it_is_exact_on_degenerate_input(name: str) -> None:
    features, labels = degenerate()[name]
    expected = np.mean([extended_reference(features, column) for column in one_hot(labels)])
    assert log_evidence(features, labels) == pytest.approx(expected, rel=1e-8)


def test_features_of_zeros_leave_the_noise_alone() -> None:
    expected = np.mean(
        [-0.5 * (np.log(2 * np.pi * column.mean()) + 1) for column in one_hot(np.arange(9) % 2)]
    )
    assert log_evidence(np.zeros((9, 4)), np.arange(9) % 2) == pytest.approx(expected, rel=1e-12)
    assert log_evidence(np.zeros((4, 9)), np.arange(4) % 2) == pytest.approx(
        -0.5 * (np.log(np.pi) + 1), rel=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(6, 60),
    d=st.integers(1, 80),
    classes=st.integers(2, 5),
    scale=st.sampled_from([1e-20, 1.0, 1e20, 1e-150, 1e150]),
)
def test_rotating_and_scaling_the_features_permuting_rows_and_renaming_classes_change_nothing(
    seed: int, n: int, d: int, classes: int, scale: float
) -> None:
    features, labels = made(n, d, classes, seed)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
    order, names = rng.permutation(n), rng.permutation(classes) * 17 - 4
    before = log_evidence(features, labels)
    assert log_evidence(features @ rotation * scale, labels) == pytest.approx(before, rel=1e-8)
    assert log_evidence(features[order], names[labels[order]]) == pytest.approx(before, rel=1e-8)


def test_columns_of_zeros_cost_nothing() -> None:
    features, labels = made(30, 20)
    wider = np.column_stack([features, np.zeros((30, 40))])
    assert log_evidence(wider, labels) == pytest.approx(log_evidence(features, labels), rel=1e-10)


@pytest.mark.parametrize(("m", "width"), [(1, 4), (2, 4), (5, 4), (9, 4), (40, 8), (41, 8), (130, 64)])
def test_the_band_has_the_determinant_and_the_forms_of_the_matrix(m: int, width: int) -> None:
    rng = np.random.default_rng(m)
    f, b = rng.normal(size=(2 * m, m)), rng.normal(size=(m, 3))
    matrix = f.T @ f
    kept = matrix.copy()
    band = banded(matrix, b, width)
    assert (matrix == kept).all()
    assert len(band.diagonals) <= width + 1
    log_det, forms, _ = band.shifted(0.3)
    shifted = matrix + 0.3 * np.eye(m)
    assert log_det == pytest.approx(np.linalg.slogdet(shifted)[1], rel=1e-11)
    np.testing.assert_allclose(forms, (b * np.linalg.solve(shifted, b)).sum(axis=0), rtol=1e-10)


def test_a_matrix_that_is_not_positive_definite_is_known_as_such() -> None:
    assert np.isnan(banded(-np.eye(3), np.ones((3, 2))).shifted(0.5)[0])

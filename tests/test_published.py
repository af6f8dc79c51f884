from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubscan.scores.published import equation, listing, plain, projected

Array = npt.NDArray[Any]
EPS = 1e-4


def made(n: int, d: int, classes: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    return rng.normal(size=(n, d)) * 3 + rng.normal(size=(classes, d))[labels] + 1.0, labels


def rate(z: Array) -> float:
    """½ log det(I + ZᵀZ/(n·eps)) by the determinant of the larger Gram matrix, as in the paper."""
    n, d = z.shape
    return float(0.5 * np.linalg.slogdet(np.eye(d) + z.T @ z / (n * EPS))[1])


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 5, 3), (40, 90, 4), (30, 8, 30)])
def test_listing_and_equation_differ_in_the_weights_alone(n: int, d: int, classes: int) -> None:
    features, labels = made(n, d, classes)
    labels[: n // 3] = 0  # unbalanced
    z = features - features.mean(axis=0)
    names, counts = np.unique(labels, return_counts=True)
    rates = np.array([rate(z[labels == c]) for c in names])
    assert listing(features, labels) == pytest.approx(rate(z) - rates.mean(), rel=1e-8)
    assert equation(features, labels) == pytest.approx(rate(z) - counts @ rates / n, rel=1e-8)


def published(z: Array, labels: Array, *, centre: bool) -> float:
    """The published experiments with the eigenvalues of the larger Gram matrix, one by one."""
    whole = np.linalg.eigvalsh(z.T @ z / len(z)).clip(min=0)
    total = whole.sum()
    within = 0.0
    for c in np.unique(labels):
        rows = z[labels == c]
        rows = rows - rows.mean(axis=0) if centre else rows
        spectrum = np.linalg.eigvalsh(rows.T @ rows / len(rows)).clip(min=0)
        within += len(rows) / len(z) * 0.5 * np.log1p(spectrum / total / EPS).sum()
    rank = np.linalg.matrix_rank(z.T @ z, hermitian=True)
    return float((0.5 * np.log1p(whole / total / EPS).sum() - within) / rank)


@pytest.mark.parametrize(("n", "d", "classes"), [(80, 6, 3), (50, 20, 4)])
def test_plain_is_that_of_the_published_experiments(n: int, d: int, classes: int) -> None:
    features, labels = made(n, d, classes)
    z = features / np.linalg.norm(features, axis=1, keepdims=True)
    z = z - z.mean(axis=0)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    assert plain(features, labels) == pytest.approx(published(z, labels, centre=False), rel=1e-8)


@pytest.mark.parametrize(("n", "d", "classes"), [(80, 6, 3), (90, 20, 5)])
def test_projected_is_that_of_the_published_model_selection(n: int, d: int, classes: int) -> None:
    features, labels = made(n, d, classes)
    z = features - features.mean(axis=0)
    between = np.zeros((d, d))
    for c in np.unique(labels):
        mean = z[labels == c].mean(axis=0)
        between += (labels == c).mean() * np.outer(mean, mean)
    projection = np.linalg.inv(z.T @ z / n) @ (between / np.trace(between))
    assert projected(features, labels) == pytest.approx(
        published(z @ projection, labels, centre=True), rel=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), n=st.integers(8, 30), d=st.integers(2, 40), classes=st.integers(2, 4))
def test_turning_the_features_reordering_the_rows_or_renaming_the_classes_changes_nothing(
    seed: int, n: int, d: int, classes: int
) -> None:
    features, labels = made(n, d, classes, seed)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
    order, names = rng.permutation(n), rng.permutation(classes) * 5
    for metric in (listing, equation, plain):
        before = metric(features, labels)
        assert metric(features @ rotation, labels) == pytest.approx(before, rel=1e-6, abs=1e-8)
        assert metric(features[order], names[labels[order]]) == pytest.approx(before, rel=1e-8, abs=1e-10)
    assert equation(features, labels) >= -1e-9


def test_numbers_are_cut_at_quantiles_and_labels_are_taken_one_by_one() -> None:
    features, _ = made(100, 4, 2)
    target = features[:, 0]
    order = np.argsort(np.argsort(target))
    assert equation(features, target) == pytest.approx(equation(features, order // 10))
    columns = np.stack([features[:, 0] > 0, features[:, 1] > 2], axis=1).astype(int)
    shares = columns.sum(axis=0) / columns.sum()
    expected = sum(s * equation(features, c) for s, c in zip(shares, columns.T, strict=True))
    assert equation(features, columns) == pytest.approx(expected)

"""The linear head, compared with fits by its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hubscan.scores import linear_head
from hubscan.scores.linear_head import LinearHead
from hubscan.scores.net_rate import STRENGTHS
from hubscan.scores.targets import as_targets
from tests.support.features import degenerate, made, several

Array = npt.NDArray[Any]


def columns_of(labels: Array) -> Array:
    if labels.ndim == 1 and labels.dtype.kind == "f":
        return labels[:, None]
    return labels.astype(float) if labels.ndim == 2 else (labels[:, None] == np.unique(labels)).astype(float)


def fitted(features: Array, columns: Array, ridge: float) -> tuple[Array, Array]:
    """Weights and feature means of a ridge regression with an unpenalised intercept, by normal equations."""
    mean, n = features.mean(axis=0), len(features)
    z, y = features - mean, columns - columns.mean(axis=0)
    if z.shape[1] <= n:
        return np.linalg.solve(z.T @ z + ridge * np.eye(z.shape[1]), z.T @ y), mean
    return z.T @ np.linalg.solve(z @ z.T + ridge * np.eye(n), y), mean


def refitted(features: Array, labels: Array, ridge: float, groups: Array) -> Array:
    """The prediction for each row by a fit to the rows of other groups, around the mean of all rows."""
    columns = columns_of(labels)
    found = np.empty_like(columns)
    for group in np.unique(groups):
        out = groups == group
        weights, mean = fitted(features[~out], columns[~out], ridge)
        found[out] = columns.mean(axis=0) + (features[out] - mean) @ weights
    return found


def labels_of(kind: str, n: int, features: Array) -> Array:
    noise = np.random.default_rng(1).normal(size=n)
    return {
        "two classes": np.arange(n) % 2,
        "four classes": np.arange(n) % 4,
        "unbalanced classes": np.where(np.arange(n) % 7 == 0, np.arange(n) % 3, 9),
        "several labels": several(n),
        "numbers": 50 + 3 * features[:, 0] + noise,
    }[kind]


KINDS = pytest.mark.parametrize(
    "kind", ["two classes", "four classes", "unbalanced classes", "several labels", "numbers"]
)
SHAPES = pytest.mark.parametrize(("n", "d"), [(60, 5), (60, 40), (40, 90)])


@KINDS
@SHAPES
def test_left_out_outputs_are_those_of_a_fit_without_the_row(kind: str, n: int, d: int) -> None:
    features, _ = made(n, d, 4)
    labels = labels_of(kind, n, features)
    head = linear_head(features, labels)
    expected = refitted(features, labels, head.ridge, np.arange(n))
    assert head.left_out == pytest.approx(expected, abs=1e-9)


GROUPS = {
    "pairs": np.arange(60) // 2,
    "mixed sizes and single rows": np.repeat(np.arange(23), [1] * 12 + [2] * 4 + [3, 3, 4, 5, 5, 7, 13]),
    "larger than the rank": np.repeat([0, 1, 2], [25, 20, 15]),
    "one large and single rows": np.minimum(np.arange(60), 30),
    "two halves": np.arange(60) % 2,
}


@KINDS
@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("d", [5, 40, 90])
def test_left_out_outputs_are_those_of_a_fit_without_the_group(kind: str, name: str, d: int) -> None:
    features, _ = made(60, d, 4)
    labels = labels_of(kind, 60, features)
    groups = np.random.default_rng(0).permutation(GROUPS[name])
    head = linear_head(features, labels, groups=[f"patient {group}" for group in groups])
    expected = refitted(features, labels, head.ridge, groups)
    assert head.left_out == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_groups_of_one_row_each_change_nothing() -> None:
    features, labels = made(60, 12)
    alone = linear_head(features, labels, groups=np.arange(60))
    assert alone.left_out == pytest.approx(linear_head(features, labels).left_out, abs=1e-12)


@KINDS
@SHAPES
def test_coefficients_are_the_ridge_solution_on_the_scale_of_the_features(kind: str, n: int, d: int) -> None:
    features = made(n, d, 4)[0] * 1000 + 5
    labels = labels_of(kind, n, features / 1000)
    head = linear_head(features, labels)
    weights, mean = fitted(features, columns_of(labels), head.ridge)
    found, intercepts = head.coefficients()
    largest = np.abs(weights).max()
    assert found / largest == pytest.approx(weights / largest, abs=1e-9)
    expected = columns_of(labels).mean(axis=0) - mean @ weights
    assert intercepts == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_constant_columns_get_no_weight() -> None:
    features, labels = made(50, 8)
    odd = np.insert(features, 3, 0.1, axis=1)
    (weights, intercepts), (without, others) = (
        linear_head(x, labels).coefficients() for x in (odd, features)
    )
    assert (weights[3] == 0).all()
    assert np.delete(weights, 3, axis=0) == pytest.approx(without, abs=1e-12)
    assert intercepts == pytest.approx(others, abs=1e-12)


def test_constant_features_predict_the_class_shares() -> None:
    labels = np.arange(40) % 4 // 3
    head = linear_head(np.full((40, 3), 0.1), labels)
    weights, intercepts = head.coefficients()
    assert head.ridge == 0.0 and (weights == 0).all()
    assert intercepts == pytest.approx([0.75, 0.25])
    assert head.left_out == pytest.approx(np.tile([0.75, 0.25], (40, 1)))


@pytest.mark.parametrize("scale", [1e-150, 1e-3, 1000.0, 1e20])
def test_the_ridge_is_in_squared_units_of_the_features(scale: float) -> None:
    features, labels = made(60, 12)
    one, scaled = linear_head(features, labels), linear_head(features * scale + scale, labels)
    assert scaled.ridge == pytest.approx(one.ridge * scale**2, rel=1e-9)
    assert scaled.left_out == pytest.approx(one.left_out, abs=1e-9)
    weights, _ = one.coefficients()
    assert scaled.coefficients()[0] * scale == pytest.approx(weights, abs=1e-9)


def test_features_of_1e200_have_the_largest_ridge_there_is_and_finite_coefficients() -> None:
    features, labels = made(60, 12)
    head, one = linear_head(features * 1e200, labels), linear_head(features, labels)
    assert head.ridge == np.finfo(float).max
    assert head.left_out == pytest.approx(one.left_out, abs=1e-9)
    assert head.coefficients()[0] * 1e200 == pytest.approx(one.coefficients()[0], abs=1e-9)


@KINDS
def test_its_ridge_makes_the_weighted_sum_of_the_net_rates_largest(kind: str) -> None:
    features, _ = made(60, 8, 4)
    labels = labels_of(kind, 60, features)
    head, z = linear_head(features, labels), features - features.mean(axis=0)
    columns, weights = columns_of(labels), as_targets(labels).weights
    y = columns - columns.mean(axis=0)
    y = y / np.linalg.norm(y, axis=0)

    def total(ridge: float) -> float:
        hat = z @ np.linalg.solve(z.T @ z + ridge * np.eye(8), z.T)
        left = 1.0 + 1e-9 - np.einsum("it,ij,jt->t", y, hat, y)
        cost = 0.5 * np.linalg.slogdet(np.eye(8) + z.T @ z / ridge)[1] / 59
        return float(weights @ (-0.5 * np.log(left) - cost))

    fine = np.square(z).sum() / 60 * np.exp(-np.arange(STRENGTHS[0], STRENGTHS[-1], 0.05))
    assert total(head.ridge) == pytest.approx(max(map(total, fine)), abs=1e-4)
    assert head.ridge == pytest.approx(max(fine, key=total), rel=0.15)


@pytest.mark.parametrize("groups", [None, *GROUPS])
@pytest.mark.parametrize("d", [5, 40, 90])
def test_tensors_and_rows_read_in_blocks_give_the_same_head(
    groups: str | None, d: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, labels = made(60, d, 4)
    together = None if groups is None else GROUPS[groups]
    expected = linear_head(features, labels, groups=together)
    same(linear_head(torch.tensor(features), torch.tensor(labels), groups=together), expected)
    monkeypatch.setattr("hubscan.scores.linalg.centered.BLOCK_NUMBERS", 7 * d)
    same(linear_head(features, labels, groups=together), expected)


def same(found: LinearHead, expected: LinearHead) -> None:
    assert found.ridge == pytest.approx(expected.ridge, rel=1e-8)
    assert found.left_out == pytest.approx(expected.left_out, abs=1e-9)
    for one, other in zip(found.coefficients(), expected.coefficients(), strict=True):
        assert one == pytest.approx(other, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(6, 40), d=st.integers(1, 60), k=st.integers(2, 5))
def test_left_out_outputs_of_classes_sum_to_one_and_no_rotation_or_shift_moves_them(
    seed: int, n: int, d: int, k: int
) -> None:
    features, labels = made(n, d, k, seed)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
    groups = np.arange(n) % max(2, n // 3)
    head = linear_head(features, labels, groups=groups)
    assert head.left_out.sum(axis=1) == pytest.approx(np.ones(n), abs=1e-7)
    moved = linear_head(features @ rotation + 3.0, labels, groups=groups)
    assert moved.left_out == pytest.approx(head.left_out, abs=1e-6)


@pytest.mark.parametrize("case", degenerate())
def test_degenerate_features_have_finite_heads(case: str) -> None:
    features, labels = degenerate()[case]
    for groups in (None, np.arange(24) // 2, np.arange(24) // 12):
        head = linear_head(features, labels, groups=groups)
        assert np.isfinite(head.left_out).all() and np.isfinite(head.ridge)
        assert all(np.isfinite(part).all() for part in head.coefficients())


def test_a_row_that_is_alone_in_its_direction_is_predicted_like_the_mean() -> None:
    features = np.zeros((40, 2))
    labels = np.arange(40) % 2
    features[:, 0], features[7, 1] = labels, 1.0
    head = linear_head(features, labels)
    assert np.delete(head.left_out, 7, axis=0).argmax(axis=1).tolist() == np.delete(labels, 7).tolist()
    assert np.isfinite(head.left_out).all()

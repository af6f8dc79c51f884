from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubscan.scores import transrate
from hubscan.scores.coding_rate import coding_rate, conditional_rate

Array = npt.NDArray[Any]


def reference_rate(z: Array, eps: float) -> float:
    """The definition by eigenvalues, in extended precision where the sum is taken."""
    eigenvalues = np.linalg.eigvalsh(z.T @ z).astype(np.longdouble).clip(min=0)
    return float(0.5 * np.log1p(eigenvalues / (len(z) * eps)).sum())


def reference_transrate(features: Array, labels: Array, eps: float = 1e-4) -> float:
    z = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    z = z * np.sqrt(len(z) / np.trace(z.T @ z))
    within = sum((labels == c).mean() * reference_rate(z[labels == c], eps) for c in np.unique(labels))
    return reference_rate(z, eps) - float(within)


def made(n: int, d: int, classes: int, seed: int = 0, shift: float = 1.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return rng.normal(size=(n, d)) + shift * rng.normal(size=(classes, d))[labels], labels


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 5, 3), (40, 90, 4), (200, 32, 2), (30, 30, 30)])
def test_raw_is_the_equation_by_eigenvalues(n: int, d: int, classes: int) -> None:
    features, labels = made(n, d, classes)
    assert transrate(features, labels).raw == pytest.approx(reference_transrate(features, labels), rel=1e-9)


def test_both_gram_sides_give_the_same_rate() -> None:
    z = np.random.default_rng(1).normal(size=(50, 80))
    wide, narrow = coding_rate(z, 1e-2), reference_rate(z, 1e-2)
    assert wide == pytest.approx(narrow, rel=1e-12)
    assert coding_rate(z.T, 1e-2 * 50 / 80) == pytest.approx(narrow, rel=1e-12)


def test_classes_are_weighted_by_their_rows_and_absent_numbers_are_no_classes() -> None:
    z = np.random.default_rng(2).normal(size=(10, 3))
    labels = np.array([5] * 9 + [900])
    expected = 0.9 * coding_rate(z[:9], 1e-4) + 0.1 * coding_rate(z[9:], 1e-4)
    assert conditional_rate(z, labels, 1e-4) == pytest.approx(expected, rel=1e-12)


def test_value_is_raw_less_null() -> None:
    score = transrate(*made(120, 16, 3))
    assert score.raw is not None and score.null is not None
    assert score.value == pytest.approx(score.raw - score.null, abs=1e-12)
    low, high = score.interval
    assert low < score.value < high
    assert score.label == "transrate@1"


def test_separated_classes_score_above_their_interval_around_zero_and_above_mixed_ones() -> None:
    apart, together = transrate(*made(300, 8, 3, shift=5.0)), transrate(*made(300, 8, 3, shift=0.0))
    assert apart.interval[0] > max(0.5, together.interval[1])
    assert together.interval[0] < 0 < together.interval[1]


@pytest.mark.parametrize(("n", "d", "classes"), [(100, 8, 2), (100, 200, 5), (60, 30, 10)])
def test_shuffled_labels_score_zero_in_the_mean(n: int, d: int, classes: int) -> None:
    values = [transrate(*made(n, d, classes, seed=s, shift=0.0), seed=s).value for s in range(40)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, -1e20])
def test_constant_features_tell_nothing(value: float) -> None:
    score = transrate(np.full((21, 4), value), np.arange(21) % 2)
    assert (score.raw, score.null, score.value) == (0.0, 0.0, 0.0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(6, 40),
    d=st.integers(1, 60),
    classes=st.integers(2, 5),
    scale=st.sampled_from([1e-20, 1.0, 1e20, 1e200]),
)
def test_turning_scaling_and_moving_the_features_or_renaming_the_classes_changes_nothing(
    seed: int, n: int, d: int, classes: int, scale: float
) -> None:
    features, labels = made(n, d, classes, seed)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
    names = rng.permutation(classes) * 17
    before = transrate(features, labels, seed=seed)
    after = transrate((features @ rotation + 1.0) * scale, labels, seed=seed)
    assert after.raw == pytest.approx(before.raw, rel=1e-7, abs=1e-7)
    assert after.value == pytest.approx(before.value, rel=1e-6, abs=1e-6)
    assert transrate(features, names[labels]).raw == pytest.approx(before.raw, rel=1e-12)
    assert before.raw is not None and before.raw >= -1e-9


def test_the_same_seed_gives_the_same_score_and_half_precision_is_computed_in_double() -> None:
    features, labels = made(80, 12, 4)
    assert transrate(features, labels, seed=3) == transrate(features, labels, seed=3)
    half = features.astype(np.float16)
    assert transrate(half, labels) == transrate(half.astype(np.float64), labels)


@pytest.mark.parametrize(
    ("features", "labels", "said"),
    [
        (np.zeros((4, 2)), np.zeros(3), "expected"),
        (np.zeros(4), np.zeros(4), "expected"),
        (np.array([[1.0], [np.nan]]), np.array([0, 1]), "NaN"),
        (np.zeros((4, 2)), np.zeros(4), "one class"),
    ],
)
def test_what_cannot_be_scored_is_refused(features: Array, labels: Array, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        transrate(features, labels)

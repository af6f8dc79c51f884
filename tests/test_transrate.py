from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from hubscan.scores import logme, transrate
from hubscan.scores.linalg.centered import rows_of
from hubscan.scores.linalg.row_space import row_space
from hubscan.scores.net_rate import STRENGTHS, UNEXPLAINED, decomposed
from hubscan.scores.targets import as_targets
from tests.support.features import degenerate, made, same, several

Array = npt.NDArray[Any]


def value(features: Any, labels: Any) -> float:
    return transrate(features, labels, nulls=0, halves=0).value


def lattice(features: Array, labels: Array) -> Array:
    """The net rate of every label column (T) at every distortion (S), (S, T)."""
    found = decomposed(rows_of(features), as_targets(labels), [np.arange(len(labels))])
    return found.net_rates(0).nats


def distortions(features: Array, log_strengths: Array = STRENGTHS) -> Array:
    """Λ = tr(ZᵀZ)/(nρ)."""
    z = features - features.mean(axis=0)
    return np.asarray(np.square(z).sum() / len(z) * np.exp(-log_strengths))


# -- the definition -----------------------------------------------------------------------------


def log_det(matrix: Array) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def at_most(saved: float) -> float:
    """The saved rate when a share of 1e-9 of every column remains unexplained, as in the implementation."""
    return -0.5 * float(np.log(np.exp(-2.0 * saved) + UNEXPLAINED))


def by_determinants(features: Array, column: Array, ridge: float) -> float:
    """½ log det(S_T + Λ/n) − ½ log det(S_W + Λ/n) − R(Λ)/(n−1); S_W is the scatter that y does not explain."""
    n, d = features.shape
    z = features - features.mean(axis=0)
    y = column - column.mean()
    within = z - np.outer(y, y @ z) / (y @ y)  # for an indicator, this removes the mean of either group
    total, left = (x.T @ x / n + ridge / n * np.eye(d) for x in (z, within))
    cost: float = 0.5 * log_det(np.eye(d) + z.T @ z / ridge) / (n - 1)
    saved: float = 0.5 * log_det(total) - 0.5 * log_det(left)
    return at_most(saved) - cost


def without_group_means(z: Array, column: Array) -> Array:
    found = z.copy()
    for group in (column == 0, column == 1):
        found[group] -= z[group].mean(axis=0)
    return found


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize(("n", "d"), [(90, 6), (60, 25), (40, 70)])
def test_it_is_the_difference_of_log_determinants_at_every_distortion(n: int, d: int, classes: int) -> None:
    features, balanced = made(n, d, classes)
    for labels in (balanced, np.where(np.arange(n) < n // 2, balanced, 0)):
        found = lattice(features, labels)
        for c in range(classes):
            z = features - features.mean(axis=0)
            within = without_group_means(z, (labels == c).astype(int))
            for s, ridge in enumerate(distortions(features)):
                saved = 0.5 * log_det(z.T @ z / n + ridge / n * np.eye(d))
                saved -= 0.5 * log_det(within.T @ within / n + ridge / n * np.eye(d))
                cost = 0.5 * log_det(np.eye(d) + z.T @ z / ridge) / (n - 1)
                assert found[s, c] == pytest.approx(at_most(saved) - cost, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("n", "d"), [(90, 6), (40, 70)])
def test_each_label_or_number_replaces_the_indicator(n: int, d: int) -> None:
    features, _ = made(n, d)
    number = features[:, 0] * 3 + np.random.default_rng(1).normal(size=n) + 50
    for labels in (several(n), number):
        found = lattice(features, labels)
        for t, column in enumerate(labels.reshape(n, -1).T):
            expected = [by_determinants(features, column, ridge) for ridge in distortions(features)]
            assert found[:, t] == pytest.approx(np.array(expected), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("n", "d"), [(90, 6), (40, 70)])
def test_of_a_number_it_saves_half_the_log_of_the_share_that_a_ridge_leaves(n: int, d: int) -> None:
    features, _ = made(n, d)
    number = features[:, 0] + np.random.default_rng(1).normal(size=n)
    z, y = features - features.mean(axis=0), number - number.mean()
    found = lattice(features, number)[:, 0]
    for s, ridge in enumerate(distortions(features)):
        q = y @ z @ np.linalg.solve(z.T @ z + ridge * np.eye(d), z.T @ y) / (y @ y)
        cost = 0.5 * log_det(np.eye(d) + z.T @ z / ridge) / (n - 1)
        assert found[s] == pytest.approx(at_most(-0.5 * np.log(1 - q)) - cost, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("n", "d", "classes"), [(50, 5, 2), (40, 60, 3)])
def test_it_is_the_log_evidence_of_a_ridge_regression_relative_to_no_features(
    n: int, d: int, classes: int
) -> None:
    """By scipy's densities: y minus its mean, which leaves n − 1 numbers, at the most likely noise variance."""
    features, labels = made(n, d, classes)
    without_mean = scipy.linalg.null_space(np.ones((1, n)))  # (n, n − 1)
    x = without_mean.T @ features

    def log_evidence(target: Array, covariance: Array) -> float:
        noise = target @ np.linalg.solve(covariance, target) / (n - 1)
        return float(multivariate_normal(cov=noise * covariance).logpdf(target))

    found = lattice(features, labels)
    for c in range(classes):
        target = without_mean.T @ (labels == c)
        nothing = log_evidence(target, np.eye(n - 1))
        for s, ridge in enumerate(distortions(features)):
            covariance = np.eye(n - 1) + x @ x.T / ridge
            cost = 0.5 * log_det(covariance) / (n - 1)
            expected = at_most((log_evidence(target, covariance) - nothing) / (n - 1) + cost) - cost
            assert found[s, c] == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("n", "d", "classes"), [(90, 6, 3), (40, 45, 4), (60, 9, 2)])
def test_the_value_sums_what_each_class_against_the_rest_saves_at_its_best_distortion(
    n: int, d: int, classes: int
) -> None:
    features, balanced = made(n, d, classes)
    fine = distortions(features, np.arange(STRENGTHS[0], STRENGTHS[-1] + 0.01, 0.1))
    for labels in (balanced, np.where(np.arange(n) < n // 3, balanced, 0)):
        columns = [(labels == c).astype(float) for c in range(classes)]
        best = [max(by_determinants(features, column, ridge) for ridge in fine) for column in columns]
        shares = [column.mean() for column in columns]
        expected = sum(share * max(0.0, one) for share, one in zip(shares, best, strict=True))
        assert value(features, labels) == pytest.approx(expected, abs=2e-4)


def test_several_labels_are_weighted_by_their_share_of_all_positives() -> None:
    features, columns = made(80, 10)[0], several(80)
    shares = columns.sum(axis=0) / columns.sum()
    expected = sum(w * value(features, c.astype(float)) for w, c in zip(shares, columns.T, strict=True))
    assert value(features, columns) == pytest.approx(expected, rel=1e-9)


# -- noise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [64, 384, 768, 2048])
@pytest.mark.parametrize("classes", [2, 10])
def test_noise_scores_next_to_zero_and_its_interval_covers_it_at_every_width(d: int, classes: int) -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(300, d)) / np.sqrt(np.arange(1, d + 1)) ** seed
        score = transrate(features, rng.permutation(np.arange(300) % classes), seed=seed)
        assert score.low is not None and score.high is not None and score.null is not None
        assert score.low <= 0 <= score.high
        assert 0 <= score.value < 0.01
        assert 0 <= score.null < 0.01


def test_null_is_the_mean_over_shuffled_labels() -> None:
    features, labels = made(60, 10)
    rng = np.random.default_rng(3)
    alone = [value(features, rng.permutation(labels)) for _ in range(7)]
    score = transrate(features, labels, nulls=7, seed=3)
    assert score.null == pytest.approx(np.mean(alone), rel=1e-9)
    assert score.null_spread == pytest.approx(np.std(alone, ddof=1), rel=1e-9)
    assert transrate(features, labels, nulls=0).null is None


def test_classes_that_differ_a_little_in_spread_but_not_in_mean_score_about_zero() -> None:
    values = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        labels = np.arange(300) % 3
        features = rng.normal(size=(300, 200)) / np.sqrt(np.arange(1, 201)) * 1.5 ** labels[:, None]
        values.append(value(features, labels))
    assert np.mean(values) < 0.01


def test_constant_features_score_zero() -> None:
    for constant in (0.0, 3.0, 0.1, -1e20):
        score = transrate(np.full((21, 4), constant), np.arange(21) % 2)
        assert (score.null, score.value, *score.interval) == (0.0, 0.0, 0.0, 0.0)


# -- classes with a signal ---------------------------------------------------------------------


def test_features_that_separate_the_classes_perfectly_get_a_large_finite_score() -> None:
    """The score is as large as the smallest distortion of the lattice allows."""
    for classes in (2, 3, 7):
        labels = np.arange(20 * classes) % classes
        for features in (np.eye(classes)[labels], 1e6 * np.eye(classes)[labels] + 3):
            score = transrate(features, labels)
            assert 3.0 < score.value < 20.0
            assert score.interval[0] > 3.0 and np.isfinite(score.interval[1])
            assert score.accuracy is not None and score.accuracy.value == 1.0


def nearly_the_same(perturbed: int, width: int = 16) -> tuple[Array, Array]:
    """60 rows with one vector for each of two classes, from which *perturbed* rows of each class differ."""
    rng = np.random.default_rng(perturbed)
    labels = np.arange(60) % 2
    features = rng.normal(size=(2, width))[labels]
    features[: 2 * perturbed] += 0.1 * rng.normal(size=(2 * perturbed, width))
    return features.astype(np.float32), labels


@pytest.mark.parametrize("perturbed", [0, 1, 2])
@pytest.mark.parametrize("width", [16, 384])
def test_features_that_are_the_same_within_a_class_but_for_a_row_or_two_are_separated(
    perturbed: int, width: int
) -> None:
    features, labels = nearly_the_same(perturbed, width)
    one_class = features.copy()
    one_class[labels == 1] = features[-1]  # perturbed rows in one class only
    for rows in (features, one_class):
        score = transrate(rows, labels)
        assert 1.0 < score.value < 20.0
        assert np.isfinite(score.interval).all() and score.null is not None
        assert score.accuracy is not None and score.accuracy.value > 0.95


def test_separated_classes_score_above_mixed_ones() -> None:
    apart, together = transrate(*made(300, 8, 3, shift=5.0)), transrate(*made(300, 8, 3, shift=0.0))
    assert apart.interval[0] > 0.5
    assert apart.interval[0] > together.interval[1]
    assert together.interval[0] <= 0 <= together.interval[1]
    assert apart.label == "transrate@4"


def test_the_interval_is_about_as_wide_as_the_values_of_other_samples_spread() -> None:
    means = 0.2 * np.random.default_rng(99).normal(size=(4, 100))
    found = []
    for seed in range(25):
        features, labels = made(200, 100, 4, seed=seed, shift=0.0)
        found.append(transrate(features + means[labels], labels, nulls=0))
    spread = np.std([score.value for score in found])
    errors = [(score.interval[1] - score.interval[0]) / (2 * 2.262) for score in found]
    assert 0.6 < np.mean(errors) / spread < 2


# -- invariance and input -----------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(6, 40),
    d=st.integers(1, 60),
    classes=st.integers(2, 5),
    scale=st.sampled_from([1e-20, 1.0, 1e20, 1e200]),
)
def test_rotation_scale_shift_constant_columns_and_the_names_of_classes_change_nothing(
    seed: int, n: int, d: int, classes: int, scale: float
) -> None:
    features, labels = made(n, d, classes, seed)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
    before = transrate(features, labels, seed=seed)
    moved = np.hstack([features @ rotation + 1.0, np.full((n, 3), [0.0, 0.1, -7.0])]) * scale
    after = transrate(moved, labels, seed=seed)
    for name in ("value", "low", "high", "null"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-6, abs=1e-6), name
    names = rng.permutation(classes) * 17 - 2
    assert value(features, names[labels]) == pytest.approx(before.value, rel=1e-9, abs=1e-9)
    rows = rng.permutation(n)
    assert value(features[rows], labels[rows]) == pytest.approx(before.value, rel=1e-7, abs=1e-7)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-200, 1e-20, 1e20, 1e200]))
def test_of_numbers_neither_their_scale_nor_their_shift_matters(seed: int, scale: float) -> None:
    features, _ = made(40, 6, seed=seed)
    number = features[:, 0] + np.random.default_rng(seed).normal(size=40)
    assert value(features, (number + 3.0) * scale) == pytest.approx(value(features, number), rel=1e-8)


@pytest.mark.parametrize("case", degenerate())
def test_degenerate_features_have_finite_scores_and_accuracies(case: str) -> None:
    score = transrate(*degenerate()[case])
    assert score.accuracy is not None and score.null is not None
    assert np.isfinite([score.value, *score.interval, score.null, score.accuracy.error]).all()
    assert 0 <= score.value < 20 and 0 <= score.accuracy.value <= 1


def test_rows_from_the_ends_of_the_numbers_and_lone_or_repeated_rows_have_finite_scores() -> None:
    features, labels = made(40, 10, 3)
    odd = features.copy()
    odd[0], odd[1] = 1e20, 1e-20
    lone = np.concatenate([np.arange(30), np.zeros(10, np.int64)])
    repeated = np.repeat(features[:2], 20, axis=0)
    for x, y in (
        (odd, labels),
        (features, lone),
        (features, np.arange(40)),
        (np.repeat(features[:8], 5, axis=0), labels),
        (repeated, np.repeat([0, 1], 20)),
        (features[:2], labels[:2]),
        (features[:3, :1], labels[:3]),
    ):
        score = transrate(x, y)
        assert score.accuracy is not None and score.null is not None
        assert np.isfinite([score.value, *score.interval, score.null, score.accuracy.value]).all()


def test_a_label_that_one_half_has_alone_leaves_the_interval_finite() -> None:
    columns = np.zeros((60, 2), int)
    columns[5, 0] = columns[::2, 1] = 1
    assert np.isfinite(transrate(made(60, 4)[0], columns).interval).all()


def test_the_same_seed_gives_the_same_score_and_half_precision_is_computed_in_double() -> None:
    features, labels = made(80, 12, 4)
    assert transrate(features, labels, seed=3) == transrate(features, labels, seed=3)
    half = features.astype(np.float16)
    assert transrate(half, labels) == transrate(half.astype(np.float64), labels)


@pytest.mark.parametrize("metric", [transrate, logme])
def test_lists_and_tables_score_as_arrays(metric: Any) -> None:
    features, labels = made(40, 5)
    expected = metric(features, labels, nulls=2, halves=2)
    assert metric(features.tolist(), labels.tolist(), nulls=2, halves=2) == expected
    same(metric(pd.DataFrame(features), pd.Series(labels), nulls=2, halves=2), expected)


def test_fewer_than_two_halves_give_no_interval() -> None:
    for halves in (0, 1):
        score = transrate(*made(40, 5), halves=halves)
        assert score.low is None and score.high is None


@pytest.mark.parametrize(
    ("features", "labels", "said"),
    [
        (np.zeros((4, 2)), np.arange(3) % 2, "as many labels"),
        (np.zeros(4), np.arange(4) % 2, "expected"),
        (np.array([[1.0], [np.nan]]), np.array([0, 1]), "NaN"),
        (np.zeros((4, 2)), np.zeros(4, int), "one class"),
    ],
)
def test_invalid_input_is_refused(features: Array, labels: Array, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        transrate(features, labels)


@pytest.mark.parametrize(("n", "d"), [(200, 30), (100, 60), (60, 90)])
def test_directions_of_hardly_any_variance_break_nothing(n: int, d: int) -> None:
    features, labels = made(n, d, 3)
    uneven = features * np.logspace(0, -8, d)
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(d, d)))
    score, turned = transrate(uneven, labels), transrate(uneven @ rotation, labels)
    assert turned.value == pytest.approx(score.value, rel=1e-3)
    assert turned.interval == pytest.approx(score.interval, rel=1e-2)
    space = row_space(rows_of(uneven @ rotation))
    u = np.concatenate([block for _, block in space.blocks()])
    assert u.T @ u == pytest.approx(np.eye(space.rank), abs=1e-6)
    assert transrate(uneven.astype(np.float32), labels).value > 0


def test_a_weak_feature_that_two_rows_have_alone_changes_little() -> None:
    """Halves without both rows lack the direction; only rounding of the strong features remains of it."""
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 10
    features = rng.normal(size=(600, 40)) * np.geomspace(300.0, 1.0, 40) + rng.normal(size=(10, 40))[labels]
    lone = np.zeros((600, 1))
    lone[[3, 7], 0] = 0.05, 0.06
    score = transrate(np.hstack([features, lone]), labels, nulls=0)
    low, high = score.interval
    assert low <= score.value <= high
    assert score.value == pytest.approx(value(features, labels), abs=0.01)


def test_wide_features_of_few_dimensions_score_as_the_dimensions_do() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    narrow = rng.normal(size=(200, 8)) + rng.normal(size=(3, 8))[labels]
    turned = (
        narrow @ np.linalg.qr(rng.normal(size=(600, 8)))[0].T
    )  # like the features of an encoder that knows no word
    one, other = transrate(narrow, labels, nulls=2), transrate(turned, labels, nulls=2)
    assert (other.value, other.low) == pytest.approx((one.value, one.low), abs=1e-8)

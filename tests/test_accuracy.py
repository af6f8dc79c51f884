"""The accuracy of the linear head on rows that it was not fitted to, and its standard error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, f1_score, r2_score

from hubscan.records import Accuracy, AccuracyKind
from hubscan.scores import accuracy, linear_head, transrate
from hubscan.scores.accuracy import best_threshold, head_accuracy, head_predictions, resampled
from tests.support.features import made, several

Array = npt.NDArray[Any]


def of_head(features: Any, labels: Any, groups: Any = None, representative: bool = False) -> Accuracy:
    return head_accuracy(
        linear_head(features, labels, groups=groups), labels, groups, representative=representative
    )


# -- chance ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("representative", [False, True])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("d", [64, 384, 768, 2048])
def test_noise_is_right_as_often_as_chance_within_two_errors_at_every_width(
    d: int, classes: int, representative: bool
) -> None:
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        features, labels = rng.normal(size=(400, d)), rng.permutation(np.arange(400) % classes)
        found.append(of_head(features, labels, representative=representative))
    error = np.sqrt(np.sum(np.square([one.error for one in found]))) / len(found)
    assert abs(np.mean([one.value for one in found]) - 1 / classes) <= 2 * error + 1e-12


def test_with_the_class_shares_of_the_other_rows_noise_would_be_right_far_below_chance() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(200, 384)), rng.permutation(np.arange(200) % 2)
    left_out = linear_head(features, labels).left_out[:, 1]
    assert np.mean((left_out > 0.5) == labels) == pytest.approx(0.5, abs=2 * np.sqrt(0.25 / 200))
    without_the_row = left_out - (labels - 0.5) / 199
    assert np.mean((without_the_row > 0.5) == labels) < 0.3


def test_constant_features_are_right_as_often_as_chance() -> None:
    labels = np.arange(90) % 3
    found = of_head(np.ones((90, 4)), labels)
    assert found.kind == "balanced_accuracy" and found.error == 0.0
    assert found.value == pytest.approx(1 / 3)
    assert of_head(np.ones((90, 4)), labels // 2, representative=True).value == pytest.approx(2 / 3)


# -- which accuracy it is -------------------------------------------------------------------------


def two_classes(counts: tuple[int, int], seed: int) -> tuple[Array, Array]:
    labels = np.repeat([0, 1], counts)
    features = np.random.default_rng(seed).normal(size=(len(labels), 10))
    features[:, 0] += 1.5 * labels
    return features, labels


def test_a_split_of_95_to_5_read_balanced_is_balanced_accuracy_and_in_proportion_is_accuracy() -> None:
    balanced = transrate(*two_classes((500, 500), 0), nulls=0, halves=0).accuracy
    proportional = transrate(*two_classes((1900, 100), 1), nulls=0, halves=0, representative=True).accuracy
    assert balanced is not None and proportional is not None
    bayes = 0.773  # recall of both classes with the threshold in the middle: Φ(0.75)
    assert balanced.kind == "balanced_accuracy"
    assert balanced.value == pytest.approx(bayes, abs=0.03)
    assert balanced.also == {}
    assert proportional.kind == "accuracy"
    assert 0.945 < proportional.value < 0.96  # the most frequent class has 95 %
    assert proportional.also["balanced_accuracy"] < 0.6


def test_a_sample_whose_class_shares_are_unknown_reads_balanced_accuracy_whatever_they_are() -> None:
    found = of_head(*two_classes((1900, 100), 1))
    assert found.kind == "balanced_accuracy" and 0.5 <= found.value < 0.6


@pytest.mark.parametrize("representative", [False, True])
def test_numbers_and_several_labels_are_r2_and_micro_f1_in_either_case(representative: bool) -> None:
    features, _ = made(80, 6)
    for labels, kind in ((features[:, 0], "r2"), (several(80), "micro_f1")):
        assert of_head(features, labels, representative=representative).kind == kind


# -- the values -----------------------------------------------------------------------------------


def drawn(seed: int, n: int = 60, classes: int = 4) -> tuple[Array, Array]:
    """Predictions and labels with gaps in their numbers, with classes that are never predicted or never true."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, size=n) * 7 - 3
    predicted = np.where(rng.random(n) < 0.6, labels, rng.choice(classes + 1, size=n) * 7 - 3)
    return predicted, labels


SEEDS = given(seed=st.integers(0, 9999))


@settings(max_examples=30)
@SEEDS
def test_accuracy_balanced_accuracy_and_macro_f1_are_scikit_learns(seed: int) -> None:
    predicted, labels = drawn(seed)
    found = accuracy(predicted, labels, "accuracy")
    balanced = np.mean([(predicted[labels == c] == c).mean() for c in np.unique(labels)])
    assert found.value == pytest.approx((predicted == labels).mean())
    assert found.also["balanced_accuracy"] == pytest.approx(balanced)
    f1 = f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    assert found.also["macro_f1"] == pytest.approx(f1)
    there = np.isin(predicted, labels)  # scikit-learn warns of classes that are predicted but never true
    expected = balanced_accuracy_score(labels[there], predicted[there])
    assert accuracy(predicted[there], labels[there], "balanced_accuracy").value == pytest.approx(expected)


@settings(max_examples=30)
@SEEDS
def test_r2_and_spearman_are_scikit_learns_and_scipys_with_ties_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.round(rng.normal(size=40), 1) + 100
    predicted = np.round(labels + rng.normal(size=40), 1)
    found = accuracy(predicted, labels, "r2")
    assert found.value == pytest.approx(r2_score(labels, predicted))
    assert found.also["spearman"] == pytest.approx(spearmanr(labels, predicted)[0])


@settings(max_examples=30)
@SEEDS
def test_micro_and_macro_f1_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = several(50, seed=seed)
    predicted = np.where(rng.random(labels.shape) < 0.7, labels, 1 - labels)
    found = accuracy(predicted, labels, "micro_f1")
    assert found.value == pytest.approx(f1_score(labels, predicted, average="micro"))
    assert found.also["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))


def test_numbers_of_1e200_have_an_r2() -> None:
    labels = np.arange(20.0) ** 2
    predicted = labels + np.random.default_rng(0).normal(size=20)
    found, large = accuracy(predicted, labels, "r2"), accuracy(predicted * 1e200, labels * 1e200, "r2")
    assert (large.value, large.error) == pytest.approx((found.value, found.error))


def test_predictions_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        accuracy(np.zeros(3, int), np.zeros(4, int), "accuracy")


# -- predictions of the head ----------------------------------------------------------------------


def test_the_class_of_the_largest_left_out_output_is_predicted_by_its_own_number() -> None:
    features, labels = made(60, 8, 3)
    head = linear_head(features, labels * 300 - 5)
    predicted = head_predictions(head, labels * 300 - 5)
    assert predicted.tolist() == (head.left_out.argmax(axis=1) * 300 - 5).tolist()


def test_label_columns_that_are_the_same_for_all_rows_are_predicted_as_they_are_and_do_not_count() -> None:
    features, _ = made(60, 8)
    columns = several(60)
    more = np.column_stack([np.ones(60, int), columns[:, :2], np.zeros(60, int), columns[:, 2:]])
    predicted = head_predictions(linear_head(features, more), more)
    assert (predicted[:, 0] == 1).all() and (predicted[:, 3] == 0).all()
    without = head_predictions(linear_head(features, columns), columns)
    assert (predicted[:, [1, 2, 4, 5]] == without).all()
    assert of_head(features, more) == of_head(features, columns)


@settings(max_examples=60)
@given(seed=st.integers(0, 9999), n=st.integers(2, 12), labels=st.integers(1, 3), distinct=st.integers(1, 30))
def test_the_threshold_for_several_labels_is_the_best_of_all(
    seed: int, n: int, labels: int, distinct: int
) -> None:
    rng = np.random.default_rng(seed)
    outputs = rng.integers(0, distinct, size=(n, labels)) / distinct
    columns = (rng.random((n, labels)) < 0.4).astype(float)
    columns[0, 0] = 1.0

    def micro_f1(threshold: float) -> float:
        marked = outputs > threshold
        return float(2 * (marked * columns).sum() / (marked.sum() + columns.sum()))

    best = max(micro_f1(threshold) for threshold in np.append(np.unique(outputs), -1.0))
    assert micro_f1(best_threshold(outputs, columns)) == pytest.approx(best)


# -- the error ------------------------------------------------------------------------------------

KINDS: tuple[AccuracyKind, ...] = ("accuracy", "balanced_accuracy", "r2", "micro_f1")


def case(kind: AccuracyKind, n: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    if kind == "r2":
        labels = rng.normal(size=n)
        return labels + 0.8 * rng.normal(size=n), labels
    if kind == "micro_f1":
        labels = several(n, seed=seed)
        return np.where(rng.random(labels.shape) < 0.75, labels, 1 - labels), labels
    return drawn(seed, n)


@pytest.mark.parametrize("kind", KINDS)
def test_resampled_with_whole_weights_is_the_value_of_repeated_rows(kind: AccuracyKind) -> None:
    predicted, labels = case(kind, 60)
    rng = np.random.default_rng(1)
    weights = rng.multinomial(60, np.full(60, 1 / 60), size=20).astype(float)
    found = resampled(predicted, labels, kind, weights)
    for value, counts in zip(found, weights.astype(int), strict=True):
        repeated = np.repeat(np.arange(60), counts)
        assert value == pytest.approx(accuracy(predicted[repeated], labels[repeated], kind).value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_that_of_a_bootstrap_over_rows(kind: AccuracyKind) -> None:
    predicted, labels = case(kind, 400)
    weights = np.random.default_rng(1).multinomial(400, np.full(400, 1 / 400), size=2000).astype(float)
    expected = np.std(resampled(predicted, labels, kind, weights))
    assert accuracy(predicted, labels, kind).error == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_that_of_a_bootstrap_over_groups(kind: AccuracyKind) -> None:
    predicted, labels = case(kind, 150)
    sizes = np.random.default_rng(2).integers(1, 6, size=150)
    groups = np.repeat(np.arange(150), sizes)  # copies of a row
    predicted, labels = predicted[groups], labels[groups]
    drawn_groups = np.random.default_rng(1).multinomial(150, np.full(150, 1 / 150), size=2000)
    expected = np.std(resampled(predicted, labels, kind, drawn_groups[:, groups].astype(float)))
    found = accuracy(predicted, labels, kind, [f"author {group}" for group in groups])
    assert found.error == pytest.approx(expected, rel=0.15)
    assert found.error > 1.4 * accuracy(predicted, labels, kind).error


def test_the_error_of_plain_accuracy_is_the_binomial_one() -> None:
    predicted, labels = drawn(3, 200)
    share = (predicted == labels).mean()
    expected = np.sqrt(share * (1 - share) / 199)
    assert accuracy(predicted, labels, "accuracy").error == pytest.approx(expected)


@pytest.mark.parametrize("representative", [False, True])
def test_the_error_covers_how_far_unseen_rows_are_from_the_left_out_ones(representative: bool) -> None:
    """The saved head on many new rows, compared with its accuracy on left-out rows."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(3, 30)) * 0.3
    distances = []
    for _ in range(12):
        labels = np.arange(300) % 3
        features = rng.normal(size=(300, 30)) + means[labels]
        found = of_head(features, labels, representative=representative)
        weights, intercepts = linear_head(features, labels).coefficients()
        fresh = rng.normal(size=(6000, 30)) + means[np.arange(6000) % 3]
        right = np.mean((fresh @ weights + intercepts).argmax(axis=1) == np.arange(6000) % 3)
        distances.append((found.value - right) / found.error)
    assert abs(np.mean(distances)) < 3 / np.sqrt(12)
    assert 0.5 < np.std(distances) < 1.7


# -- groups ---------------------------------------------------------------------------------------


def test_copies_of_a_row_give_it_away_unless_they_are_one_group() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, 100)), rng.permutation(np.arange(60) % 2)
    groups = np.repeat(np.arange(60), 4)
    copies = np.repeat(features, 4, axis=0) + 0.01 * rng.normal(size=(240, 100))
    apart, together = (of_head(copies, labels[groups], g) for g in (None, groups))
    assert apart.value > 0.95
    assert abs(together.value - 0.5) < 2 * together.error
    assert together.error > 1.5 * np.sqrt(0.25 / 240)

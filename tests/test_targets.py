from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hubscan.scores.linalg.centered import centred
from hubscan.scores.targets import as_features, as_targets, checked, kind_of, quantile_classes

Array = npt.NDArray[Any]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([3, 1, 3], "classes"),
        (np.array([True, False]), "classes"),
        (np.array([1, 2], np.uint8), "classes"),
        ([0.0, 1.0, 0.0], "numbers"),
        (np.array([1, 2], np.float16), "numbers"),
        (np.eye(3), "multilabel"),
        (np.eye(3, dtype=bool), "multilabel"),
        (torch.tensor([0, 1]), "classes"),
        (torch.tensor([0.5, 1.0]), "numbers"),
    ],
)
def test_dtype_and_shape_decide_what_labels_are(labels: Any, kind: str) -> None:
    assert kind_of(labels) == kind
    assert as_targets(labels).kind == kind


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array(["a", "b"]), "not <U1"),
        (np.array([None, 1]), "not object"),
        (np.array([1j, 2]), "not complex128"),
        (np.zeros((2, 2, 2)), "expected"),
        (np.array(1), "expected"),
        ([4, 4, 4], "one class"),
        (np.array([], int), "one class"),
        (np.array([]), "constant target"),
        ([2.5, 2.5], "constant target"),
        ([1.0, np.nan], "NaN"),
        ([1.0, np.inf], "NaN"),
        (np.array([[0, 2], [1, 0]]), "only 0 and 1"),
        (np.array([[0.5, 0], [1, 0]]), "only 0 and 1"),
        (np.array([[0, np.nan], [1, 0]]), "NaN"),
        (np.array([[0, 1], [0, 1]]), "every label column is constant"),
        (np.zeros((3, 0), int), "every label column is constant"),
    ],
)
def test_constant_or_invalid_labels_are_refused(labels: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        as_targets(labels)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (np.zeros(3), r"\(n, d\)"),
        (np.zeros((3, 0)), r"\(n, d\)"),
        (np.zeros((2, 2, 2)), r"\(n, d\)"),
        (np.array([[1.0], [np.nan]]), "NaN"),
        (np.array([[1.0], [-np.inf]]), "NaN"),
        (np.array([[np.inf]], np.float16), "NaN"),
        (np.array([["a"]]), "real numbers"),
        (np.array([[1j]]), "real numbers"),
    ],
)
def test_features_that_are_no_finite_matrix_are_refused(features: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        as_features(features)


def test_labels_and_features_have_as_many_rows() -> None:
    with pytest.raises(ValueError, match="as many labels as rows expected"):
        checked(np.zeros((3, 2)), [0, 1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8])
def test_a_tensor_is_taken_as_the_array_it_holds(dtype: torch.dtype) -> None:
    tensor = torch.tensor([[1.0, -2.0], [3.0, 0.0]], dtype=dtype)
    if dtype.is_floating_point:
        tensor.requires_grad_()
    assert as_features(tensor).tolist() == [[1.0, -2.0], [3.0, 0.0]]
    assert as_features(tensor).dtype == np.float64


def test_absent_class_numbers_are_no_classes_and_constant_label_columns_are_left_out() -> None:
    targets = as_targets([900, -5, 900, 7])
    assert targets.classes.tolist() == [2, 0, 2, 1]
    assert targets.columns.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert targets.weights.tolist() == [0.25, 0.25, 0.5]
    labels = as_targets(np.array([[1, 0, 1, 0], [1, 0, 0, 1], [1, 0, 1, 1], [1, 0, 1, 0]]))
    assert labels.columns.T.tolist() == [[1, 0, 1, 1], [0, 1, 1, 0]]
    assert labels.weights.tolist() == [0.6, 0.4]


def test_each_label_is_a_problem_against_the_rest_and_classes_are_one_problem() -> None:
    several = as_targets(np.array([[1, 0], [1, 1], [0, 1], [1, 0]]))
    problems = several.problems()
    assert [w for w, _ in problems] == [0.6, 0.4]
    assert [c.tolist() for _, c in problems] == [[1, 1, 0, 1], [0, 1, 1, 0]]
    ((weight, classes),) = as_targets([5, 3, 5]).problems()
    assert (weight, classes.tolist()) == (1.0, [1, 0, 1])
    with pytest.raises(ValueError, match="no single class"):
        _ = several.classes


def test_numbers_are_cut_into_bins_of_equal_count() -> None:
    target = np.random.default_rng(0).permutation(200).astype(float)
    classes = quantile_classes(target)
    assert np.bincount(classes).tolist() == [20] * 10
    assert all(target[classes == c].max() < target[classes == c + 1].min() for c in range(9))
    assert quantile_classes(target[:30]).max() == 2
    assert quantile_classes(np.array([1.0, 2.0])).tolist() == [0, 1]
    assert np.bincount(quantile_classes(target, bins=4)).tolist() == [50] * 4


@given(
    values=st.lists(st.integers(-3, 12), min_size=2, max_size=60).filter(lambda v: len(set(v)) > 1),
    bins=st.integers(2, 12),
    seed=st.integers(0, 99),
)
def test_bins_follow_values_and_ties_stay_together_whatever_the_order_of_rows(
    values: list[int], bins: int, seed: int
) -> None:
    target = np.array(values, float)
    classes = quantile_classes(target, bins)
    order = np.random.default_rng(seed).permutation(len(target))
    assert (quantile_classes(target[order], bins) == classes[order]).all()
    assert (quantile_classes(np.exp(target), bins) == classes).all()
    assert set(classes) == set(range(classes.max() + 1))
    assert classes.max() >= 1
    for value in set(values):
        assert len(set(classes[target == value])) == 1
    by_value = classes[np.argsort(target, kind="stable")]
    assert (np.diff(by_value) >= 0).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1.0, 1e20, 1e300])
def test_centring_leaves_nothing_of_a_constant_column_at_any_scale(scale: float) -> None:
    z = np.random.default_rng(0).normal(size=(37, 4))
    z[:, 2] = 0.1
    found = centred(z * scale)
    assert (found[:, 2] == 0).all()
    assert np.abs(found).max() == 1.0
    moved = z - z.mean(axis=0)
    np.testing.assert_allclose(found[:, :2], moved[:, :2] / np.abs(moved).max(), atol=1e-12)
    assert not centred(np.full((5, 2), 0.3 * scale)).any()

"""H-score, N-LEEP, nearest neighbours, the probe and the size, and properties of every metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, r2_score
from sklearn.mixture import GaussianMixture

from hubscan.scores import transrate
from hubscan.scores.hscore import h_score
from hubscan.scores.knn import nearest_neighbours
from hubscan.scores.logme import log_evidence
from hubscan.scores.nleep import n_leep
from hubscan.scores.probe import PENALTIES, linear_probe
from hubscan.scores.scoring import log_size
from hubscan.scores.targets import quantile_classes
from tests.support.features import degenerate, made, several

Array = npt.NDArray[Any]
Function = Callable[[Any, Any], float]


@wraps(transrate)
def ranks(features: Any, labels: Any) -> float:
    return transrate(features, labels, nulls=0, halves=0).value


METRICS: dict[str, Function] = {
    "logme": log_evidence,
    "hscore": h_score,
    "nleep": n_leep,
    "knn": nearest_neighbours,
    "probe": linear_probe,
    "transrate": ranks,
}


CASES = pytest.mark.parametrize("case", degenerate())


# -- H-score ------------------------------------------------------------------------------------------


def reference_h(features: Array, labels: Array) -> float:
    """The H-score with scikit-learn's covariance and an explicit inverse, on features that it can square."""
    z = features.astype(float) / np.abs(features).max()
    covariance = LedoitWolf().fit(z)
    total = z.mean(axis=0)
    between = np.zeros((z.shape[1], z.shape[1]))
    for c in np.unique(labels):
        off = z[labels == c].mean(axis=0) - total
        between += (labels == c).mean() * np.outer(off, off)
    return float(np.trace(np.linalg.inv(covariance.covariance_) @ between) * (1 - covariance.shrinkage_))


@CASES
def test_h_score_is_the_one_with_scikit_learns_covariance_inverted(case: str) -> None:
    features, labels = degenerate()[case]
    assert h_score(features, labels) == pytest.approx(reference_h(features, labels), rel=1e-8)


@pytest.mark.parametrize(("n", "d"), [(80, 6), (40, 90)])
def test_h_score_bins_numbers_and_weighs_labels_by_their_frequency(n: int, d: int) -> None:
    features, _ = made(n, d)
    number = features[:, 0] + 0.1 * features[:, 1]
    assert h_score(features, number) == pytest.approx(
        reference_h(features, quantile_classes(number)), rel=1e-8
    )
    columns = several(n)
    shares = columns.sum(axis=0) / columns.sum()
    expected = sum(w * reference_h(features, c) for w, c in zip(shares, columns.T, strict=True))
    assert h_score(features, columns) == pytest.approx(expected, rel=1e-8)


def test_h_score_of_two_opposite_points_needs_no_inverse() -> None:
    """Here the shrinkage of Ledoit and Wolf is 0, and the covariance of rank 1 is singular."""
    assert h_score(np.array([[1.0, 2, 3], [-1, -2, -3]] * 5), np.arange(10) % 2) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(6, 50), d=st.integers(1, 70), k=st.integers(2, 5))
def test_h_score_keeps_its_bounds_and_is_blind_to_rotation_shift_and_scale(
    seed: int, n: int, d: int, k: int
) -> None:
    features, labels = made(n, d, k, seed)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))
    score = h_score(features, labels)
    assert 0 <= score <= k - 1 + 1e-9
    assert h_score((features @ rotation + 3.0) * 1e-9, labels) == pytest.approx(score, rel=1e-6, abs=1e-9)


# -- N-LEEP -------------------------------------------------------------------------------------------


def reference_n_leep(features: Array, labels: Array) -> float:
    """N-LEEP with scikit-learn's components and mixture, then by the definition row by row."""
    z = features.astype(float) / np.abs(features).max()
    components = PCA(0.8, svd_solver="full").fit_transform(z)
    components *= np.where((components**3).sum(axis=0) < 0, -1, 1) / np.sqrt((components**2).mean())
    n, classes = len(z), np.unique(labels)
    clusters = min(5 * len(classes), n // 5, len(np.unique(z, axis=0)))
    mixture = GaussianMixture(clusters, covariance_type="diag", random_state=0)
    mixture.fit(components[np.argsort(components[:, 0], kind="stable")])
    posterior = mixture.predict_proba(components)
    total = 0.0
    for i in range(n):
        given = [posterior[labels == labels[i], z].sum() / posterior[:, z].sum() for z in range(clusters)]
        total += float(np.log(np.dot(given, posterior[i])))
    return total / n


@CASES
def test_n_leep_is_the_definition_row_by_row(case: str) -> None:
    features, labels = degenerate()[case]
    assert n_leep(features, labels) == pytest.approx(reference_n_leep(features, labels), rel=1e-8, abs=1e-8)


def test_n_leep_of_constant_features_is_the_entropy_of_the_labels() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2])
    shares = np.array([0.6, 0.3, 0.1])
    assert n_leep(np.full((10, 4), 0.3), labels) == pytest.approx((shares * np.log(shares)).sum())


def test_n_leep_of_several_labels_is_the_weighted_mean_of_each_against_the_rest() -> None:
    features, columns = made(90, 12)[0], several(90)
    shares = columns.sum(axis=0) / columns.sum()
    expected = sum(w * n_leep(features, c) for w, c in zip(shares, columns.T, strict=True))
    assert n_leep(features, columns) == pytest.approx(expected)
    assert n_leep(features, features[:, 0]) == n_leep(features, quantile_classes(features[:, 0]))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_n_leep_is_blind_to_rotation_shift_and_scale(seed: int) -> None:
    features, labels = made(120, 6, 3, seed, shift=1.5)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))
    moved = (features @ rotation + 3.0) * 1e6
    assert n_leep(moved, labels) == pytest.approx(n_leep(features, labels), rel=1e-5, abs=1e-6)


# -- nearest neighbours -------------------------------------------------------------------------------


def reference_shares(features: Array, k: int) -> Array:
    """The weight of every row in the prediction for every other, one pair at a time."""
    n = len(features)
    rows = [[float(v) for v in row] for row in features]
    units = []
    for row in rows:
        largest = max(map(abs, row)) or 1.0
        length = sum((v / largest) ** 2 for v in row) ** 0.5 or 1.0
        units.append([v / largest / length for v in row])
    shares = np.zeros((n, n))
    for i in range(n):
        cosine = {j: sum(a * b for a, b in zip(units[i], units[j], strict=True)) for j in range(n) if j != i}
        kth = sorted(cosine.values(), reverse=True)[k - 1]
        nearer = [j for j in cosine if cosine[j] > kth + 1e-10]
        tied = [j for j in cosine if abs(cosine[j] - kth) <= 1e-10]
        shares[i, nearer] = 1 / k
        shares[i, tied] = (k - len(nearer)) / len(tied) / k
    return shares


def reference_accuracy(votes: Array, labels: Array) -> float:
    classes, right = np.unique(labels), 0.0
    for row, label in zip(votes, labels, strict=True):
        winners = [c for c, v in zip(classes, row, strict=True) if v > row.max() - 1e-9]
        right += (label in winners) / len(winners)
    return right / len(labels)


@CASES
@pytest.mark.parametrize("k", [1, 5])
def test_neighbours_are_those_of_a_search_pair_by_pair(case: str, k: int) -> None:
    features, labels = degenerate()[case]
    shares = reference_shares(features, k)
    votes = np.stack([shares @ (labels == c) for c in np.unique(labels)], axis=1)
    expected = reference_accuracy(votes, labels)
    assert nearest_neighbours(features, labels, k=k) == pytest.approx(expected, rel=1e-8)


def test_neighbours_predict_numbers_and_rank_labels() -> None:
    features, _ = made(50, 8)
    number, columns, shares = features[:, 0] * 7 + 100, several(50), reference_shares(features, 5)
    expected = r2_score(number, shares @ number)
    assert nearest_neighbours(features, number) == pytest.approx(expected, rel=1e-8)
    average = [average_precision_score(c, np.round(shares @ c, 9)) for c in columns.T]
    expected = np.dot(columns.sum(axis=0) / columns.sum(), average)
    assert nearest_neighbours(features, columns) == pytest.approx(expected, rel=1e-8)


def test_neighbours_are_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = made(50, 8)
    whole = nearest_neighbours(features, labels)
    monkeypatch.setitem(nearest_neighbours.__globals__, "BLOCK_BYTES", 8 * 50 * 7)
    assert nearest_neighbours(features, labels) == whole


def test_rows_of_zeros_have_neighbours_too_and_few_rows_take_all() -> None:
    features, labels = np.array([[0.0, 0], [1, 0], [1, 0.1], [0, 0]]), np.array([0, 1, 1, 0])
    # A row of zeros is equally far from all rows: two of the three neighbours are of the other class.
    assert nearest_neighbours(features, labels, k=1) == 0.5
    assert nearest_neighbours(features, labels, k=99) == pytest.approx(
        nearest_neighbours(features, labels, k=3)
    )
    with pytest.raises(ValueError, match="at least 1 neighbour"):
        nearest_neighbours(features, labels, k=0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(8, 60), d=st.integers(2, 30))
def test_neighbours_are_blind_to_rotation_and_to_the_length_of_rows(seed: int, n: int, d: int) -> None:
    features, labels = made(n, d, 3, seed)
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
    lengths = 10.0 ** rng.uniform(-20, 20, size=(n, 1))
    moved = features @ rotation * lengths
    assert nearest_neighbours(moved, labels) == pytest.approx(nearest_neighbours(features, labels))


# -- the probe ----------------------------------------------------------------------------------------


def reference_folds(features: Array, strata: Array) -> Array:
    """Assign rows to folds: first the stratum with the row nearest to the mean, each from near to far."""
    z = features.astype(float) / np.abs(features).max()
    distance = ((z - z.mean(axis=0)) ** 2).sum(axis=1)
    near_to_far = sorted(range(len(z)), key=lambda i: distance[i])
    strata_in_order = list(dict.fromkeys(strata[i] for i in near_to_far))
    dealt = [i for s in strata_in_order for i in near_to_far if strata[i] == s]
    fold = np.empty(len(z), int)
    fold[dealt] = np.arange(len(z)) % 5
    return fold


def fitted(z: Array, y: Array, penalty: float) -> tuple[Array, Array]:
    """Ridge regression with an unpenalised intercept, by the normal equations."""
    x = np.column_stack([z, np.ones(len(z))])
    ridge = penalty * np.eye(x.shape[1])
    ridge[-1, -1] = 0
    solution = np.linalg.solve(x.T @ x + ridge, x.T @ y)
    return solution[:-1], solution[-1]


def reference_prediction(seen: Array, y: Array, unseen: Array, numbers: bool) -> Array:
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    kept = spread > 1e-12 * np.abs(seen).max()
    z, new = (seen - mean)[:, kept] / spread[kept], (unseen - mean)[:, kept] / spread[kept]
    n, target = len(z), y - y.mean(axis=0)
    fits = []
    for penalty in PENALTIES * (z**2).sum() / min(seen.shape):
        left_out = np.empty_like(y)
        for i in range(n):
            others = np.arange(n) != i
            weights, intercept = fitted(z[others], y[others], penalty)
            left_out[i] = (
                z[i] @ weights + intercept + y.mean(axis=0) - y[others].mean(axis=0) - y.mean(axis=0)
            )
        cosine = (left_out * target).sum() / np.linalg.norm(left_out) / np.linalg.norm(target)
        fits.append(-((left_out - target) ** 2).sum() if numbers else cosine)
    weights, intercept = fitted(z, y, (PENALTIES * (z**2).sum() / min(seen.shape))[int(np.argmax(fits))])
    return np.asarray(new @ weights + intercept)


def reference_probe(features: Array, columns: Array, strata: Array, numbers: bool = False) -> Array:
    z = features.astype(float) / np.abs(features).max()
    fold, predicted = reference_folds(features, strata), np.empty(columns.shape)
    for number in range(5):
        seen = fold != number
        predicted[~seen] = reference_prediction(z[seen], columns[seen].astype(float), z[~seen], numbers)
    return predicted


PROBED = ["more rows than columns", "fewer rows than columns", "a constant column", "one row in a class"]
PROBED += ["absent numbers", "half precision", "rows of 1e-20", "rows of 1e20", "one column"]


@pytest.mark.parametrize("case", PROBED)
def test_the_probe_is_ridge_refitted_without_each_row(case: str) -> None:
    features, labels = degenerate()[case]
    columns = np.stack([labels == c for c in np.unique(labels)], axis=1)
    expected = reference_accuracy(reference_probe(features, columns, labels), labels)
    assert linear_probe(features, labels) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("d", [6, 50])
def test_the_probe_predicts_numbers_and_ranks_labels(d: int) -> None:
    features, _ = made(40, d)
    number = 100 + features[:, 0] + 0.2 * np.random.default_rng(5).normal(size=40)
    predicted = reference_probe(features, number[:, None], quantile_classes(number), numbers=True)
    assert linear_probe(features, number) == pytest.approx(r2_score(number, predicted[:, 0]), rel=1e-8)
    columns = several(40, 3)
    counts = columns.sum(axis=0)
    rarest = np.array(
        [min(np.flatnonzero(row), key=lambda j: counts[j]) if row.any() else -1 for row in columns]
    )
    predicted = reference_probe(features, columns, rarest)
    average = [
        average_precision_score(c, np.round(p, 9)) for c, p in zip(columns.T, predicted.T, strict=True)
    ]
    expected = np.dot(counts / counts.sum(), average)
    assert linear_probe(features, columns) == pytest.approx(expected, rel=1e-8)


def test_a_class_of_one_row_counts_as_an_error_and_constant_features_guess() -> None:
    features, labels = made(60, 4, 3, shift=20.0)
    assert linear_probe(features, labels) == 1.0
    lonely = np.where(np.arange(60) == 7, 9, labels)
    assert linear_probe(features, lonely) == pytest.approx(59 / 60)
    assert linear_probe(np.ones((60, 4)), labels) == pytest.approx(1 / 3)
    assert linear_probe(np.ones((60, 4)), features[:, 0]) == pytest.approx(0, abs=0.05)
    with pytest.raises(ValueError, match="needs at least 4"):
        linear_probe(features[:3], labels[:3])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(10, 60), d=st.integers(1, 70))
def test_the_probe_is_blind_to_shift_and_to_the_scale_of_all_features(seed: int, n: int, d: int) -> None:
    features, labels = made(n, d, 3, seed)
    assert linear_probe(features * 1e9 + 1e8, labels) == pytest.approx(linear_probe(features, labels))


# -- all of them --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), wide=st.booleans())
@example(seed=126, wide=False)  # k-means is on the edge
def test_neither_the_order_of_rows_nor_the_names_of_classes_matter(name: str, seed: int, wide: bool) -> None:
    features, labels = made(50, 80 if wide else 6, 4, seed)
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(50), rng.permutation(4) * 13 - 2
    before = METRICS[name](features, labels)
    after = METRICS[name](features[order], names[labels[order]])
    assert after == pytest.approx(before, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("kind", ["classes", "multilabel", "numbers"])
def test_labels_that_the_features_reveal_score_above_shuffled_ones(name: str, kind: str) -> None:
    features, classes = made(150, 20, 3, shift=2.0)
    labels: Array = {
        "classes": classes,
        "multilabel": (features[:, :3] > 0.5).astype(int),
        "numbers": features[:, 0] + features[:, 1],
    }[kind]
    shuffled = labels[np.random.default_rng(0).permutation(150)]
    assert METRICS[name](features, labels) > METRICS[name](features, shuffled) + 0.05


@pytest.mark.parametrize("name", METRICS)
@CASES
def test_every_metric_is_a_finite_number_on_degenerate_input(name: str, case: str) -> None:
    score = METRICS[name](*degenerate()[case])
    assert isinstance(score, float)
    assert np.isfinite(score)


@pytest.mark.parametrize("name", METRICS)
def test_half_precision_and_tensors_are_computed_in_double(name: str) -> None:
    features, labels = made(40, 7)
    half = features.astype(np.float16)
    expected = METRICS[name](half.astype(np.float64), labels)
    assert METRICS[name](half, labels) == expected
    tensor = torch.tensor(half, requires_grad=True)
    assert METRICS[name](tensor, torch.tensor(labels)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_nothing_that_is_given_is_changed(name: str) -> None:
    features, labels = made(40, 70)
    kept = features.copy(), labels.copy()
    METRICS[name](features, labels)
    assert (features == kept[0]).all()
    assert (labels == kept[1]).all()


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("features", "labels", "said"),
    [
        (np.zeros((6, 2)), np.zeros(5, int), "as many labels|one class"),
        (np.zeros((6, 2)), np.zeros(6, int), "one class"),
        (np.zeros((6, 2)), np.zeros(6), "constant target"),
        (np.zeros((6, 2)), np.ones((6, 2)), "every label column is constant"),
        (np.zeros((6, 2)), np.full((6, 2), 0.5), "only 0 and 1"),
        (np.zeros((6, 2)), np.array(list("aabbcc")), "must be class numbers"),
        (np.full((6, 2), np.nan), np.arange(6) % 2, "NaN"),
        (np.zeros(6), np.arange(6) % 2, "expected"),
    ],
)
def test_invalid_input_is_refused(name: str, features: Array, labels: Array, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        METRICS[name](features, labels)


@pytest.mark.parametrize("name", METRICS)
def test_the_docstring_gives_what_a_reader_needs(name: str) -> None:
    words = Counter((METRICS[name].__doc__ or "").split())
    for word in ("Args:", "Raises:", "(n,", "d)"):
        assert words[word], word


def test_size_is_the_number_of_digits_of_the_parameter_count() -> None:
    assert log_size(1_000_000) == pytest.approx(6.0)
    assert log_size(22_713_216) > log_size(22_713_215)
    with pytest.raises(ValueError, match="at least one parameter"):
        log_size(0)

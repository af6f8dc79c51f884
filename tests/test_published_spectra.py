from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubscan.scores.published_spectra import transrate_from_spectra

Array = npt.NDArray[Any]
Spectra = tuple[Array, Array, Array]

PAPER = os.environ.get("HUBSCAN_PAPER", "")


def made(n: int, d: int, classes: int, seed: int = 0, shift: float = 1.0) -> tuple[Array, Array]:
    """Features with class means *shift* apart, and labels of unequal frequency that all occur."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, 1 + rng.integers(0, classes, n - classes))])
    features = rng.normal(size=(n, d)) * rng.uniform(0.1, 2.0, d)
    return features + shift * rng.normal(size=(classes, d))[labels], labels


def spectra(features: Array, labels: Array) -> Spectra:
    z = features - features.mean(axis=0)
    blocks = [z[labels == c] for c in np.unique(labels)]
    within = np.array([np.linalg.eigvalsh(block.T @ block / len(block)) for block in blocks])
    return np.linalg.eigvalsh(z.T @ z / len(z)), within, np.array([len(block) for block in blocks])


def by_log_determinants(features: Array, labels: Array, eps: float) -> float:
    """The definition: R(Z, eps) − Σ_c (n_c/n) R(Z_c, eps) of centred rows with tr(ZᵀZ)/n = 1."""
    z = features - features.mean(axis=0)
    z = z * np.sqrt(len(z) / np.square(z).sum())

    def rate(rows: Array) -> float:
        return float(0.5 * np.linalg.slogdet(np.eye(z.shape[1]) + rows.T @ rows / (len(rows) * eps))[1])

    return rate(z) - float(sum((labels == c).mean() * rate(z[labels == c]) for c in np.unique(labels)))


def many(function: Any) -> Any:
    shapes = {"n": st.integers(8, 60), "d": st.integers(1, 40), "classes": st.integers(1, 6)}
    return settings(max_examples=25, deadline=None)(given(seed=st.integers(0, 10_000), **shapes)(function))


@many
def test_it_is_the_definition_by_log_determinants_per_dimension(
    seed: int, n: int, d: int, classes: int
) -> None:
    features, labels = made(n, d, classes, seed)
    found = spectra(features, labels)
    rank = np.linalg.matrix_rank(features - features.mean(axis=0))
    for eps in (1e-4, 1e-1, 10.0):
        expected = by_log_determinants(features, labels, eps)
        assert transrate_from_spectra(*found, eps=eps) * rank == pytest.approx(expected, rel=1e-8, abs=1e-9)
        assert transrate_from_spectra(*found, eps=eps, rank=7) * 7 == pytest.approx(
            expected, rel=1e-8, abs=1e-9
        )


@many
def test_the_default_distortion_is_a_tenth_of_the_mean_eigenvalue_over_the_rank(
    seed: int, n: int, d: int, classes: int
) -> None:
    features, labels = made(n, d, classes, seed)
    rank = np.linalg.matrix_rank(features - features.mean(axis=0))
    expected = by_log_determinants(features, labels, 0.1 / rank) / rank
    found = spectra(features, labels)
    assert transrate_from_spectra(*found) == pytest.approx(expected, rel=1e-8, abs=1e-10)
    expected = by_log_determinants(features, labels, 0.1 / 7) / 7
    assert transrate_from_spectra(*found, rank=7) == pytest.approx(expected, rel=1e-8, abs=1e-10)


def test_it_is_the_sum_in_extended_precision_with_eigenvalues_over_thirty_orders() -> None:
    rng = np.random.default_rng(3)
    whole, classes, counts = (
        10 ** rng.uniform(-30, 0, 50),
        10 ** rng.uniform(-30, 0, (4, 50)),
        np.arange(1, 5),
    )
    unit = whole.astype(np.longdouble).sum()
    for eps in (1e-12, 1e-3, 1e6):
        rates = [0.5 * np.log1p(row.astype(np.longdouble) / unit / eps).sum() for row in (whole, *classes)]
        expected = rates[0] - (counts / np.longdouble(10) * rates[1:]).sum()
        found = transrate_from_spectra(whole, classes, counts, eps=eps, rank=1)
        assert found == pytest.approx(float(expected), rel=1e-11)


def test_the_rank_left_out_is_the_rank_of_the_features() -> None:
    features, labels = made(80, 6, 4)
    wide = features @ np.random.default_rng(1).normal(size=(6, 30))
    found = spectra(wide, labels)
    for eps in (None, 1e-3):
        assert transrate_from_spectra(*found, eps=eps) == transrate_from_spectra(*found, eps=eps, rank=6)


@many
def test_scale_changes_nothing(seed: int, n: int, d: int, classes: int) -> None:
    whole, within, counts = spectra(*made(n, d, classes, seed))
    before = transrate_from_spectra(whole, within, counts)
    for unit in (1e-300, 1e-20, 1e20, 1e300):
        after = transrate_from_spectra(whole * unit, within * unit, counts)
        assert after == pytest.approx(before, rel=1e-9, abs=1e-12)


@many
def test_appended_zeros_change_nothing(seed: int, n: int, d: int, classes: int) -> None:
    whole, within, counts = spectra(*made(n, d, classes, seed))
    before = transrate_from_spectra(whole, within, counts)
    for zeros in (1, 100, 100_000):
        wider = np.pad(whole, (0, zeros)), np.pad(within, [(0, 0), (0, zeros)])
        assert transrate_from_spectra(*wider, counts) == pytest.approx(before, rel=1e-12, abs=1e-12)


def test_appended_zeros_do_not_turn_a_small_eigenvalue_into_rounding() -> None:
    whole, within = np.array([1.0, 1e-12]), np.array([[0.5, 1e-12], [0.3, 1e-12]])
    wider = np.pad(whole, (0, 100_000)), np.pad(within, [(0, 0), (0, 100_000)])
    expected = transrate_from_spectra(whole, within, [1, 1], rank=2)
    assert transrate_from_spectra(*wider, [1, 1]) == pytest.approx(expected, rel=1e-12)


@many
def test_spectra_repeated_over_more_dimensions_keep_their_value(
    seed: int, n: int, d: int, classes: int
) -> None:
    whole, within, counts = spectra(*made(n, d, classes, seed))
    rank = int((whole > 1e-12 * whole.max()).sum())
    before = transrate_from_spectra(whole, within, counts, rank=rank)
    for times in (2, 5):
        repeated = np.tile(whole, times), np.tile(within, times)
        after = transrate_from_spectra(*repeated, counts, rank=times * rank)
        assert after == pytest.approx(before, rel=1e-9, abs=1e-12)


@many
def test_the_order_of_eigenvalues_and_of_classes_and_absent_classes_change_nothing(
    seed: int, n: int, d: int, classes: int
) -> None:
    whole, within, counts = spectra(*made(n, d, classes, seed))
    before = transrate_from_spectra(whole, within, counts)
    order = np.random.default_rng(seed).permutation(len(counts))
    after = transrate_from_spectra(whole[::-1], within[order, ::-1], counts[order])
    assert after == pytest.approx(before, rel=1e-9, abs=1e-12)
    absent = np.vstack([within[:1] * np.nan, within]), np.concatenate([[0], counts])
    assert transrate_from_spectra(whole, *absent) == before


@many
def test_it_is_never_negative_for_spectra_of_the_same_rows(seed: int, n: int, d: int, classes: int) -> None:
    features, labels = made(n, d, classes, seed, shift=0.0)
    whole, within, counts = spectra(features, labels)
    means = np.array([features[labels == c].mean(axis=0) for c in range(classes)])
    _, scatters, _ = spectra(features - means[labels], labels)
    for eps in (None, 1e-8, 1e-4, 1.0):
        assert transrate_from_spectra(whole, within, counts, eps=eps) >= -1e-9
        assert transrate_from_spectra(whole, scatters, counts, eps=eps) >= -1e-9


def test_one_class_scores_zero_and_classes_score_more_the_farther_apart_they_are() -> None:
    scores = [transrate_from_spectra(*spectra(*made(400, 16, 4, shift=shift))) for shift in (0.0, 1.0, 4.0)]
    assert scores == sorted(scores)
    assert transrate_from_spectra(*spectra(*made(50, 8, 1))) == pytest.approx(0.0, abs=1e-12)


def test_networks_of_any_width_score_alike_at_the_default_but_not_at_a_constant_eps() -> None:
    """Flat spectra, in which each class lacks half of the dimensions."""

    def score(d: int, eps: float | None) -> float:
        half = np.arange(d) < d / 2
        return transrate_from_spectra(np.ones(d), 2.0 * np.array([half, ~half]), [50, 50], eps=eps)

    expected = 0.5 * np.log(11) - 0.25 * np.log(21)
    assert [score(d, None) for d in (2, 64, 4096)] == pytest.approx([expected] * 3, rel=1e-12)
    assert score(2, 1e-2) > 5 * score(4096, 1e-2)


def test_rounding_below_zero_counts_as_zero() -> None:
    clean = np.array([0.5, 0.0]), np.array([[0.3, 0.0], [0.1, 0.0]]), np.array([2, 3])
    dirty = np.array([0.5, -1e-17]), np.array([[0.3, -1e-18], [0.1, -2e-17]]), np.array([2, 3])
    assert transrate_from_spectra(*dirty, eps=1e-8) == transrate_from_spectra(*clean, eps=1e-8)


@pytest.mark.parametrize("eps", [None, 1e-4])
def test_features_without_variance_or_without_dimensions_score_zero(eps: float | None) -> None:
    for d in (0, 4):
        assert transrate_from_spectra(np.zeros(d), np.zeros((2, d)), [3, 5], eps=eps) == 0.0


def test_half_and_single_precision_are_computed_in_double() -> None:
    found = spectra(*made(60, 9, 3))
    narrow = [spectrum.astype(np.float32) for spectrum in found]
    wide = [spectrum.astype(np.float64) for spectrum in narrow]
    assert transrate_from_spectra(*narrow) == transrate_from_spectra(*wide)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"eps": 0.0}, "eps is 0.0"),
        ({"eps": -1.0}, "eps is -1.0"),
        ({"eps": float("nan")}, "eps is nan"),
        ({"eps": float("inf")}, "eps is inf"),
        ({"rank": 0}, "rank is 0"),
        ({"rank": -3}, "rank is -3"),
        ({"rank": float("nan")}, "rank is nan"),
        ({"rank": float("inf")}, "rank is inf"),
        ({"eigenvalues": [[1.0]]}, "expected, got"),
        ({"class_eigenvalues": [1.0]}, "expected, got"),
        ({"class_counts": [1, 2, 3]}, "expected, got"),
        ({"class_counts": [1, -1]}, "at least one of them above 0"),
        ({"class_counts": [0, 0]}, "at least one of them above 0"),
        ({"class_counts": [1, float("nan")]}, "at least one of them above 0"),
        ({"eigenvalues": [1.0, float("nan")]}, "NaN"),
        ({"class_eigenvalues": [[1.0], [float("inf")]]}, "NaN"),
    ],
)
def test_invalid_input_is_refused(changed: dict[str, Any], said: str) -> None:
    whole: dict[str, Any] = {
        "eigenvalues": [1.0],
        "class_eigenvalues": [[1.0], [0.5]],
        "class_counts": [1, 2],
    }
    with pytest.raises(ValueError, match=said):
        transrate_from_spectra(**(whole | changed))


@pytest.mark.skipif(not PAPER, reason="HUBSCAN_PAPER does not name the folder of the paper's spectra")
def test_the_papers_agreement_is_reproduced_and_the_default_has_a_flat_neighbourhood() -> None:
    script = Path(__file__).parents[1] / "benchmarks" / "paper.py"
    printed = subprocess.check_output([sys.executable, script, PAPER], text=True)
    assert "All 132 published agreements are reproduced to the fourth decimal" in printed
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if "eps = " in line
    ]
    means = {row[0]: row[-1] for row in rows}
    assert means["TransRate, eps = 0.1/rank, the default"] == ".926"
    assert means["TransRate, eps = 0.033/rank"] == ".941"
    assert means["TransRate, eps = 0.3/rank"] == ".920"
    assert means["TransRate, eps = 1e-4"] == ".934"

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import bisect

from hubscan.scores import transrate
from hubscan.scores.coding_rate import coding_rate, conditional_rate
from hubscan.scores.gather import seen
from hubscan.scores.linalg.centered import rows_of
from hubscan.scores.linalg.row_space import row_space

Array = npt.NDArray[Any]


def made(n: int, d: int, classes: int, seed: int = 0, shift: float = 1.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return rng.normal(size=(n, d)) + shift * rng.normal(size=(classes, d))[labels], labels


# -- the paper's own number ---------------------------------------------------------------------


def reference_rate(z: Array, eps: float) -> float:
    """The definition by eigenvalues, in extended precision where the sum is taken."""
    eigenvalues = np.linalg.eigvalsh(z.T @ z).astype(np.longdouble).clip(min=0)
    return float(0.5 * np.log1p(eigenvalues / (len(z) * eps)).sum())


def reference_equation(features: Array, labels: Array, eps: float = 1e-4) -> float:
    z = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    z = z * np.sqrt(len(z) / np.trace(z.T @ z))
    within = sum((labels == c).mean() * reference_rate(z[labels == c], eps) for c in np.unique(labels))
    return reference_rate(z, eps) - float(within)


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 5, 3), (40, 90, 4), (200, 32, 2), (30, 30, 30)])
def test_raw_is_the_equation_by_eigenvalues(n: int, d: int, classes: int) -> None:
    features, labels = made(n, d, classes)
    assert transrate(features, labels).raw == pytest.approx(reference_equation(features, labels), rel=1e-9)


def test_null_is_what_shuffled_labels_give_of_the_raw_number() -> None:
    features, labels = made(150, 40, 3)
    rng = np.random.default_rng(5)
    shuffled = [reference_equation(features, rng.permutation(labels)) for _ in range(40)]
    score = transrate(features, labels)
    assert score.null is not None and score.null_spread is not None
    assert score.null == pytest.approx(np.mean(shuffled), abs=4 * float(np.std(shuffled)) / 5**0.5)
    assert 0.2 < score.null_spread / np.std(shuffled) < 3
    assert transrate(features, labels, nulls=0).null is None


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


# -- the definition, slowly ---------------------------------------------------------------------


def reference_value(features: Array, labels: Array) -> float:
    """The docstring's formulas on n × n matrices; the derivative by a step along the imaginary axis."""
    x = features - features.mean(axis=0)
    x = x / np.abs(x).max()
    n, gram, identity = len(x), x @ x.T, np.eye(len(x))
    indicators = (labels[:, None] == np.unique(labels)).astype(float)
    c = scipy.linalg.orth(indicators - indicators.mean(axis=0))
    nu, k = n - 1, c.shape[1]

    def hat(ridge: complex) -> Array:
        return np.linalg.solve((gram + ridge * identity).T, gram.T).T

    def parts(ridge: complex) -> tuple[Array, Array]:
        h = hat(ridge) if ridge else np.asarray(x @ np.linalg.pinv(x, rcond=1e-9))
        of_class = (indicators @ np.diag(1 / indicators.sum(axis=0)) @ indicators.T) @ np.diag(h)
        v, f = c.T @ of_class / np.sqrt(n), np.trace(h)
        chance = c.T @ np.diag(of_class) @ c + np.outer(v, v) / (1 - f / n) + f / (n * nu) * np.eye(k)
        seen = c.T @ h @ c
        return seen - chance, (1 + 1e-9) * np.eye(k) - seen

    free = 0.2 * nu
    ridge = 0.0
    if np.linalg.matrix_rank(x) > free:
        edge = np.log(np.trace(gram))
        ridge = np.exp(
            bisect(lambda log: np.trace(hat(np.exp(log))).real - free, edge - 40, edge + 5, xtol=1e-15)
        )
    h = hat(ridge) if ridge else x @ np.linalg.pinv(x, rcond=1e-9)
    signals, z = scipy.linalg.eigh(*parts(ridge))
    f, g2 = np.trace(h), np.trace(h @ h)
    g = max((g2 - f**2 / nu) / (1 - (2 * f - g2) / nu), f**2 / (100 * nu))
    slopes, step = np.zeros(k), 1e-30
    if ridge:
        above, below = (part.imag / step for part in parts(ridge * (1 + 1j * step)))
        slopes = np.array([z[:, i] @ (above - m * below) @ z[:, i] for i, m in enumerate(signals)])
    left = signals + slopes * (1 - g / nu) / (1 - f / nu)
    s = 9 * 2 * g / n**2

    def factor(told: float, kept: float, doubt: float, otherwise: float) -> float:
        return float(np.clip((told**2 + doubt * otherwise) / (max(told * kept, 0) + doubt), 1, f / g))

    common = factor(signals.sum(), left.sum(), s * k, f / g)
    total = 0.0
    for m, m_there in zip(signals, left, strict=True):
        c = common if k == 1 else factor(m, m_there, s, common)
        m = max(m, -1 / 3)
        total += 0.5 * np.log(1 + c * m) if m >= 0 else -0.5 * np.log(1 + c * -m / (1 + 2 * m))
    return float(total)


@pytest.mark.parametrize(
    ("n", "d", "classes", "shift"),
    [(60, 5, 3, 0.5), (60, 40, 3, 0.5), (40, 90, 4, 0.3), (80, 16, 2, 0.0), (50, 200, 12, 0.0), (120, 60, 7, 2.0)],
)  # fmt: skip
@pytest.mark.parametrize("spectrum", [0.0, 1.0])
def test_the_value_is_its_definition_on_matrices_of_n_by_n(
    n: int, d: int, classes: int, shift: float, spectrum: float
) -> None:
    features, labels = made(n, d, classes, seed=n, shift=shift)
    features /= np.arange(1.0, d + 1) ** spectrum
    value = transrate(features, labels, nulls=0).value
    assert value == pytest.approx(reference_value(features, labels), rel=1e-8, abs=1e-10)


def test_the_value_is_its_definition_on_unbalanced_classes_lone_rows_and_repeated_rows() -> None:
    features, _ = made(60, 30, 2)
    labels = np.array([0] * 40 + [1] * 15 + [2] * 4 + [7])
    value = transrate(features, labels, nulls=0).value
    assert value == pytest.approx(reference_value(features, labels), rel=1e-8)
    twice, both = np.vstack([features, features]), np.concatenate([labels, labels])
    assert transrate(twice, both, nulls=0).value == pytest.approx(reference_value(twice, both), rel=1e-8)


def test_shuffles_take_away_what_little_is_left_of_chance() -> None:
    features, labels = made(40, 60, 12, shift=0.0)
    rng = np.random.default_rng(3)
    alone = [transrate(features, rng.permutation(labels), nulls=0).value for _ in range(40)]
    less = transrate(features, labels, nulls=0).value - transrate(features, labels, nulls=40).value
    assert less == pytest.approx(np.mean(alone), abs=5 * np.std(alone) / 40**0.5)


@pytest.mark.parametrize(("n", "d"), [(60, 9), (60, 40), (41, 150)])
@pytest.mark.parametrize("block_numbers", [None, 100])
def test_halves_show_the_hat_matrices_of_their_rows(
    n: int, d: int, block_numbers: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if block_numbers:
        monkeypatch.setattr("hubscan.scores.linalg.centered.BLOCK_NUMBERS", block_numbers)
    space = row_space(rows_of(made(n, d, 3)[0]))
    coordinates = np.asarray(space.coordinates(slice(None)))
    labels = np.arange(n) % 3
    order = np.random.default_rng(0).permutation(n)
    pairs = [(order[::2], order[1::2]), (order[: n // 2 + 3], order[n // 2 - 3 :])]
    masks = [(np.isin(np.arange(n), one), np.isin(np.arange(n), other)) for one, other in pairs]
    (whole,), halves = seen(space, [labels], 1, masks)
    for mask, parts in zip([np.ones(n, bool), *masks[0], *masks[1]], [[whole], *halves], strict=True):
        rows = np.flatnonzero(mask)
        (half,) = parts
        x = coordinates[rows] - coordinates[rows].mean(axis=0)
        h = x @ np.linalg.solve(x.T @ x + space.ridge * np.eye(x.shape[1]), x.T)
        falling = h - h @ h
        indicators = (labels[rows][:, None] == np.arange(3)).astype(float)
        c = scipy.linalg.orth(indicators - indicators.mean(axis=0))
        assert half.trace == pytest.approx(np.trace(h), rel=1e-8)
        assert half.trace_squared == pytest.approx(np.trace(h @ h), rel=1e-8)
        assert np.linalg.eigvalsh(half.q) == pytest.approx(np.linalg.eigvalsh(c.T @ h @ c), abs=1e-9)
        assert np.linalg.eigvalsh(half.q_falling) == pytest.approx(
            np.linalg.eigvalsh(c.T @ falling @ c), abs=1e-9
        )
        of_class = indicators.sum(axis=0)
        assert half.h @ of_class == pytest.approx(np.trace(h), rel=1e-8)
        assert half.h_falling @ of_class == pytest.approx(np.trace(falling), rel=1e-7, abs=1e-12)
        assert np.abs(half.h - (indicators.T @ np.diag(h)) / of_class).max() < 0.1


# -- what it is for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "d", "classes"),
    [(100, 8, 2), (100, 200, 5), (60, 30, 10), (200, 64, 20), (200, 500, 50), (150, 60, 3)],
)
def test_shuffled_labels_score_zero_in_the_mean_and_within_the_interval(n: int, d: int, classes: int) -> None:
    found = []
    for seed in range(16):
        features, labels = made(n, d, classes, seed=seed, shift=0.0)
        found.append(transrate(features / np.sqrt(np.arange(1, d + 1)), labels, nulls=8, seed=seed))
    values = [score.value for score in found]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert sum(score.interval[0] < 0 < score.interval[1] for score in found) >= 15


@pytest.mark.parametrize("spread", [1.5, 4.0])
def test_classes_that_differ_in_spread_and_not_in_place_score_zero(spread: float) -> None:
    values = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        labels = rng.choice(3, size=300, p=[0.6, 0.3, 0.1])
        features = rng.normal(size=(300, 400)) / np.sqrt(np.arange(1, 401)) * spread ** labels[:, None]
        score = transrate(features, labels, nulls=4)
        assert score.interval[0] < 0 < score.interval[1]
        values.append(score.value)
    assert abs(np.mean(values)) < 0.06


def test_classes_apart_in_a_strong_and_in_a_weak_direction_score_the_same_in_every_width() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 3
    means = 2.0 / np.sqrt(2) * np.linalg.svd(np.eye(3) - 1 / 3)[0][:, :2]
    noise, values = rng.normal(size=(1000, 2048)), []
    for d in (64, 400, 2048):
        features = noise[:, :d].copy()
        features[:, [2, 62]] += means[labels]
        values.append(transrate(features / np.sqrt(np.arange(1, d + 1)), labels, nulls=0).value)
    assert max(values) - min(values) < 0.1 * min(values)


@pytest.mark.parametrize("spectrum", [0.0, 0.5, 1.0])
def test_the_same_classes_score_the_same_in_every_width(spectrum: float) -> None:
    n, classes = 1000, 5
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    noise, means = rng.normal(size=(n, 2048)), 2.5 * rng.normal(size=(classes, classes - 1))
    values = []
    for d in (64, 400, 2048):
        features = noise[:, :d].copy()
        features[:, 4:8] += means[labels]
        values.append(transrate(features / np.arange(1, d + 1) ** spectrum, labels, nulls=0).value)
    truth = 0.5 * np.linalg.slogdet(np.eye(classes - 1) + np.cov(means.T, bias=True))[1]
    assert values == pytest.approx([truth] * 3, rel=0.05)
    assert max(values) - min(values) < 0.1 * min(values)


def test_separated_classes_score_above_their_interval_around_zero_and_above_mixed_ones() -> None:
    apart, together = transrate(*made(300, 8, 3, shift=5.0)), transrate(*made(300, 8, 3, shift=0.0))
    assert apart.interval[0] > 0.5
    assert apart.interval[0] > together.interval[1]
    assert together.interval[0] < 0 < together.interval[1]
    assert apart.label == "transrate@3"


def test_the_interval_is_about_as_wide_as_the_values_of_other_samples_spread() -> None:
    means = 0.2 * np.random.default_rng(99).normal(size=(4, 100))
    found = []
    for seed in range(25):
        features, labels = made(200, 100, 4, seed=seed, shift=0.0)
        found.append(transrate(features + means[labels], labels, nulls=0))
    spread = np.std([score.value for score in found])
    errors = [(score.interval[1] - score.interval[0]) / (2 * 2.228) for score in found]
    assert 0.75 < np.mean(errors) / spread < 2


# -- invariance and input -----------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, -1e20])
def test_constant_features_tell_nothing(value: float) -> None:
    score = transrate(np.full((21, 4), value), np.arange(21) % 2)
    assert (score.raw, score.null, score.value, *score.interval) == (0.0, 0.0, 0.0, 0.0, 0.0)


@settings(max_examples=15, deadline=None)
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
    for name in ("raw", "value", "low", "high"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-6, abs=1e-6)
    renamed = transrate(features, names[labels], nulls=0)
    assert renamed.raw == pytest.approx(before.raw, rel=1e-12, abs=1e-12)
    assert renamed.value == pytest.approx(transrate(features, labels, nulls=0).value, rel=1e-9, abs=1e-9)
    rows = rng.permutation(n)
    moved = transrate(features[rows], labels[rows], nulls=0)
    assert moved.value == pytest.approx(renamed.value, rel=1e-7, abs=1e-7)
    assert before.raw is not None and before.raw >= -1e-9


def test_columns_that_do_not_vary_change_nothing() -> None:
    features, labels = made(50, 20, 3)
    before = transrate(features, labels)
    for constant in (np.zeros((50, 5)), np.full((50, 5), 0.1), np.full((50, 60), -7.0)):
        after = transrate(np.hstack([features, constant]), labels)
        assert after.value == pytest.approx(before.value, rel=1e-9)
        assert after.raw == pytest.approx(before.raw, rel=1e-9)


def test_rows_from_the_ends_of_the_numbers_and_lone_or_repeated_rows_have_finite_scores() -> None:
    features, labels = made(40, 10, 3)
    odd = features.copy()
    odd[0], odd[1] = 1e20, 1e-20
    lone = np.concatenate([np.arange(30), np.zeros(10, np.int64)])
    same = np.repeat(features[:2], 20, axis=0)
    for x, y in (
        (odd, labels),
        (features, lone),
        (features, np.arange(40)),
        (np.repeat(features[:8], 5, axis=0), labels),
        (same, np.repeat([0, 1], 20)),
        (features[:2], labels[:2]),
        (features[:3, :1], labels[:3]),
    ):
        score = transrate(x, y)
        assert np.isfinite(np.array([score.value, *score.interval, score.raw, score.null], float)).all()


def test_classes_of_one_row_each_tell_nothing() -> None:
    features, _ = made(30, 12, 2)
    assert transrate(features, np.arange(30)).value == pytest.approx(0.0, abs=1e-9)


def test_the_same_seed_gives_the_same_score_and_half_precision_is_computed_in_double() -> None:
    features, labels = made(80, 12, 4)
    assert transrate(features, labels, seed=3) == transrate(features, labels, seed=3)
    half = features.astype(np.float16)
    assert transrate(half, labels) == transrate(half.astype(np.float64), labels)


def test_label_columns_are_taken_one_by_one_and_numbers_are_cut_into_classes() -> None:
    features, labels = made(90, 12, 3)
    columns = (labels[:, None] == np.arange(3)) | (np.arange(90)[:, None] % np.array([5, 7, 9]) == 0)
    shares = columns.sum(axis=0) / columns.sum()
    alone = [transrate(features, column.astype(int), nulls=0) for column in columns.T]
    score = transrate(features, columns, nulls=0)
    assert score.value == pytest.approx(shares @ np.array([one.value for one in alone]), rel=1e-9)
    assert score.raw == pytest.approx(shares @ np.array([one.raw for one in alone], float), rel=1e-9)
    assert score.interval[0] < score.value < score.interval[1]
    numbers = features @ np.arange(12.0)
    assert transrate(features, numbers).interval[0] > transrate(features, np.roll(numbers, 7)).value


@pytest.mark.parametrize(
    ("features", "labels", "said"),
    [
        (np.zeros((4, 2)), np.arange(3) % 2, "expected"),
        (np.zeros(4), np.arange(4) % 2, "expected"),
        (np.array([[1.0], [np.nan]]), np.array([0, 1]), "NaN"),
        (np.zeros((4, 2)), np.zeros(4, int), "one class"),
    ],
)
def test_what_cannot_be_scored_is_refused(features: Array, labels: Array, said: str) -> None:
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


def test_a_weak_feature_that_two_rows_have_alone_is_no_reason_to_fail() -> None:
    """Halves that lack both rows lack the direction, and rounding of the strong ones is all that is there."""
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 10
    features = rng.normal(size=(600, 40)) * np.geomspace(300.0, 1.0, 40) + rng.normal(size=(10, 40))[labels]
    lone = np.zeros((600, 1))
    lone[[3, 7], 0] = 0.05, 0.06
    without = transrate(features, labels, nulls=0)
    score = transrate(np.hstack([features, lone]), labels, nulls=0)
    low, high = score.interval
    assert low < score.value < high
    assert score.value == pytest.approx(without.value, abs=0.1)


def test_wide_features_of_few_dimensions_score_as_the_dimensions_do() -> None:
    rng = np.random.default_rng(0)
    narrow, labels = rng.normal(size=(200, 8)), rng.integers(0, 3, 200)
    turned = (
        narrow @ np.linalg.qr(rng.normal(size=(600, 8)))[0].T
    )  # as of an encoder that knows no word of the texts
    one, other = transrate(narrow, labels, nulls=2), transrate(turned, labels, nulls=2)
    assert (other.value, other.low) == pytest.approx((one.value, one.low), abs=1e-8)

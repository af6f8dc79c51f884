"""Groups of rows that belong together, such as the words of a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubscan.scores import knn, logme, probe, transrate
from hubscan.scores.resampling import pair_of_halves, strata_of_groups

Array = npt.NDArray[Any]


def sentences(
    count: int, words: int, width: int, classes: int, seed: int = 0, shift: float = 0.0
) -> tuple[Array, Array, Array]:
    """Words of a sentence have similar features and one tag; the features reveal it unless *shift* is 0."""
    rng = np.random.default_rng(seed)
    tags = np.arange(count) % classes
    places = rng.normal(size=(count, width)) + shift * rng.normal(size=(classes, width))[tags]
    features = np.repeat(places, words, axis=0) + 0.01 * rng.normal(size=(count * words, width))
    return features, np.repeat(tags, words), np.repeat(np.arange(count), words)


@given(
    strata=st.lists(st.integers(0, 4), min_size=2, max_size=40),
    names=st.integers(2, 12),
    seed=st.integers(0, 99),
)
def test_halves_share_out_whole_groups_and_every_class_is_in_both(
    strata: list[int], names: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.unique(strata, return_inverse=True)[1]
    groups = np.unique(rng.integers(0, names, len(labels)), return_inverse=True)[1]
    one, other = pair_of_halves(labels, rng, groups)
    assert (one | other).all()
    for half in (one, other):
        inside = np.bincount(groups, weights=half)
        assert ((inside == 0) | (inside == np.bincount(groups))).all()
    for stratum in range(labels.max() + 1):
        if len(np.unique(groups[labels == stratum])) == 1:
            assert one[labels == stratum].all() and other[labels == stratum].all()
    without = pair_of_halves(labels, np.random.default_rng(seed))
    rows = np.arange(len(labels))
    alone = pair_of_halves(labels, np.random.default_rng(seed), rows)
    assert (without[0] == alone[0]).all() and (without[1] == alone[1]).all()
    assert all((np.bincount(labels, weights=half, minlength=labels.max() + 1) > 0).all() for half in without)


def test_the_stratum_of_a_group_is_the_rarest_of_its_rows() -> None:
    strata, groups = np.array([0, 0, 1, 0, 2, 0, 1]), np.array([0, 0, 0, 1, 1, 2, 2])
    assert strata_of_groups(strata, groups).tolist() == [1, 2, 1]


def test_the_interval_is_that_of_other_sentences_and_not_of_other_words() -> None:
    rng = np.random.default_rng(0)
    means, values, errors = 0.4 * rng.normal(size=(3, 8)), [], []
    for seed in range(20):
        features, tags, of = sentences(150, 6, 8, 3, seed)
        score = transrate(features + means[tags], tags, groups=of, nulls=0, seed=seed)
        values.append(score.value)
        errors.append((score.interval[1] - score.interval[0]) / (2 * 2.262))
    assert 0.7 < np.mean(errors) / np.std(values) < 1.6
    features, tags, of = sentences(150, 6, 8, 3, shift=0.5)
    for score_of in (transrate, logme):
        close, far = (score_of(features, tags, halves=20, groups=g).interval for g in (None, of))
        assert far[1] - far[0] > 1.4 * (close[1] - close[0])


def test_the_words_of_a_sentence_do_not_give_away_one_another() -> None:
    features, tags, of = sentences(120, 4, 6, 2)
    assert knn(features, tags).value > 0.75
    assert knn(features, tags, groups=of).value == pytest.approx(0.5, abs=0.12)
    wide, tags_wide, of_wide = sentences(60, 4, 200, 2)
    assert probe(wide, tags_wide).value > 0.95
    assert probe(wide, tags_wide, groups=of_wide).value == pytest.approx(0.5, abs=0.15)
    apart, together = (transrate(wide, tags_wide, groups=g).accuracy for g in (None, of_wide))
    assert apart is not None and together is not None
    assert apart.value > 0.95
    assert together.value == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("metric", [knn, probe, logme, transrate])
def test_groups_of_one_row_each_change_nothing(metric: Any) -> None:
    features, tags, _ = sentences(40, 1, 5, 3, shift=1.0)
    names = [f"row {i}" for i in range(40)]
    assert metric(features, tags, groups=names).value == pytest.approx(metric(features, tags).value)


@pytest.mark.parametrize("metric", [transrate, knn, probe, logme])
@pytest.mark.parametrize(
    ("groups", "said"), [(np.zeros(40), "one group"), (np.arange(39), "one group for each")]
)
def test_groups_that_cannot_be_are_refused(metric: Any, groups: Array, said: str) -> None:
    features, tags, _ = sentences(40, 1, 5, 3)
    with pytest.raises(ValueError, match=said):
        metric(features, tags, groups=groups)

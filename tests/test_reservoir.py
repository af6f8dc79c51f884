from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from hubscan.sample.select.random_keys import row_keys
from hubscan.sample.select.reservoir import Reservoir
from tests.support.reservoir import equal_shares, kept

LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=200)


@given(labels=LABELS, size=st.integers(1, 60), seed=st.integers(0, 2**63 - 1))
def test_classes_end_with_equal_shares_whatever_the_stream(labels: list[int], size: int, seed: int) -> None:
    rows = kept(labels, size, seed)
    counts = [labels.count(label) for label in sorted(set(labels))]
    found = [sum(label == wanted for label, _ in rows) for wanted in sorted(set(labels))]
    assert len(rows) == min(size, len(labels))
    assert sorted(found) == equal_shares(counts, size)
    assert all(labels[row] == label for label, row in rows)
    keys = row_keys(seed, 0, len(labels))
    for label in set(labels):
        of_class = [row for row, one in enumerate(labels) if one == label]
        first = sorted(of_class, key=lambda row: int(keys[row]))
        found_rows = [row for one, row in rows if one == label]
        assert found_rows == first[: len(found_rows)]


@given(labels=LABELS, seed=st.integers(0, 99), shuffle=st.randoms(use_true_random=False))
def test_of_each_class_the_same_rows_are_kept_in_whatever_order_they_come(
    labels: list[int], seed: int, shuffle: object
) -> None:
    # With a size that the shares divide evenly, no row of chance is left over to the order.
    size = 2 * len(set(labels))
    order = list(range(len(labels)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    if min(labels.count(label) for label in set(labels)) >= 2:
        assert kept(labels, size, seed) == kept(labels, size, seed, order)


def test_every_row_of_a_sorted_stream_is_drawn_equally_often() -> None:
    labels = [0] * 60 + [1] * 20 + [2] * 40
    drawn = np.zeros(len(labels))
    for seed in range(1000):
        for _, row in kept(labels, 12, seed):
            drawn[row] += 1
    for first, last in ((0, 60), (60, 80), (80, 120)):
        assert chisquare(drawn[first:last]).pvalue > 0.001


def test_keys_do_not_depend_on_how_the_rows_are_batched() -> None:
    whole = row_keys(7, 0, 100)
    assert np.array_equal(np.concatenate([row_keys(7, 0, 33), row_keys(7, 33, 67)]), whole)
    assert len(np.unique(whole)) == 100
    assert not np.array_equal(whole, row_keys(8, 0, 100))


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=400),
    st.integers(1, 5),
)
def test_a_size_that_grows_by_a_share_a_class_leaves_every_class_its_share(
    stream: list[int], share: int
) -> None:
    reservoir = Reservoir[None](lambda classes: max(4 * share, share * classes))
    keys = np.random.default_rng(0).permutation(len(stream)).tolist()
    for row, (label, key) in enumerate(zip(stream, keys, strict=True)):
        reservoir.add(label, key, row, None)
    kept = {label: len(reservoir.kept(label)) for label in set(stream)}
    assert all(reservoir.has_all(label) == (kept[label] == stream.count(label)) for label in kept)
    assert all(kept[label] >= min(share, stream.count(label)) for label in set(stream))
    assert sum(kept.values()) <= max(4 * share, share * len(set(stream)))

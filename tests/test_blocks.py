"""The draw on paper: labels in, rows out, before a byte of the inputs is read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from hubscan.sample.select.blocks import Blocks, Labelled, Members, Plan, blocks_within, planned
from hubscan.sample.select.quotas import Counts, equal, proportional
from tests.support.reservoir import equal_shares
from tests.support.reservoir import kept as kept_by_a_reservoir

CHUNK_GROUPS = 3


def within(
    labelled: Labelled, quotas: Counts, seed: int, *, costs: Counts, budget: int
) -> tuple[Plan, Blocks]:
    blocks = blocks_within(labelled, quotas, costs=costs, budget=budget, largest_group=100)
    return planned(labelled, quotas, seed, blocks), blocks


def split(groups: list[list[int]]) -> Labelled:
    """A split of row groups, each given as the classes of its rows, in chunks of a few groups."""
    starts = np.cumsum([0, *map(len, groups)])

    def chunks() -> Iterator[Members]:
        for first in range(0, len(groups), CHUNK_GROUPS):
            part = range(first, min(first + CHUNK_GROUPS, len(groups)))
            rows = [np.arange(starts[g], starts[g + 1]) for g in part]
            yield Members(
                np.concatenate(rows).astype(np.int64),
                np.array([c for g in part for c in groups[g]], np.int32),
                np.repeat(np.array(part, np.int32), [len(groups[g]) for g in part]),
            )

    return chunks


def counted(groups: list[list[int]]) -> Counts:
    return np.bincount([c for group in groups for c in group]).astype(np.int64)


GROUPS = st.lists(st.lists(st.integers(0, 4), max_size=17), min_size=1, max_size=12).filter(
    lambda groups: any(groups)
)


@given(
    groups=GROUPS,
    seed=st.integers(0, 2**63 - 1),
    block_rows=st.integers(1, 40),
    together=st.booleans(),
    share=st.floats(0, 1),
)
def test_every_plan_draws_exactly_the_quotas_and_no_row_twice(
    groups: list[list[int]], seed: int, block_rows: int, together: bool, share: float
) -> None:
    flat = [c for group in groups for c in group]
    counts = counted(groups)
    quotas = np.floor(counts * share).astype(np.int64)
    plan = planned(split(groups), quotas, seed, Blocks(block_rows, together))
    assert len(np.unique(plan.rows)) == len(plan.rows)
    assert [flat[row] for row in plan.rows] == plan.classes.tolist()
    assert np.array_equal(np.bincount(plan.classes, minlength=len(counts)), quotas)
    starts = np.cumsum([0, *map(len, groups)])
    assert all(starts[g] <= row < starts[g + 1] for g, row in zip(plan.groups, plan.rows, strict=True))


@given(groups=GROUPS, seed=st.integers(0, 99), each=st.integers(1, 4))
def test_rows_drawn_by_themselves_are_those_that_a_reservoir_keeps(
    groups: list[list[int]], seed: int, each: int
) -> None:
    counts = counted(groups)
    classes = int((counts > 0).sum())
    if counts[counts > 0].min() >= each:
        plan = planned(split(groups), np.where(counts > 0, each, 0), seed)
        flat = [c for group in groups for c in group]
        assert sorted(plan.rows.tolist()) == [
            row for _, row in kept_by_a_reservoir(flat, each * classes, seed)
        ]


UNEVEN = [[0] * 7, [0] * 5 + [1], [0] * 2 + [1] * 13, [0, 1] * 6, [0], [1] * 3, [0] * 11 + [2] * 5, [2] * 4]
"""Row groups of many lengths, blocks of labels, a class in the last two groups alone."""


@pytest.mark.parametrize("block_rows", [1, 2, 4, 5, 7, 8, 12, 16])
def test_every_row_of_a_class_is_drawn_equally_often_whatever_the_blocks(block_rows: int) -> None:
    quotas = np.array([7, 5, 4])
    drawn = np.zeros(sum(map(len, UNEVEN)))
    for seed in range(1000):
        drawn[planned(split(UNEVEN), quotas, seed, Blocks(block_rows)).rows] += 1
    flat = np.array([c for group in UNEVEN for c in group])
    for c in range(3):
        # Rows of a block come together, which makes counts that vary more than single rows' would:
        # a block of k has k times the variance, at most.
        found = drawn[flat == c]
        assert found.sum() == 1000 * quotas[c]
        spread = ((found - found.mean()) ** 2).sum() / found.mean() / block_rows
        assert chisquare([spread, len(found) - 1]).pvalue > 0.001 or spread < len(found) - 1


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("block_rows", [4, 7, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 5, 8))])
def test_every_row_group_gives_rows_in_proportion_to_what_it_has(block_rows: int, together: bool) -> None:
    """The mean over many seeds, against its own standard error: a bias of blocks would show here."""
    quota, seeds = 6, 3000
    sizes = np.array([len([c for c in group if c == 0]) for group in UNEVEN])
    group_of = np.repeat(np.arange(len(UNEVEN)), [len(group) for group in UNEVEN])
    drawn = np.array(
        [
            np.bincount(
                group_of[
                    planned(split(UNEVEN), np.array([quota, 0, 0]), seed, Blocks(block_rows, together)).rows
                ],
                minlength=len(UNEVEN),
            )
            for seed in range(seeds)
        ]
    )
    expected = quota * sizes / sizes.sum()
    error = drawn.std(axis=0) / np.sqrt(seeds) + 1e-12
    assert np.abs((drawn.mean(axis=0) - expected) / error).max() < 4


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2))])
def test_a_thousand_classes_share_the_row_groups_that_are_read(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = [random.integers(0, 1000, 100).tolist() for _ in range(1000)]
    quotas = np.full(1000, 2)
    costs = np.full(1000, 100)
    apart = planned(split(groups), quotas, seed)
    plan, _ = within(split(groups), quotas, seed, costs=costs, budget=20_000)
    assert len(apart.touched) > 800
    assert len(plan.touched) <= 200 and len(plan.rows) == 2000


def test_a_budget_that_row_groups_cannot_meet_gives_the_plan_that_reads_least() -> None:
    groups = [[0, 1] * 50 for _ in range(40)]
    quotas, costs = np.array([100, 100]), np.full(40, 10**6)
    plan, blocks = within(split(groups), quotas, 3, costs=costs, budget=1)
    assert len(plan.rows) == 200 and len(plan.touched) <= 8 and blocks.rows >= 32
    plan, blocks = within(split(groups), quotas, 3, costs=costs, budget=10**8)
    assert blocks == Blocks(1) and len(plan.touched) > 35


def test_blocks_are_no_larger_than_the_budget_asks_to_an_eighth() -> None:
    groups = [[0, 1] * 100 for _ in range(500)]
    quotas, costs = np.array([400, 400]), np.full(500, 1000)
    plan, blocks = within(split(groups), quotas, 3, costs=costs, budget=100_000)
    assert len(plan.touched) <= 100 and len(plan.rows) == 800
    assert blocks.rows % 8 == 0 or blocks.rows in (5, 6, 7), "an eighth of a power of two is the step"
    assert len(plan.touched) > 60, "what the budget allows is used"


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=9), size=st.integers(1, 120))
def test_equal_shares_are_those_that_filling_row_by_row_gives(counts: list[int], size: int) -> None:
    quotas = equal(np.array(counts), size, np.arange(len(counts))[::-1])
    assert sorted(quotas.tolist()) == equal_shares(counts, size)
    assert (quotas <= counts).all()


@given(counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=9), size=st.integers(1, 2000))
def test_shares_in_proportion_leave_no_class_out_and_differ_from_it_by_the_floor_alone(
    counts: list[int], size: int
) -> None:
    available = np.array(counts)
    quotas = proportional(available, size, np.arange(len(counts)))
    assert quotas.sum() == min(size, available.sum()) and (quotas <= available).all()
    if size >= 2 * len(counts):
        assert (quotas >= np.minimum(available, 2)).all()
        exact = available * size / max(available.sum(), 1)
        assert all(
            (q1 >= q2) for (n1, q1), (n2, q2) in pairwise(sorted(zip(counts, quotas, strict=True))[::-1])
        )
        assert (quotas - np.minimum(exact, available) < 2 + 1).all()

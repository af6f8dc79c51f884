"""Which rows are chosen from the labels alone, before a byte of the inputs is read."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from hubscan.sample.select import blocks as module
from hubscan.sample.select.blocks import SINGLE, Blocks, Labelled, Members, Plan, blocks_within, planned
from hubscan.sample.select.quotas import Counts, class_order, class_weights, counted, seats
from tests.support.reservoir import equal_shares
from tests.support.reservoir import kept as kept_by_a_reservoir

CHUNK_GROUPS = 3


def within(
    labelled: Labelled, quotas: Counts, seed: int, *, costs: Counts, budget: int
) -> tuple[Plan, Blocks]:
    blocks = blocks_within(labelled, quotas, costs=costs, budget=budget, largest_group=100)
    return planned(labelled, quotas, seed, blocks), blocks


def split(groups: list[list[int]], chunk: int = CHUNK_GROUPS) -> Labelled:
    """A split of row groups, each given as the classes of its rows, in chunks of a few groups."""
    starts = np.cumsum([0, *map(len, groups)])

    def chunks() -> Iterator[Members]:
        for first in range(0, len(groups), chunk):
            part = range(first, min(first + chunk, len(groups)))
            rows = [np.arange(starts[g], starts[g + 1]) for g in part]
            yield Members(
                np.concatenate(rows).astype(np.int64),
                np.array([c for g in part for c in groups[g]], np.int32),
                np.repeat(np.array(part, np.int32), [len(groups[g]) for g in part]),
            )

    return chunks


def rows_of_classes(groups: list[list[int]]) -> Counts:
    return np.bincount([c for group in groups for c in group]).astype(np.int64)


GROUPS = st.lists(st.lists(st.integers(0, 4), max_size=17), min_size=1, max_size=12).filter(
    lambda groups: any(groups)
)
BLOCKS = st.builds(Blocks, st.integers(1, 40), st.booleans())


@given(groups=GROUPS, seed=st.integers(0, 2**63 - 1), blocks=BLOCKS, share=st.floats(0, 1))
def test_every_plan_draws_exactly_the_quotas_and_no_row_twice(
    groups: list[list[int]], seed: int, blocks: Blocks, share: float
) -> None:
    flat = [c for group in groups for c in group]
    there = rows_of_classes(groups)
    quotas = np.floor(there * share).astype(np.int64)
    plan = planned(split(groups), quotas, seed, blocks)
    assert len(np.unique(plan.rows)) == len(plan.rows)
    assert [flat[row] for row in plan.rows] == plan.classes.tolist()
    assert np.array_equal(np.bincount(plan.classes, minlength=len(there)), quotas)
    starts = np.cumsum([0, *map(len, groups)])
    assert all(starts[g] <= row < starts[g + 1] for g, row in zip(plan.groups, plan.rows, strict=True))
    assert np.concatenate(plan.by_class(len(there))).tolist() == plan.rows.tolist()


@given(
    groups=GROUPS,
    seed=st.integers(0, 2**63 - 1),
    blocks=BLOCKS,
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_the_first_rows_of_a_class_are_the_same_however_many_are_asked_for(
    groups: list[list[int]], seed: int, blocks: Blocks, shares: tuple[float, float]
) -> None:
    there = rows_of_classes(groups)
    few, many = (np.floor(there * share).astype(np.int64) for share in sorted(shares))
    small, large = (planned(split(groups), quotas, seed, blocks) for quotas in (few, many))
    for of_small, of_large in zip(small.by_class(len(there)), large.by_class(len(there)), strict=True):
        assert of_small.tolist() == of_large[: len(of_small)].tolist()


@given(groups=GROUPS, seed=st.integers(0, 2**63 - 1), blocks=BLOCKS)
def test_the_order_does_not_depend_on_how_the_row_groups_come_in_chunks(
    groups: list[list[int]], seed: int, blocks: Blocks
) -> None:
    there = rows_of_classes(groups)
    whole = split(groups, chunk=len(groups))
    assert np.array_equal(
        planned(split(groups), there, seed, blocks).rows,
        planned(whole, there, seed, blocks).rows,
    )


@given(groups=GROUPS, seed=st.integers(0, 99), each=st.integers(1, 4))
def test_rows_drawn_by_themselves_are_those_that_a_reservoir_keeps(
    groups: list[list[int]], seed: int, each: int
) -> None:
    there = rows_of_classes(groups)
    classes = int((there > 0).sum())
    if there[there > 0].min() >= each:
        plan = planned(split(groups), np.where(there > 0, each, 0), seed)
        flat = [c for group in groups for c in group]
        assert [(flat[row], row) for row in plan.rows] == kept_by_a_reservoir(flat, each * classes, seed)


UNEVEN = [[0] * 7, [0] * 5 + [1], [0] * 2 + [1] * 13, [0, 1] * 6, [0], [1] * 3, [0] * 11 + [2] * 5, [2] * 4]
"""Row groups of many lengths, blocks of labels, a class in the last two groups alone."""


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("cells", "block_rows", "left"),
    [
        ((3, 2), 2, (5,)),
        ((5, 2), 2, (7,)),
        ((3, 2, 1), 2, (6,)),
        ((4, 4, 1), 3, (9,)),
        ((5, 1), 3, (6, 5)),
        ((7, 2), 4, (9, 8)),
    ],
)
def test_over_all_that_chance_decides_every_row_has_every_place_equally_often(
    cells: tuple[int, ...],
    block_rows: int,
    left: tuple[int, ...],
    together: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By enumeration, so exactly: not a frequency but the probability, which is 1 / N for every row and place.

    *left* is how many places are left to each size but the last, of which chance picks one to begin with.
    The order of a row group is turned round: where a row comes hangs on its own rank there alone.
    """
    rows, starts = sum(cells), np.cumsum([0, *cells]).tolist()
    times = np.zeros((rows, rows), np.int64)  # that each row has each place
    blocks = [(g, number) for g, cell in enumerate(cells) for number in range(max(cell // block_rows, 1))]
    for begin, turned, order in product(
        product(*map(range, left)), product(*map(range, cells)), permutations(range(len(blocks)))
    ):
        parts = [(place + 0.5) / count for place, count in zip(begin, left, strict=True)]
        ranks = [
            (row - start + by) % cell
            for start, cell, by in zip(starts[:-1], cells, turned, strict=True)
            for row in range(start, start + cell)
        ]
        keys = dict(zip(blocks, order, strict=True))
        monkeypatch.setattr(
            module,
            "fractions",
            lambda seed, count, parts=parts: np.resize([*parts, *[0.0] * (count - len(parts))], count),
        )
        monkeypatch.setattr(
            module, "keys_of", lambda seed, rows, ranks=ranks: np.array(ranks, np.uint64)[rows]
        )
        monkeypatch.setattr(
            module, "block_keys", lambda seed, groups, numbers, keys=keys: looked_up(keys, groups, numbers)
        )
        plan = planned(
            split([[0] * cell for cell in cells]), np.array([rows]), 0, Blocks(block_rows, together)
        )
        times[plan.rows, np.arange(rows)] += 1
    assert (times == times[0, 0]).all()


def looked_up(keys: dict[tuple[int, int], int], groups: Counts, numbers: Counts) -> npt.NDArray[np.uint64]:
    """Return the key of each block; what is left over in a row group has that of its first one."""
    pairs = zip(groups.tolist(), np.maximum(numbers, 0).tolist(), strict=True)
    return np.array([keys[pair] for pair in pairs], np.uint64)


@pytest.mark.parametrize("blocks", [SINGLE, *map(Blocks, (2, 4, 5, 7, 8, 12, 16)), Blocks(7, together=True)])
def test_every_row_of_a_class_is_drawn_equally_often_whatever_the_blocks(blocks: Blocks) -> None:
    quotas = np.array([7, 5, 4])
    drawn = np.zeros(sum(map(len, UNEVEN)))
    for seed in range(1000):
        drawn[planned(split(UNEVEN), quotas, seed, blocks).rows] += 1
    flat = np.array([c for group in UNEVEN for c in group])
    for c in range(3):
        # Rows of a block come together, which makes counts that vary more than single rows' would:
        # a block of k has k times the variance, at most.
        found = drawn[flat == c]
        assert found.sum() == 1000 * quotas[c]
        spread = ((found - found.mean()) ** 2).sum() / found.mean() / blocks.rows
        assert chisquare([spread, len(found) - 1]).pvalue > 0.001 or spread < len(found) - 1


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("block_rows", [4, 7, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 5, 8))])
def test_every_row_group_gives_rows_in_proportion_to_what_it_has(block_rows: int, together: bool) -> None:
    """The mean over many seeds, against its own standard error: a bias of blocks would show here."""
    quota, seeds = 6, 3000
    sizes = np.array([len([c for c in group if c == 0]) for group in UNEVEN])
    group_of = np.repeat(np.arange(len(UNEVEN)), [len(group) for group in UNEVEN])
    quotas = np.array([quota, 0, 0])
    drawn = np.array(
        [
            np.bincount(
                group_of[planned(split(UNEVEN), quotas, seed, Blocks(block_rows, together)).rows],
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
    assert blocks == SINGLE and len(plan.touched) > 35


def test_blocks_are_no_larger_than_the_budget_asks_to_an_eighth() -> None:
    groups = [[0, 1] * 100 for _ in range(500)]
    quotas, costs = np.array([400, 400]), np.full(500, 1000)
    plan, blocks = within(split(groups), quotas, 3, costs=costs, budget=100_000)
    assert len(plan.touched) <= 100 and len(plan.rows) == 800
    assert blocks.rows % 8 == 0 or blocks.rows in (5, 6, 7), "an eighth of a power of two is the step"
    assert len(plan.touched) > 60, "what the budget allows is used"


CAPS = st.lists(st.integers(0, 60), min_size=1, max_size=9)


@given(caps=CAPS, size=st.integers(1, 120), balanced=st.booleans(), seed=st.integers(0, 99))
def test_seats_are_as_many_as_asked_for_and_no_class_has_more_than_its_rows(
    caps: list[int], size: int, balanced: bool, seed: int
) -> None:
    found = given_seats(caps, size, balanced, seed)
    assert len(found) == min(size, sum(caps))
    assert (counted(found, len(caps)) <= caps).all()


@given(
    caps=CAPS,
    sizes=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    balanced=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_seats_of_a_sample_are_the_first_of_a_larger_one(
    caps: list[int], sizes: tuple[int, int], balanced: bool, seed: int
) -> None:
    few, many = sorted(sizes)
    assert (
        given_seats(caps, few, balanced, seed).tolist()
        == given_seats(caps, many, balanced, seed)[:few].tolist()
    )


@given(counts=CAPS, size=st.integers(1, 120), seed=st.integers(0, 99))
def test_equal_shares_are_those_that_filling_row_by_row_gives(
    counts: list[int], size: int, seed: int
) -> None:
    assert sorted(counted(given_seats(counts, size, True, seed), len(counts)).tolist()) == equal_shares(
        counts, size
    )


@given(
    counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=9),
    size=st.integers(1, 2000),
    seed=st.integers(0, 99),
)
def test_shares_in_proportion_are_those_of_the_highest_averages_after_two_rows_of_each_class(
    counts: list[int], size: int, seed: int
) -> None:
    """One seat after the other, by the definition of Webster and Sainte-Laguë, in exact arithmetic."""
    order = class_order(seed, [str(c) for c in range(len(counts))]).tolist()
    expected: list[int] = []
    held = [0] * len(counts)
    while len(expected) < min(size, sum(counts)):
        open_to = [c for c in order if held[c] < counts[c]]
        fewest = min(held[c] for c in open_to)
        if fewest < 2:
            winner = next(c for c in open_to if held[c] == fewest)
        else:
            winner = max(open_to, key=lambda c: Fraction(counts[c], 2 * held[c] + 1))  # the first of equals
        held[winner] += 1
        expected.append(winner)
    assert given_seats(counts, size, False, seed).tolist() == expected


@given(counts=st.lists(st.integers(2, 10**6), min_size=1, max_size=9), size=st.integers(1, 2000))
def test_shares_in_proportion_leave_no_class_out_and_differ_from_it_by_less_than_one_and_the_floor(
    counts: list[int], size: int
) -> None:
    quotas = counted(given_seats(counts, size, False, 0), len(counts))
    if size < 2 * len(counts):
        return
    assert (quotas >= 2).all()
    free = np.array(counts)[quotas > 2]
    if len(free) and quotas.sum() == size and (quotas < counts).all():
        # Between the classes above the floor no row could go where it would be worth more.
        worth, missed = free / (2 * quotas[quotas > 2] - 1), np.array(counts) / (2 * quotas + 1)
        assert worth.min() >= missed.max() * (1 - 1e-12)


@given(counts=st.lists(st.integers(1, 4), min_size=2, max_size=9), seed=st.integers(0, 99))
def test_among_equal_classes_a_random_order_by_their_names_decides(counts: list[int], seed: int) -> None:
    names = [f"class {c}" for c in range(len(counts))]
    order = class_order(seed, names)
    assert given_seats(counts, len(counts), True, seed, names).tolist() == order.tolist()
    turned = names[::-1]
    assert [turned[c] for c in class_order(seed, turned)] == [names[c] for c in order]


def given_seats(
    caps: list[int], size: int, balanced: bool, seed: int, names: list[str] | None = None
) -> Counts:
    most = np.array(caps, np.int64)
    order = class_order(seed, names or [str(c) for c in range(len(caps))])
    return seats(class_weights(most, balanced=balanced), most, size, order)

"""Choose the rows to read, given the label of every row, so that few row groups are read.

Every row of a class is equally likely, at any sample size. The rows of a class have an order, and a
sample takes its beginning. Row groups are read whole, so rows in the same row group cost less. The rows
of a class in a row group are put in random order, by their keys, and cut into blocks of k rows. Blocks
are ordered by keys of their own, which do not depend on the class. With k = 1 every row is drawn by
itself, and its block has the key of the row. The r < k rows after the last whole block are cut into
blocks whose sizes are the powers of two in r. The sizes are strata that take turns: if N_s of the N rows
of a class are in blocks of size s, each position in the order goes to size s with probability N_s / N.
Blocks of one size are exchangeable, and so are the rows of a row group. So for any k, every row of a
class has each position in its order with the same probability: it is among the first m with probability
m / N exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hubscan.sample.select.quotas import Counts
from hubscan.sample.select.random_keys import Keys, Places, block_keys, fractions, keys_of

PILOT_SEED: Final = 2**64 - 1  # larger than any seed a user can pass
AIM: Final = 0.85  # of the budget, since the sample may cost more than the trial
KEPT_FACTOR: Final = 4  # prune candidates when there are this many times more than can be drawn


@dataclass(frozen=True, slots=True)
class Members:
    """Rows of some row groups, each with a class that it can be drawn for; in any order."""

    rows: Places  # (m,) position in the split
    classes: npt.NDArray[np.int32]  # (m,)
    groups: npt.NDArray[np.int32]  # (m,) row group


Labelled = Callable[[], Iterable[Members]]
"""Return an iterator over all members, in chunks; a row group is never split between chunks."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The first rows of each class, sorted by class and then by their order in it."""

    rows: Places  # (n,)
    classes: npt.NDArray[np.int32]  # (n,)
    groups: npt.NDArray[np.int32]  # (n,)

    @property
    def touched(self) -> npt.NDArray[np.int32]:
        """Return the row groups to read, ascending."""
        return np.unique(self.groups)

    def by_class(self, classes: int) -> list[Places]:
        """Return the rows of each of *classes*."""
        return np.split(self.rows, np.searchsorted(self.classes, np.arange(1, classes)))


@dataclass(frozen=True, slots=True)
class Blocks:
    """How rows of a class are drawn: one by one, or in blocks from one row group."""

    rows: int = 1  # of the largest blocks
    together: bool = False  # whether the rest of a row group has the key of its first block: fewer row
    #                         groups are read, but rows of a class come from fewer of them

    @property
    def sizes(self) -> int:
        """Return the number of block sizes: this one, and the powers of two below it."""
        return (self.rows - 1).bit_length() + 1


SINGLE: Final = Blocks()


def planned(labelled: Labelled, reach: Counts, seed: int, blocks: Blocks = SINGLE) -> Plan:
    """Return the first *reach* (C,) rows of each class, in *blocks*.

    Reads the members once for single rows and twice for blocks. Holds at most one chunk and a few times
    as many members as requested.
    """
    turns = _turns(labelled, reach, seed, blocks)
    shares = np.bincount(turns, minlength=len(reach) * blocks.sizes).astype(np.int64)
    kept = _Kept.none()
    for members in labelled():
        kept = kept.joined(_cut(members, seed, blocks).below(kept.limits(shares)))
        if len(kept.rows) > KEPT_FACTOR * int(reach.sum()) + 1024:
            kept = kept.pruned(shares)
    kept = kept.pruned(shares)
    in_turn = np.empty(len(turns), np.intp)
    in_turn[np.argsort(turns, kind="stable")] = np.arange(len(turns))  # kept rows are sorted by stratum
    kept = kept.taken(in_turn)
    return Plan(kept.rows, (kept.strata // blocks.sizes).astype(np.int32), kept.groups)


def blocks_within(
    labelled: Labelled,
    quotas: Counts,
    *,
    costs: npt.NDArray[np.int64],
    budget: int,
    largest_group: int,
) -> Blocks:
    """Return the smallest blocks with which the first *quotas* rows cost about *budget* bytes or less.

    The trial uses keys that no sample has: if the cost of the sample itself decided, its rows would no
    longer be equally likely. So the sample costs a little more or less than the trial.

    Args:
        labelled: the members.
        quotas: (C,) rows to draw of each class.
        costs: (G,) bytes to read each row group.
        budget: bytes; if the row groups are too large for it, the cheapest blocks are returned.
        largest_group: rows of the largest row group, which bounds the size of a block.
    """
    aim = int(AIM * budget)

    def price(blocks: Blocks) -> int:
        return int(costs[planned(labelled, quotas, PILOT_SEED, blocks).touched].sum())

    best, least = SINGLE, price(SINGLE)
    whole_group = 1 << max(largest_group - 1, 1).bit_length()
    rows = min(_first_guess(least, aim), whole_group)
    while least > aim and rows <= whole_group:
        for blocks in (Blocks(rows), Blocks(rows, together=True)):
            cost = price(blocks) if least > aim else least
            if cost < least:
                best, least = blocks, cost
        rows *= 2
    finer = (replace(best, rows=best.rows * eighths // 8) for eighths in (5, 6, 7))
    return next((blocks for blocks in finer if best.rows >= 8 and price(blocks) <= aim), best)


def _first_guess(price: int, budget: int) -> int:
    """Return the smallest block that could meet the budget: blocks of k rows divide the cost by at most k."""
    return int(1 << max(1, (max(price // max(budget, 1), 1)).bit_length() - 1))


@dataclass(frozen=True, slots=True)
class _Kept:
    """Candidates: members with their blocks."""

    rows: Places
    groups: npt.NDArray[np.int32]
    strata: npt.NDArray[np.int64]  # class · number of sizes + index of the size of the block
    blocks: Keys  # key of the block
    keys: Keys  # key of the row, which orders the rows of a block

    @classmethod
    def none(cls) -> _Kept:
        return cls(
            np.empty(0, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.uint64),
            np.empty(0, np.uint64),
        )

    def taken(self, places: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> _Kept:
        return _Kept(
            self.rows[places],
            self.groups[places],
            self.strata[places],
            self.blocks[places],
            self.keys[places],
        )

    def joined(self, other: _Kept) -> _Kept:
        return _Kept(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.groups, other.groups]),
            np.concatenate([self.strata, other.strata]),
            np.concatenate([self.blocks, other.blocks]),
            np.concatenate([self.keys, other.keys]),
        )

    def below(self, limits: Keys) -> _Kept:
        """Return the candidates whose block is within the limit of their stratum."""
        return self.taken(self.blocks <= limits[self.strata])

    def limits(self, shares: Counts) -> Keys:
        """Return the largest block key (strata,) that each stratum still accepts."""
        limits = np.full(len(shares), np.iinfo(np.uint64).max, np.uint64)
        if len(self.rows):
            counts = np.bincount(self.strata, minlength=len(shares))
            highest = np.zeros(len(shares), np.uint64)
            np.maximum.at(highest, self.strata, self.blocks)
            full = counts >= shares
            limits[full] = highest[full]
        return limits

    def pruned(self, shares: Counts) -> _Kept:
        """Keep the first rows of each stratum, up to its share, ordered by block key and then row key."""
        order = np.lexsort((self.keys, self.blocks, self.strata))
        position = _positions(self.strata[order])
        return self.taken(order[position < shares[self.strata[order]]])


def _cut(members: Members, seed: int, blocks: Blocks) -> _Kept:
    """Return *members* with their blocks."""
    keys = keys_of(seed, members.rows)
    if blocks.rows == 1:
        return _Kept(members.rows, members.groups, members.classes.astype(np.int64), keys, keys)
    order = np.lexsort((keys, members.classes, members.groups))
    groups, classes = members.groups[order].astype(np.int64), members.classes[order].astype(np.int64)
    lots = groups * (int(classes.max(initial=0)) + 1) + classes
    position, count = _positions(lots), _counts(lots)
    sizes, numbers = _blocks(position, count, blocks)
    if blocks.together:
        numbers = np.maximum(numbers, 0)
    return _Kept(
        members.rows[order],
        members.groups[order],
        classes * blocks.sizes + sizes,
        block_keys(seed, groups, numbers),
        keys[order],
    )


def _blocks(position: Places, count: Places, blocks: Blocks) -> tuple[Places, Places]:
    """Return the index of the block size and the block number for a row at *position* of *count*.

    Whole blocks have the last index and are numbered 0, 1 and so on. For blocks of the rest, the index is
    the log2 of their size; index 0 has number −1, index 1 has number −2 and so on.
    """
    whole = blocks.sizes - 1
    exponents = np.full(len(position), whole, np.int64)
    numbers = position // blocks.rows
    rest = count % blocks.rows
    behind = position - (count - rest)  # position within the rest; negative before it
    for bit in range(whole):
        start = rest >> (bit + 1) << (bit + 1)
        inside = (behind >= start) & (behind < start + (1 << bit)) & (rest >> bit & 1 == 1)
        exponents[inside], numbers[inside] = bit, -1 - bit
    return exponents, numbers


def _turns(labelled: Labelled, reach: Counts, seed: int, blocks: Blocks) -> Places:
    """Return the stratum (n,) of each of the first *reach* (C,) positions of the classes, by class.

    Each size in turn takes a share N_s / N of the positions that are left, as evenly as possible, from a
    random start. So the size at a position does not depend on the number of positions, and each size has
    it with probability N_s / N.
    """
    classes = np.repeat(np.arange(len(reach)), reach)
    if blocks.rows == 1:
        return classes
    there = np.zeros(len(reach) * blocks.sizes, np.int64)
    for members in labelled():
        there += np.bincount(_cut(members, seed, blocks).strata, minlength=len(there))
    of_size = there.reshape(len(reach), blocks.sizes)
    begin = fractions(seed, len(there)).reshape(of_size.shape)
    turns = np.empty(len(classes), np.int64)
    left, place = np.arange(len(classes)), _positions(classes)
    for size in range(blocks.sizes):
        c = classes[left]
        rows, rest = of_size[c, size], of_size[:, size:].sum(axis=1)[c]
        start = (begin[c, size] * rest).astype(np.int64)
        before = (place * rows + start) // rest  # in integers: the probabilities are exact
        taken = ((place + 1) * rows + start) // rest > before
        turns[left[taken]] = c[taken] * blocks.sizes + size
        left, place = left[~taken], (place - before)[~taken]
    return turns


def _positions(lots: Places) -> Places:
    """Return the position of each element in its run of equal *lots*; equal ones are adjacent."""
    starts = np.flatnonzero(np.diff(lots, prepend=lots[:1] - 1))
    lengths = np.diff(starts, append=len(lots))
    return np.arange(len(lots), dtype=np.int64) - np.repeat(starts, lengths)


def _counts(lots: Places) -> Places:
    """Return the length of the run of equal *lots* around each element."""
    starts = np.flatnonzero(np.diff(lots, prepend=lots[:1] - 1))
    lengths = np.diff(starts, append=len(lots))
    return np.repeat(lengths, lengths)

"""The label of every row in, the rows that come first out: every row of a class equally likely, at any size.

The rows of a class have an order, of which a sample takes the beginning. Row groups are what can be
read, so rows that lie together cost less. The rows of a class in a row group are put in random order,
by their keys, and cut into blocks of k rows; blocks come in the order of keys of their own, which the
classes share. With k = 1 every row is drawn by itself and its block's key is the row's own. What is
left over behind the last whole block, r < k rows, is cut into blocks whose sizes are the powers of two
in r. The sizes are strata, which take turns: of the N rows of a class, N_s in blocks of size s, each
place in the order falls to size s with probability N_s / N. Blocks of one size are exchangeable, and so
are the rows of a row group. So whatever k is, every row of a class has each place in its order with the
same probability: it is among the first m with probability m / N exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from hubscan.sample.select.quotas import Counts
from hubscan.sample.select.random_keys import Keys, Places, block_keys, fractions, keys_of

PILOT_SEED: Final = 2**64 - 1  # a seed that is asked for is less
AIM: Final = 0.85  # of the budget, since a draw may cost more than what was tried
KEPT_FACTOR: Final = 4  # candidates are weeded when there are so many times more than can be drawn


@dataclass(frozen=True, slots=True)
class Members:
    """Rows of some row groups, each with a class that it could be drawn for; in any order."""

    rows: Places  # (m,) position in the split
    classes: npt.NDArray[np.int32]  # (m,)
    groups: npt.NDArray[np.int32]  # (m,) row group


Labelled = Callable[[], Iterable[Members]]
"""Gives all members anew each time, in chunks; all members of one row group come in one chunk."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The first rows of each class: by class, and within one in its order."""

    rows: Places  # (n,)
    classes: npt.NDArray[np.int32]  # (n,)
    groups: npt.NDArray[np.int32]  # (n,)

    @property
    def touched(self) -> npt.NDArray[np.int32]:
        """Return the row groups that have to be read, ascending."""
        return np.unique(self.groups)

    def by_class(self, classes: int) -> list[Places]:
        """Return the rows of each of *classes*."""
        return np.split(self.rows, np.searchsorted(self.classes, np.arange(1, classes)))


@dataclass(frozen=True, slots=True)
class Blocks:
    """How rows of a class are drawn: by themselves, or some that lie in one row group together."""

    rows: int = 1  # of the largest blocks
    together: bool = False  # what is left over in a row group comes when its first block comes, so that
    #                         fewer row groups are read, and rows of a class come from fewer places

    @property
    def sizes(self) -> int:
        """Return how many sizes blocks have: this one, and the powers of two below it."""
        return (self.rows - 1).bit_length() + 1


SINGLE: Final = Blocks()


def planned(labelled: Labelled, reach: Counts, seed: int, blocks: Blocks = SINGLE) -> Plan:
    """Return the first *reach* (C,) rows of each class, in *blocks*.

    The members are gone through once for single rows and twice for blocks; never more of them are
    held than one chunk and some times what is asked for.
    """
    turns = _turns(labelled, reach, seed, blocks)
    shares = np.bincount(turns, minlength=len(reach) * blocks.sizes).astype(np.int64)
    kept = _Kept.none()
    for members in labelled():
        kept = kept.joined(_cut(members, seed, blocks).below(kept.limits(shares)))
        if len(kept.rows) > KEPT_FACTOR * int(reach.sum()) + 1024:
            kept = kept.weeded(shares)
    kept = kept.weeded(shares)
    in_turn = np.empty(len(turns), np.intp)
    in_turn[np.argsort(turns, kind="stable")] = np.arange(len(turns))  # kept rows come by stratum
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

    They are tried out with keys that no draw has: were they chosen by what the draw itself costs,
    its rows would no longer be equally likely. So it costs a little more or less than was tried.

    Args:
        labelled: the members.
        quotas: (C,) rows to draw of each class.
        costs: (G,) bytes to read each row group.
        budget: bytes; where row groups are too large for it, what reads least is returned.
        largest_group: rows of the largest row group, in one block of which all of it fits.
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
    """Return the smallest block that could be enough: blocks of k rows save k-fold at best."""
    return int(1 << max(1, (max(price // max(budget, 1), 1)).bit_length() - 1))


@dataclass(frozen=True, slots=True)
class _Kept:
    """Members with their blocks: candidates for being drawn."""

    rows: Places
    groups: npt.NDArray[np.int32]
    strata: npt.NDArray[np.int64]  # class · number of sizes + which of them the block has
    blocks: Keys  # key of the block
    keys: Keys  # key of the row, which decides within a block

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
        """Leave out what comes behind all that its stratum needs."""
        return self.taken(self.blocks <= limits[self.strata])

    def limits(self, shares: Counts) -> Keys:
        """Return the key (strata,) behind which a stratum that is full already takes no more."""
        limits = np.full(len(shares), np.iinfo(np.uint64).max, np.uint64)
        if len(self.rows):
            counts = np.bincount(self.strata, minlength=len(shares))
            highest = np.zeros(len(shares), np.uint64)
            np.maximum.at(highest, self.strata, self.blocks)
            full = counts >= shares
            limits[full] = highest[full]
        return limits

    def weeded(self, shares: Counts) -> _Kept:
        """Keep of each stratum the first of its share, blocks by their keys, rows within one by theirs."""
        order = np.lexsort((self.keys, self.blocks, self.strata))
        position = _positions(self.strata[order])
        return self.taken(order[position < shares[self.strata[order]]])


def _cut(members: Members, seed: int, blocks: Blocks) -> _Kept:
    """Return *members* in their blocks."""
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
    """Return which size the block has that a row at *position* of *count* is in, and its number.

    Whole blocks have the last size and are numbered 0, 1 and so on; those of the rest have the log2 of
    their size, and are numbered −1, −2 and so on by it.
    """
    whole = blocks.sizes - 1
    exponents = np.full(len(position), whole, np.int64)
    numbers = position // blocks.rows
    rest = count % blocks.rows
    behind = position - (count - rest)  # place within the rest; negative before it
    for bit in range(whole):
        start = rest >> (bit + 1) << (bit + 1)
        inside = (behind >= start) & (behind < start + (1 << bit)) & (rest >> bit & 1 == 1)
        exponents[inside], numbers[inside] = bit, -1 - bit
    return exponents, numbers


def _turns(labelled: Labelled, reach: Counts, seed: int, blocks: Blocks) -> Places:
    """Return the stratum (n,) of each of the first *reach* (C,) places of the classes, by class.

    One size after the other takes its places from those that are left: of every N the N_s-th part, as
    evenly as can be, from a random beginning. So which size has a place does not hang on how many
    places there are, and each has it with probability N_s / N.
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
    """Return the position of each element within its run of equal *lots*, which are sorted together."""
    starts = np.flatnonzero(np.diff(lots, prepend=lots[:1] - 1))
    lengths = np.diff(starts, append=len(lots))
    return np.arange(len(lots), dtype=np.int64) - np.repeat(starts, lengths)


def _counts(lots: Places) -> Places:
    """Return the length of the run of equal *lots* that each element is in."""
    starts = np.flatnonzero(np.diff(lots, prepend=lots[:1] - 1))
    lengths = np.diff(starts, append=len(lots))
    return np.repeat(lengths, lengths)

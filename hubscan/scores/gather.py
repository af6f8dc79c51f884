"""A row space, labellings and halves of the rows in, what the hat matrices show of each out.

The rows are read once, block by block: what is kept of them is as large as their width, the classes
and the halves, so that their number does not bound memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hubscan.scores.frames import frame
from hubscan.scores.hats import Hat, InnerHat, WholeHat, inner_hat, outer_hat, scaled_leverages, whole_hat
from hubscan.scores.linalg.backend import Block
from hubscan.scores.linalg.row_space import RowSpace
from hubscan.scores.pooled_rate import Seen
from hubscan.scores.resampling import Half
from hubscan.scores.targets import Classes, Matrix64

Leverages = tuple[Matrix64, Matrix64]  # diagonals of H and Ḣ
Pair = tuple[Half, Half]


@dataclass
class Part:
    """Some rows A (m, r) of U, and their moments."""

    inside: Half  # (n,) which rows
    labellings: Sequence[Classes]  # (n,) each
    half: bool = True
    rest_of: Part | None = None  # the half that has all other rows, if there is one
    gram: Block = None  # AᵀA (r, r); of a whole it is known
    sums: list[Block] = field(default_factory=list)  # of each labelling, (K, r)

    def __post_init__(self) -> None:
        """Count the classes once, and not for every block."""
        self.classes = [int(labels.max()) + 1 for labels in self.labellings]

    def add(self, space: RowSpace, places: slice, u: Block) -> None:
        """Take in a block *u* of U, the rows at *places*."""
        at = np.flatnonzero(self.inside[places])
        sums = [
            space.algebra.sums(u, at, labels[places][at], count)
            for labels, count in zip(self.labellings, self.classes, strict=True)
        ]
        self.sums = [before + now for before, now in zip(self.sums, sums, strict=True)] if self.sums else sums
        if self.half and self.rest_of is None:
            gram = space.algebra.gram(u[at])
            self.gram = gram if self.gram is None else self.gram + gram


def seen(
    space: RowSpace, labellings: Sequence[Classes], problems: int, pairs: Sequence[Pair]
) -> tuple[list[Seen], list[list[Seen]]]:
    """Return what is seen of each of *labellings* (n,), and of the first *problems* of them in each half.

    The labels are numbers 0 … K−1, each with a row.
    """
    whole = Part(np.ones(len(space.rows), bool), labellings, half=False)
    inner = space.rank <= len(space.rows) // 2  # else a half has no more rows than dimensions
    halves = [half for pair in pairs for half in _halves(pair, labellings[:problems])] if inner else []
    leverages = _gathered(space, [whole, *halves])
    of_all = _seen_by_columns(space, whole_hat(space), whole, leverages)
    if inner:
        return of_all, [_inner(space, half, leverages) for half in halves]
    return of_all, [_outer(space, half, labellings[:problems]) for pair in pairs for half in pair]


def _halves(pair: Pair, labellings: Sequence[Classes]) -> tuple[Part, Part]:
    one, other = (Part(half, labellings) for half in pair)
    if not (pair[0] & pair[1]).any():
        other.rest_of = one
    return one, other


def _gathered(space: RowSpace, parts: Sequence[Part]) -> Leverages:
    """Read all rows into the moments of *parts*, and return the leverages, (n,) each."""
    algebra, found = space.algebra, []
    kept = algebra.block(space.kept)
    for places, u in space.blocks():
        squares = u * u
        found.append((algebra.host(squares @ kept), algebra.host(squares @ (kept * (1.0 - kept)))))
        for part in parts:
            part.add(space, places, u)
    return np.concatenate([h for h, _ in found]), np.concatenate([falling for _, falling in found])


def _inner(space: RowSpace, half: Part, leverages: Leverages) -> list[Seen]:
    # UᵀU = I, so what the one half has of it, the other has not.
    gram = half.gram if half.rest_of is None else space.algebra.identity(space.rank) - half.rest_of.gram
    hat = inner_hat(space, gram, half.sums[0].sum(axis=0), int(half.inside.sum()))
    scaled = scaled_leverages(hat, (leverages[0][half.inside], leverages[1][half.inside]))
    return _seen_by_columns(space, hat, half, scaled)


def _seen_by_columns(
    space: RowSpace, hat: WholeHat | InnerHat, part: Part, leverages: Leverages
) -> list[Seen]:
    found = []
    for labels, sums in zip(part.labellings, part.sums, strict=True):
        classes, counts = _occurring(labels[part.inside])
        occurring = sums[np.unique(labels[part.inside])] if len(counts) < len(sums) else sums
        columns = frame(counts).turned(occurring, space.algebra)
        found.append(_seen_by(hat, classes, counts, hat.seen(columns), leverages))
    return found


def _outer(space: RowSpace, half: Half, labellings: Sequence[Classes]) -> list[Seen]:
    hat = outer_hat(space, np.flatnonzero(half))
    found = []
    for labels in labellings:
        classes, counts = _occurring(labels[half])
        found.append(_seen_by(hat, classes, counts, hat.seen(classes, counts), hat.leverages))
    return found


def _seen_by(
    hat: Hat, classes: Classes, counts: Matrix64, products: tuple[Matrix64, Matrix64], leverages: Leverages
) -> Seen:
    h, h_falling = (np.bincount(classes, weights=diagonal) / counts for diagonal in leverages)
    return Seen(counts, hat.trace, hat.trace_squared, *products, h, h_falling)


def _occurring(labels: Classes) -> tuple[Classes, Matrix64]:
    """Return *labels* (m,) numbered anew, so that each number has a row, and how many rows it has."""
    counts = np.bincount(labels)
    number = np.cumsum(counts > 0) - 1
    return number[labels], counts[counts > 0].astype(np.float64)

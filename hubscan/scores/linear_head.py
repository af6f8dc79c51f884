"""Fit the linear head, a ridge regression of the labels on frozen features, and predict left-out rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hubscan.scores.linalg.centered import blocks_of, rows_of
from hubscan.scores.linalg.row_space import RowSpace
from hubscan.scores.net_rate import Decomposed, decomposed
from hubscan.scores.resampling import groups_of
from hubscan.scores.targets import Classes, Matrix64, Targets, as_targets, same_rows

LEAST_FREE = 1e-12  # lower bound on 1 − leverage
LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class LinearHead:
    """A linear head with one ridge penalty for all its outputs."""

    targets: Targets
    found: Decomposed
    penalty: float  # in units of the scaled rows
    left_out: Matrix64  # (n, T) outputs for each row by a fit without that row and its group

    @property
    def ridge(self) -> float:
        """Return Λ in squared units of the features, or 0 if no feature varies."""
        if self.found.space is None:
            return 0.0
        scale = self.found.rows.scale
        return min(self.penalty * scale * scale, LARGEST)  # a power would raise OverflowError

    def coefficients(self) -> tuple[Matrix64, Matrix64]:
        """Return weights (d, T) and intercepts (T,): outputs are features·weights + intercepts."""
        rows, lengths = self.found.rows, self.found.lengths
        weights = np.zeros((rows.width, len(lengths)))
        if self.found.space is not None:
            space, algebra = self.found.space, rows.algebra
            along = self.found.projections[0] * lengths / (space.variances + self.penalty)[:, None]
            for places, u in space.blocks():
                weights += algebra.host(rows.take(places).T @ (u @ algebra.block(along)))
        weights /= rows.spreads[:, None]  # infinite where a column is constant
        intercepts = self.targets.columns.mean(axis=0) - rows.means @ weights
        return weights / rows.unit, intercepts


def linear_head(
    features: npt.ArrayLike, labels: npt.ArrayLike, *, groups: npt.ArrayLike | None = None
) -> LinearHead:
    """Return the linear head for *features* (n, d): a ridge regression of the label columns.

    Each class has one column, which is 1 in the rows of the class and 0 elsewhere.

    All columns share one Λ: the one that maximises the weighted sum of their `transrate` terms, before each
    term is raised to at least 0. All rows take part in choosing this one number, the left-out ones too.

    With H = U·diag(w/(w+Λ))·Uᵀ + 1/n, the output for a left-out row is::

        ŷ₋ᵢ = (ŷᵢ − hᵢᵢ·yᵢ)/(1 − hᵢᵢ) + ȳ − ȳ₋ᵢ

    This equals a fit to the other rows at the same Λ, but with the class shares of all rows. Without the last
    two terms, leaving a row out would shift the intercept away from its class, and noise would score far
    below chance. Rows of one group (*groups* (n,)) are left out together, with blocks of H in the formula.

    Raises:
        ValueError: as `transrate`.
    """
    rows, targets = rows_of(features), as_targets(labels)
    same_rows(rows, targets)
    found = decomposed(rows, targets, [np.arange(len(rows))])
    return head_of(found, targets, groups_of(groups, len(rows)))


def head_of(found: Decomposed, targets: Targets, groups: Classes | None) -> LinearHead:
    """Return the linear head for decomposed features, whose first order is the original one of the labels."""
    means = targets.columns.mean(axis=0)
    if found.space is None:
        return LinearHead(targets, found, 0.0, np.tile(means, (len(found.rows), 1)))
    penalty = found.net_rates(0).ridge(targets.weights)
    kept = np.sqrt(found.space.variances / (found.space.variances + penalty))
    shift = _shifts(found.space, kept, found.projections[0], found.units, groups)
    return LinearHead(targets, found, penalty, means + found.lengths * shift)


def _shifts(
    space: RowSpace, kept: Matrix64, projected: Matrix64, units: Matrix64, groups: Classes | None
) -> Matrix64:
    """Return the prediction for each left-out row minus the mean, (n, T), for columns of length 1."""
    n = len(units)
    errors, leverage = np.empty_like(units), np.empty(n)
    algebra = space.algebra
    root = algebra.block(kept)
    along = algebra.block(kept[:, None] * projected)
    for places, u in space.blocks():
        b = u * root
        errors[places] = units[places] - algebra.host(b @ along)
        leverage[places] = algebra.host((b * b).sum(axis=1)) + 1.0 / n
    if groups is None:
        errors /= np.maximum(1.0 - leverage, LEAST_FREE)[:, None]
        return units - errors + units / (n - 1)
    sizes = np.bincount(groups)
    sums = np.stack([np.bincount(groups, column) for column in units.T], axis=1)
    alone = sizes[groups] == 1
    errors[alone] /= np.maximum(1.0 - leverage[alone], LEAST_FREE)[:, None]
    for members in _members(groups, sizes, space.rank):
        errors[members] = _left_out_together(space, kept, members, errors[members])
    return units - errors + (sums / (n - sizes)[:, None])[groups]


def _members(groups: Classes, sizes: Classes, rank: int) -> Iterator[Classes]:
    """Yield the groups with several rows: g groups of m rows at a time, (g, m), or one at a time if large."""
    order = np.argsort(groups, kind="stable")
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes[sizes > 1]):
        of_size = order[starts[sizes == size][:, None] + np.arange(size)]
        step = 1 if size > rank else max(1, next(blocks_of(len(of_size), size * max(size, rank))).stop)
        for first in range(0, len(of_size), step):
            yield of_size[first : first + step]


def _left_out_together(space: RowSpace, kept: Matrix64, members: Classes, errors: Matrix64) -> Matrix64:
    """Return (I − H_gg)⁻¹ *errors* for each group of *members* (g, m); H_gg = BBᵀ with B = [U√s, 1/√n]."""
    count, size = members.shape
    if size > space.rank + 1:
        return _large_group(space, kept, members[0], errors[0])[None]
    b = _with_mean(space, kept, members.ravel()).reshape(count, size, -1)
    free = (1.0 + LEAST_FREE) * np.eye(size) - b @ b.transpose(0, 2, 1)
    return np.asarray(np.linalg.solve(free, errors))


def _large_group(space: RowSpace, kept: Matrix64, members: Classes, errors: Matrix64) -> Matrix64:
    """Return the same for a group with more rows than the r + 1 dimensions, as I + B(I − BᵀB)⁻¹Bᵀ."""
    width = space.rank + 1
    gram, along = np.zeros((width, width)), np.zeros((width, errors.shape[1]))
    for places in blocks_of(len(members), width):
        b = _with_mean(space, kept, members[places])
        gram += b.T @ b
        along += b.T @ errors[places]
    solved = np.linalg.solve((1.0 + LEAST_FREE) * np.eye(width) - gram, along)
    found = errors.copy()
    for places in blocks_of(len(members), width):
        found[places] += _with_mean(space, kept, members[places]) @ solved
    return found


def _with_mean(space: RowSpace, kept: Matrix64, rows: Classes) -> Matrix64:
    u = space.algebra.host(space.take(rows))
    return np.column_stack([u * kept, np.full(len(rows), len(space.rows) ** -0.5)])

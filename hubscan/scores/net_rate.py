"""Compute the terms of TransRate: the coding rate that a label saves minus the cost of the features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hubscan.scores.linalg.backend import Block
from hubscan.scores.linalg.centered import Rows
from hubscan.scores.linalg.row_space import RowSpace, row_space
from hubscan.scores.targets import Classes, Matrix64, Targets

STEP: Final = 0.25
STRENGTHS: Final = np.arange(-8.0, 14.0 + STEP, STEP)  # log ρ, with Λ = tr(ZᵀZ)/(nρ)
UNEXPLAINED: Final = 1e-9  # least unexplained share of a label column, which keeps the value finite
TINY: Final = 1e-300
ROUNDING: Final = 1e-13  # a column that varies by less than this share of its largest number is constant


@dataclass(frozen=True)
class NetRates:
    """The net rate of each label column at each distortion of the lattice, in nats per row."""

    nats: Matrix64  # (S, T)
    unit: float  # Λ at log ρ = 0

    @property
    def largest(self) -> Matrix64:
        """Return the maximum over distortions for each column, (T,)."""
        return _peak(self.nats)[0]

    def ridge(self, weights: Matrix64) -> float:
        """Return the common Λ that maximises the sum of the columns weighted by *weights* (T,)."""
        place = float(_peak((self.nats @ weights)[:, None])[1][0])
        return self.unit * float(np.exp(-(STRENGTHS[0] + STEP * place)))


@dataclass(frozen=True)
class Decomposed:
    """Decomposed features, and the labels in several row orders projected on the left singular vectors."""

    rows: Rows
    space: RowSpace | None  # None if no feature varies
    units: Matrix64  # (n, T) label columns, centred and scaled to length 1
    lengths: Matrix64  # (T,) their lengths before that
    projections: list[Matrix64]  # (r, T) Uᵀy for each order

    def net_rates(self, place: int) -> NetRates:
        """Return the net rates of the labels in order number *place*.

        For a centred indicator y of length 1, the saved rate ½ log det(S_T + Λ/n) − ½ log det(S_W + Λ/n)
        equals −½ log(1 − q) with q = yᵀZ(ZᵀZ + ΛI)⁻¹Zᵀy.
        """
        if self.space is None:
            return NetRates(np.zeros((len(STRENGTHS), self.units.shape[1])), 1.0)
        variances, n = self.space.variances, len(self.rows)
        unit = float(variances.sum()) / n
        explained = np.square(self.projections[place])
        ridges = unit * np.exp(-STRENGTHS)[:, None]
        left = 1.0 + UNEXPLAINED - explained.sum(axis=0) + (ridges / (variances + ridges)) @ explained
        cost = 0.5 * np.log1p(variances / ridges).sum(axis=1, keepdims=True) / (n - 1)
        return NetRates(-0.5 * np.log(left) - cost, unit)


def decomposed(rows: Rows, targets: Targets, orders: Sequence[Classes]) -> Decomposed:
    """Decompose *rows*, and project *targets* in each of *orders* (n,) on their left singular vectors."""
    units, lengths = _units(targets.columns)
    if rows.constant:
        return Decomposed(rows, None, units, lengths, [])
    space = row_space(rows)
    algebra = space.algebra
    found: list[Block] = [0.0] * len(orders)
    for places, u in space.blocks():
        found = [
            before + u.T @ algebra.block(units[order[places]])
            for before, order in zip(found, orders, strict=True)
        ]
    return Decomposed(rows, space, units, lengths, [algebra.host(one) for one in found])


def _units(columns: Matrix64) -> tuple[Matrix64, Matrix64]:
    """Return *columns* (n, T) centred and scaled to length 1, and their lengths before that (T,).

    A constant column becomes 0.
    """
    largest = np.abs(columns).max(axis=0).clip(min=TINY)
    off = columns / largest
    off = off - off.mean(axis=0)
    length = np.linalg.norm(off, axis=0)
    varies = length > ROUNDING * np.sqrt(len(off))
    units: Matrix64 = off / np.where(varies, length, np.inf)
    return units, np.where(varies, largest * length, 0.0)


def _peak(values: Matrix64) -> tuple[Matrix64, Matrix64]:
    """Return the maximum of each column of *values* (S, T) and its place on the lattice, (T,) each.

    Between lattice points, it is the vertex of the parabola through the best point and its neighbours.
    """
    columns = np.arange(values.shape[1])
    best = values.argmax(axis=0)
    middle = best.clip(1, len(values) - 2)
    before, at, after = (values[middle + step, columns] for step in (-1, 0, 1))
    bend = np.minimum(before + after - 2.0 * at, -TINY)
    inside = (best == middle) & (bend < -TINY)
    vertex = at - np.square(after - before) / (8.0 * bend)
    shift = 0.5 * (before - after) / bend
    largest: Matrix64 = np.where(inside, vertex, values[best, columns])
    return largest, best + np.where(inside, shift, 0.0)

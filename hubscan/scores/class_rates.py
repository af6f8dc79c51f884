"""Rows and many labellings in, the nats that code the rows class by class out, for each labelling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from hubscan.scores.linalg.backend import Block
from hubscan.scores.linalg.centered import blocks_of
from hubscan.scores.linalg.row_space import RowSpace
from hubscan.scores.targets import Classes, Matrix64

Place = tuple[int, Classes]  # number of the labelling, and the rows of one class in it


def class_rates(space: RowSpace, labellings: Sequence[Classes], eps: float) -> Matrix64:
    """Return R(Z, eps | Y) = Σ_c (n_c/n) · ½ log det(I + Z_cᵀZ_c / (n_c·eps)) of each labelling, in nats.

    Z are the rows of *space*, scaled to tr(ZᵀZ)/n = 1. Classes of as many rows go through together,
    on the side of their Gram matrices that is shorter; a class that is wider than that is read in
    blocks. A class of half the rows or more is what the others leave of the whole.
    """
    eps = eps * float(space.variances.sum()) / len(space.rows)
    n = len(space.rows)
    rates = np.zeros(len(labellings))
    wide: list[tuple[int, list[Classes]]] = []
    alike: dict[int, list[Place]] = defaultdict(list)
    for number, labels in enumerate(labellings):
        classes = _classes(labels)
        largest = max(len(rows) for rows in classes)
        if 2 * largest >= n and largest >= space.width:
            wide.append((number, classes))
            continue
        for rows in classes:
            alike[len(rows)].append((number, rows))
    for number, classes in wide:
        rates[number] = _by_difference(space, classes, eps)
    for size, places in alike.items():
        for at in blocks_of(len(places), size * space.width):
            some = places[at]
            found = _half_log_dets(space, [rows for _, rows in some], eps)
            np.add.at(rates, [number for number, _ in some], found * (size / n))
    return rates


def _classes(labels: Classes) -> list[Classes]:
    """Return the rows of each class that occurs, ascending."""
    order = np.argsort(labels, kind="stable").astype(np.int32)  # all labellings are held, so half as large
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _half_log_dets(space: RowSpace, classes: list[Classes], eps: float) -> Matrix64:
    """Return ½ log det(I + Z_cᵀZ_c / (n_c·eps)) of *classes* of as many rows each."""
    size = len(classes[0])
    if size > space.width:
        return np.concatenate([_nats(space, _gram(space, rows), size, eps) for rows in classes])
    z = space.coordinates(np.concatenate(classes)).reshape(len(classes), size, -1)
    return _nats(space, z @ z.mT, size, eps)


def _by_difference(space: RowSpace, classes: list[Classes], eps: float) -> float:
    """Return the rate of one labelling, the Gram matrix of its largest class being what the others leave."""
    *others, largest = sorted(classes, key=len)
    left, nats = space.gram, 0.0
    for rows in others:
        gram = _gram(space, rows)
        left = left - gram
        nats += len(rows) * _nats(space, gram, len(rows), eps)[0]
    return float(nats + len(largest) * _nats(space, left, len(largest), eps)[0]) / len(space.rows)


def _gram(space: RowSpace, rows: Classes) -> Block:
    blocks = blocks_of(len(rows), space.width)
    return sum(space.algebra.gram(space.coordinates(rows[at])) for at in blocks)


def _nats(space: RowSpace, grams: Block, size: int, eps: float) -> Matrix64:
    """Return ½ log det(I + G/(size·eps)) of each of *grams* (g, m, m) or (m, m), (g,)."""
    scaled = grams / (size * eps)
    return np.atleast_1d(space.algebra.half_log_det(scaled + space.algebra.identity(scaled.shape[-1])))

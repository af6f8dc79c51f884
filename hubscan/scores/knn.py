"""Leave-one-out nearest neighbours: whether rows that lie together are labelled alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hubscan.scores.prediction import agreement
from hubscan.scores.resampling import groups_of
from hubscan.scores.targets import Classes, Matrix64, checked

NEIGHBOURS = 5
TIED = 1e-10  # cosines this close differ by rounding
BLOCK_BYTES = 64 * 2**20  # of cosines held at a time


def nearest_neighbours(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    k: int = NEIGHBOURS,
    groups: npt.ArrayLike | None = None,
) -> float:
    """Return how well each row's label follows from the *k* other rows nearest to it in direction.

    The prediction is the mean of the neighbours' label columns. Classes: accuracy of the most
    frequent class; numbers: R²; multi-label: average precision, weighted by how often a label
    occurs (`hubscan.scores.prediction`). 1 is best; there is no bias with the width to correct.

    Nearest is by cosine: how long a feature vector is tells more of the input's length and of the
    encoder than of its content, and one long row would be nobody's neighbour. Rotating the
    features, or multiplying any row by a positive number, changes nothing; moving them does. A row
    of zeros has cosine 0 with every other.

    k = 5: one neighbour is noisy, and the rows of a class of n_c cannot win by much when k exceeds
    2·n_c, so that more would write off small classes. With fewer than k other rows, all are taken.

    Ties: rows as near as the k-th share the places that are left, and classes of equal votes share
    the win. So neither the order of the rows nor the names of the classes matter. Constant features
    score below chance, 0 for balanced classes: a row that is left out leaves its class a minority.

    Cost O(n²·d) time; cosines are held for a block of rows at a time, 64 MB.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.targets`.
        k: how many neighbours, at least 1.
        groups: (n,) names; rows of one group, as the words of a sentence, are not one another's neighbours.

    Raises:
        ValueError: if the shapes do not fit, a number is not finite, the labels are constant, or
            k < 1, or all rows are of one group.
    """
    if k < 1:
        raise ValueError(f"k ≥ 1 neighbours expected, got {k}")
    matrix, targets = checked(features, labels)
    z = _directions(matrix)
    n = len(z)
    together = groups_of(groups, n)
    alone = np.arange(n) if together is None else together
    k = min(k, n - int(np.bincount(alone).max()))
    step = max(1, BLOCK_BYTES // (8 * n))
    shares = (_shares(z, alone, slice(start, start + step), k) for start in range(0, n, step))
    return agreement(np.vstack([share @ targets.columns for share in shares]), targets)


def _directions(matrix: Matrix64) -> Matrix64:
    """Return the rows of *matrix* with length 1; a row of zeros stays one."""
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    z = matrix / np.where(largest > 0, largest, 1.0)  # its square is inside float64 for any row
    length = np.linalg.norm(z, axis=1, keepdims=True)
    z /= np.where(length > 0, length, 1.0)
    return z


def _shares(z: Matrix64, groups: Classes, some: slice, k: int) -> sparse.csr_array:
    """Return the share (m, n) that every row has in the prediction of *some* rows."""
    cosines = z[some] @ z.T
    cosines[groups[some, None] == groups] = -np.inf
    kth = np.partition(cosines, -k, axis=1)[:, -k, None]
    row, column = np.nonzero(cosines >= kth - TIED)
    nearer = cosines[row, column] > kth[row, 0] + TIED
    count_nearer = np.bincount(row[nearer], minlength=len(cosines))
    count_tied = np.bincount(row[~nearer], minlength=len(cosines))
    share = np.where(nearer, 1.0, ((k - count_nearer) / count_tied)[row]) / k
    return sparse.csr_array((share, (row, column)), shape=cosines.shape)

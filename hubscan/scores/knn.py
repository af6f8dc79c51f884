"""Leave-one-out nearest neighbours: whether rows with similar features have similar labels."""

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
    """Return how well the *k* nearest other rows predict the label of each row.

    The prediction is the mean of the neighbours' label columns. It is judged by the accuracy of the most
    frequent class, by R² for numbers, and by average precision weighted by label frequency for several
    labels (`hubscan.scores.prediction`). 1 is best. Width causes no bias that needs correcting.

    Distance is cosine distance: the length of a feature vector depends more on the length of the input and on
    the encoder than on the content, and a single long row would be nobody's neighbour. The score does not
    change when the features are rotated or a row is multiplied by a positive number; it does when they are
    shifted. A row of zeros has cosine 0 with every other row.

    k = 5 because one neighbour is noisy, while a class of n_c rows can hardly win a vote when k exceeds
    2·n_c, so a larger k would ignore small classes. If there are fewer than k other rows, all are used.

    Ties: rows as near as the k-th share the remaining places, and classes with equally many votes share the
    win. Neither the order of the rows nor the names of the classes matter. Constant features score below
    chance, and 0 for balanced classes, because leaving a row out makes its class a minority.

    Cost O(n²·d) time; cosines are held for a block of rows at a time, 64 MB.

    Args:
        features: (n, d) finite real numbers of any type, or a tensor; computed in float64.
        labels: (n,) classes, (n, L) of 0 and 1, or (n,) floats; see `hubscan.scores.targets`.
        k: the number of neighbours, at least 1.
        groups: (n,) names; rows of one group, such as the words of a sentence, are never neighbours.

    Raises:
        ValueError: if the shapes do not match, a number is not finite, the labels are constant, k < 1, or all
            rows are in one group.
    """
    if k < 1:
        raise ValueError(f"k is {k}, but at least 1 neighbour is needed")
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
    """Return the rows of *matrix* scaled to length 1; rows of zeros stay zero."""
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    z = matrix / np.where(largest > 0, largest, 1.0)  # keeps the squares within float64
    length = np.linalg.norm(z, axis=1, keepdims=True)
    z /= np.where(length > 0, length, 1.0)
    return z


def _shares(z: Matrix64, groups: Classes, some: slice, k: int) -> sparse.csr_array:
    """Return the weight (m, n) of every row in the prediction for *some* rows."""
    cosines = z[some] @ z.T
    cosines[groups[some, None] == groups] = -np.inf
    kth = np.partition(cosines, -k, axis=1)[:, -k, None]
    row, column = np.nonzero(cosines >= kth - TIED)
    nearer = cosines[row, column] > kth[row, 0] + TIED
    count_nearer = np.bincount(row[nearer], minlength=len(cosines))
    count_tied = np.bincount(row[~nearer], minlength=len(cosines))
    share = np.where(nearer, 1.0, ((k - count_nearer) / count_tied)[row]) / k
    return sparse.csr_array((share, (row, column)), shape=cosines.shape)

"""What features and labels can be: anything array-like in, checked float64 features and `Targets` out."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Matrix64: TypeAlias = npt.NDArray[np.float64]
Classes: TypeAlias = npt.NDArray[np.integer[Any]]
Kind = Literal["classes", "multilabel", "numbers"]

BINS = 10  # classes that a numeric target becomes where a metric knows classes only
ROWS_PER_BIN = 10  # fewer would leave a class without a spread of its own


@dataclass(frozen=True)
class Targets:
    """Checked labels of n rows."""

    kind: Kind
    values: npt.NDArray[Any]  # classes (n,) numbered 0 … K−1, label columns (n, L), or numbers (n,)
    weights: Matrix64  # (T,) share of each column among all positives, summing to 1; [1.0] for numbers

    def __len__(self) -> int:
        """Return n."""
        return len(self.values)

    @cached_property
    def columns(self) -> Matrix64:
        """Return what a regression is to predict, (n, T): one-hot classes, label columns, or the number."""
        if self.kind != "classes":
            return self.values.reshape(len(self), -1)
        columns = np.zeros((len(self), len(self.weights)))
        columns[np.arange(len(self)), self.values] = 1.0
        return columns

    @property
    def classes(self) -> Classes:
        """Return the class (n,) of each row, numbered 0 … K−1; numbers are binned."""
        if self.kind == "numbers":
            return quantile_classes(self.values)
        if self.kind == "multilabel":
            raise ValueError("multi-label rows have no one class; take problems()")
        return self.values

    def problems(self) -> list[tuple[float, Classes]]:
        """Return the (weight, classes) whose weighted mean a metric for classes reports.

        Classes and numbers are one problem of weight 1; each of L labels is a problem of two
        classes, one against the rest, weighted by how often the label occurs.
        """
        if self.kind == "multilabel":
            return [(float(w), c.astype(np.int64)) for w, c in zip(self.weights, self.values.T, strict=True)]
        return [(1.0, self.classes)]


def kind_of(labels: object) -> Kind:
    """Return what *labels* are; their dtype and shape decide, not their values.

    (n,) integers or bools are "classes", (n,) floats are "numbers" to regress, and (n, L) columns
    of 0 and 1 of any dtype are "multilabel". Class numbers that a table kept as floats must be cast
    by whoever knows them to be classes.

    Raises:
        ValueError: if they are none of these: text, objects, complex or another shape.
    """
    array = as_array(labels)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"labels must be class numbers, 0/1 columns or numbers, not {array.dtype}")
    if array.ndim == 2:
        return "multilabel"
    if array.ndim != 1:
        raise ValueError(f"labels (n,) or (n, L) expected, got {array.shape}")
    return "numbers" if array.dtype.kind == "f" else "classes"


def checked(features: object, labels: object) -> tuple[Matrix64, Targets]:
    """Return *features* (n, d) in float64 and *labels* as `Targets` of the same n rows.

    Raises:
        ValueError: as `as_features` and `as_targets`, or if the rows do not agree.
    """
    matrix, targets = as_features(features), as_targets(labels)
    same_rows(matrix, targets)
    return matrix, targets


def same_rows(features: Sized, targets: Targets) -> None:
    """Refuse *targets* that are not of as many rows as the *features*.

    Raises:
        ValueError: saying how many there are of each.
    """
    if len(features) != len(targets):
        raise ValueError(
            f"as many labels as rows of features expected, got {len(targets)} and {len(features)}"
        )


def as_features(features: object) -> Matrix64:
    """Return *features*, a real array or torch tensor (n, d) of any precision, as float64.

    Raises:
        ValueError: if they are not a matrix of at least one row and column, or not finite.
    """
    array = as_array(features)
    check_matrix(array)
    matrix = array.astype(np.float64, copy=False)
    # The extremes are NaN or infinite when any number is, and need no mask of n·d bytes.
    if not (np.isfinite(matrix.min()) and np.isfinite(matrix.max())):
        raise ValueError("features contain NaN or infinite numbers")
    return matrix


def check_matrix(features: Any) -> None:
    """Refuse an array or a tensor that is not a real matrix of at least one row and column.

    Raises:
        ValueError: saying what it is.
    """
    real = not features.dtype.is_complex if is_tensor(features) else features.dtype.kind in "biuf"
    if not real:
        raise ValueError(f"features must be real numbers, not {features.dtype}")
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features (n, d) expected with n, d ≥ 1, got {tuple(features.shape)}")


def is_tensor(features: object) -> bool:
    """Return whether *features* are torch's, without importing it."""
    return type(features).__module__.partition(".")[0] == "torch"


def as_targets(labels: object) -> Targets:
    """Return *labels* checked, as columns.

    Class numbers that do not occur are no classes. A label column that is 0 everywhere or 1
    everywhere tells no rows apart and is left out.

    Raises:
        ValueError: if nothing can be told apart (one class, a constant target, only constant
            columns), a number is NaN or infinite, or `kind_of` refuses them.
    """
    array, kind = as_array(labels), kind_of(labels)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("labels contain NaN or infinite numbers")
    if kind == "numbers":
        return _numbers(array.astype(np.float64))
    return _classes(array) if kind == "classes" else _label_columns(array)


def quantile_classes(target: Matrix64, bins: int | None = None) -> Classes:
    """Return the class (n,) of each row when the numbers *target* (n,) are cut at their quantiles.

    A number belongs to bin ⌊bins · r⌋, where r in (0, 1) is the middle of the ranks that it takes,
    over n. So bins follow values and never the order of the rows, equal numbers share a bin, and
    any increasing function of the target gives the same bins. Bins that get no row are no classes.

    Args:
        target: (n,) finite numbers, not all equal.
        bins: how many; by default 10, or n/10 where that is less, and at least 2.
    """
    n = len(target)
    bins = bins or max(2, min(BINS, n // ROWS_PER_BIN))
    _, inverse, counts = np.unique(target, return_inverse=True, return_counts=True)
    twice_middle = 2 * np.cumsum(counts) - counts  # integers, so that no rounding moves a boundary
    found = bins * twice_middle // (2 * n)
    return np.asarray(np.unique(found[inverse], return_inverse=True)[1], dtype=np.int64)


def as_array(values: object) -> npt.NDArray[Any]:
    """Return *values* as an array; a torch tensor comes off its device, which numpy would refuse."""
    if is_tensor(values):
        tensor: Any = values
        tensor = tensor.detach().cpu()
        return np.asarray(tensor.double() if tensor.is_floating_point() else tensor)
    return np.asarray(values)


def _classes(array: npt.NDArray[Any]) -> Targets:
    names, classes = np.unique(array, return_inverse=True)
    if len(names) < 2:
        raise ValueError("labels of one class only: nothing can be told apart")
    return Targets("classes", classes, np.bincount(classes) / len(classes))


def _label_columns(array: npt.NDArray[Any]) -> Targets:
    columns = array.astype(np.float64)
    if not np.isin(columns, (0.0, 1.0)).all():
        raise ValueError("multi-label columns must hold 0 and 1 only")
    columns = columns[:, (columns == 1).any(axis=0) & (columns == 0).any(axis=0)]
    if columns.shape[1] == 0:
        raise ValueError("every label column is constant: nothing can be told apart")
    return Targets("multilabel", columns, columns.sum(axis=0) / columns.sum())


def _numbers(target: Matrix64) -> Targets:
    if len(target) == 0 or (target == target[0]).all():
        raise ValueError("a constant target: nothing can be told apart")
    return Targets("numbers", target, np.ones(1))

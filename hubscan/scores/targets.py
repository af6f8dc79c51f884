"""Check features and labels of any array type, and convert them to float64 features and `Targets`."""

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

BINS = 10  # classes that a numeric target is cut into, for metrics that need classes
ROWS_PER_BIN = 10  # with fewer, a class would have no meaningful spread


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
        """Return the targets of a regression, (n, T): one-hot classes, label columns, or the number."""
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
            raise ValueError("rows with several labels have no single class; use problems()")
        return self.values

    def problems(self) -> list[tuple[float, Classes]]:
        """Return the (weight, classes) pairs over which a metric for classes takes the weighted mean.

        Classes and binned numbers are one problem of weight 1. Each of L labels is a problem with two
        classes, the label against the rest, weighted by how often the label occurs.
        """
        if self.kind == "multilabel":
            return [(float(w), c.astype(np.int64)) for w, c in zip(self.weights, self.values.T, strict=True)]
        return [(1.0, self.classes)]


def kind_of(labels: object) -> Kind:
    """Return the kind of *labels*, decided by their dtype and shape, not by their values.

    (n,) integers or bools are "classes", (n,) floats are "numbers" to regress, and (n, L) columns
    of 0 and 1 of any dtype are "multilabel". Cast class numbers that are stored as floats to integers first.

    Raises:
        ValueError: for anything else: text, objects, complex numbers or another shape.
    """
    array = as_array(labels)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"labels must be class numbers, 0/1 columns or numbers, not {array.dtype}")
    if array.ndim == 2:
        return "multilabel"
    if array.ndim != 1:
        raise ValueError(f"labels have shape {array.shape}; (n,) or (n, L) expected")
    return "numbers" if array.dtype.kind == "f" else "classes"


def checked(features: object, labels: object) -> tuple[Matrix64, Targets]:
    """Return *features* (n, d) in float64 and *labels* as `Targets` of the same n rows.

    Raises:
        ValueError: as `as_features` and `as_targets`, or if the numbers of rows differ.
    """
    matrix, targets = as_features(features), as_targets(labels)
    same_rows(matrix, targets)
    return matrix, targets


def same_rows(features: Sized, targets: Targets) -> None:
    """Check that *targets* have as many rows as *features*.

    Raises:
        ValueError: giving both numbers.
    """
    if len(features) != len(targets):
        raise ValueError(
            f"{len(targets)} labels for {len(features)} rows of features: as many labels as rows expected"
        )


def as_features(features: object) -> Matrix64:
    """Return *features*, a real array or torch tensor (n, d) of any precision, as float64.

    Raises:
        ValueError: if they are not a matrix with at least one row and one column, or not finite.
    """
    array = as_array(features)
    check_matrix(array)
    matrix = array.astype(np.float64, copy=False)
    # The extremes are NaN or infinite if any number is, without a mask of n·d bytes.
    if not (np.isfinite(matrix.min()) and np.isfinite(matrix.max())):
        raise ValueError("features contain NaN or infinite numbers")
    return matrix


def check_matrix(features: Any) -> None:
    """Check that an array or tensor is a real matrix with at least one row and one column.

    Raises:
        ValueError: giving its dtype or shape.
    """
    real = not features.dtype.is_complex if is_tensor(features) else features.dtype.kind in "biuf"
    if not real:
        raise ValueError(f"features must be real numbers, not {features.dtype}")
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features have shape {tuple(features.shape)}; (n, d) with n, d ≥ 1 expected")


def is_tensor(features: object) -> bool:
    """Return whether *features* are a torch tensor, without importing torch."""
    return type(features).__module__.partition(".")[0] == "torch"


def as_targets(labels: object) -> Targets:
    """Return *labels*, checked, as `Targets`.

    Class numbers that do not occur are ignored, and so are label columns that are 0 or 1 everywhere.

    Raises:
        ValueError: if the labels are constant (one class, a constant target, only constant columns), a
            number is NaN or infinite, or `kind_of` rejects them.
    """
    array, kind = as_array(labels), kind_of(labels)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("labels contain NaN or infinite numbers")
    if kind == "numbers":
        return _numbers(array.astype(np.float64))
    return _classes(array) if kind == "classes" else _label_columns(array)


def quantile_classes(target: Matrix64, bins: int | None = None) -> Classes:
    """Return the class (n,) of each row after cutting the numbers *target* (n,) at their quantiles.

    A number belongs to bin ⌊bins · r⌋, where r in (0, 1) is the middle of the ranks of this value, divided by
    n. Therefore bins depend on values and not on the order of the rows, equal numbers share a bin, and any
    increasing function of the target gives the same bins. Empty bins are not classes.

    Args:
        target: (n,) finite numbers, not all equal.
        bins: number of bins; by default the smaller of 10 and n/10, but at least 2.
    """
    n = len(target)
    bins = bins or max(2, min(BINS, n // ROWS_PER_BIN))
    _, inverse, counts = np.unique(target, return_inverse=True, return_counts=True)
    twice_middle = 2 * np.cumsum(counts) - counts  # integers, so rounding cannot move a boundary
    found = bins * twice_middle // (2 * n)
    return np.asarray(np.unique(found[inverse], return_inverse=True)[1], dtype=np.int64)


def as_array(values: object) -> npt.NDArray[Any]:
    """Return *values* as a numpy array; a torch tensor is detached and copied to the CPU first."""
    if is_tensor(values):
        tensor: Any = values
        tensor = tensor.detach().cpu()
        return np.asarray(tensor.double() if tensor.is_floating_point() else tensor)
    return np.asarray(values)


def _classes(array: npt.NDArray[Any]) -> Targets:
    names, classes = np.unique(array, return_inverse=True)
    if len(names) < 2:
        raise ValueError("all labels are of one class: at least two classes are needed")
    return Targets("classes", classes, np.bincount(classes) / len(classes))


def _label_columns(array: npt.NDArray[Any]) -> Targets:
    columns = array.astype(np.float64)
    if not np.isin(columns, (0.0, 1.0)).all():
        raise ValueError("multi-label columns must contain only 0 and 1")
    columns = columns[:, (columns == 1).any(axis=0) & (columns == 0).any(axis=0)]
    if columns.shape[1] == 0:
        raise ValueError("every label column is constant: at least one has to contain both 0 and 1")
    return Targets("multilabel", columns, columns.sum(axis=0) / columns.sum())


def _numbers(target: Matrix64) -> Targets:
    if len(target) == 0 or (target == target[0]).all():
        raise ValueError("constant target: at least two different numbers are needed")
    return Targets("numbers", target, np.ones(1))

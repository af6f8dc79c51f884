"""Measure predictions: accuracy, balanced accuracy, R² or micro-F1, with its standard error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hubscan.records import Accuracy, AccuracyKind, Predicted
from hubscan.scores.linear_head import LinearHead
from hubscan.scores.resampling import groups_of
from hubscan.scores.targets import Classes, Matrix64, as_array, kind_of

Array = npt.NDArray[Any]


def kind_of_accuracy(labels: npt.ArrayLike, *, representative: bool) -> AccuracyKind:
    """Return the kind of accuracy that suits *labels*.

    For classes it is the share of correct rows if the sample is *representative* (the classes have the same
    shares as in the data that it was drawn from), and otherwise the mean recall over classes. For numbers it
    is R², for several labels micro-F1.
    """
    kind = kind_of(labels)
    if kind == "numbers":
        return "r2"
    if kind == "multilabel":
        return "micro_f1"
    return "accuracy" if representative else "balanced_accuracy"


def head_accuracy(
    head: LinearHead, labels: npt.ArrayLike, groups: npt.ArrayLike | None = None, *, representative: bool
) -> Accuracy:
    """Return the accuracy of *head* on left-out rows."""
    kind = kind_of_accuracy(labels, representative=representative)
    return accuracy(head_predictions(head, labels), labels, kind, groups)


def head_predictions(head: LinearHead, labels: npt.ArrayLike) -> Array:
    """Return the left-out predictions of *head* in the format of *labels*: classes, numbers, or 0 and 1.

    The class with the largest output wins. Several labels share one threshold: the one with the largest
    micro-F1.
    """
    array, outputs = as_array(labels), head.left_out
    if head.targets.kind == "numbers":
        return np.asarray(outputs[:, 0])
    if head.targets.kind == "classes":
        return np.asarray(np.unique(array)[outputs.argmax(axis=1)])
    predicted = array.astype(np.uint8)  # a constant column is predicted correctly
    predicted[:, varying(array)] = outputs > best_threshold(outputs, head.targets.columns)
    return predicted


def as_predicted(predictions: Array) -> Predicted:
    """Return *predictions*, (n,) or (n, L), as plain Python numbers, which JSON can hold."""
    return tuple(map(tuple, predictions.tolist())) if predictions.ndim == 2 else tuple(predictions.tolist())


def varying(columns: Array) -> npt.NDArray[np.bool_]:
    """Return which label *columns* (n, L) contain both 0 and 1, (L,)."""
    return np.asarray((columns == 1).any(axis=0) & (columns == 0).any(axis=0))


def best_threshold(outputs: Matrix64, columns: Matrix64) -> float:
    """Return the threshold for *outputs* (n, L) above which predicting 1 gives the largest micro-F1."""
    order = np.argsort(-outputs, axis=None, kind="stable")
    ranked, right = outputs.ravel()[order], columns.ravel()[order]
    f1 = 2.0 * np.cumsum(right) / (np.arange(1, len(right) + 1) + right.sum())
    ends = np.flatnonzero(np.append(np.diff(ranked) < 0, True))  # the threshold never separates equal outputs
    last = int(ends[f1[ends].argmax()])
    below = ranked[last + 1] if last + 1 < len(ranked) else ranked[last] - 1.0
    return float((ranked[last] + below) / 2.0)


def accuracy(
    predicted: npt.ArrayLike, labels: npt.ArrayLike, kind: AccuracyKind, groups: npt.ArrayLike | None = None
) -> Accuracy:
    """Return the accuracy of *predicted* against *labels*, of the given *kind*.

    **error** is the standard error over other samples of rows, or of *groups* of rows. It comes from the
    influence of each row on the value, to first order; the influences within a group are added up.

    Args:
        predicted: (n,) classes or numbers, or (n, L) of 0 and 1.
        labels: the true values, of the same shape.
        kind: "accuracy", the share of correct rows; "balanced_accuracy", the mean recall over classes; "r2",
            1 − Σ(y−ŷ)²/Σ(y−ȳ)²; "micro_f1", 2TP/(2TP+FP+FN) over all labels that vary.
        groups: (n,) the name of each row's group.

    Raises:
        ValueError: if *predicted* and *labels* differ in shape, or *groups* are invalid.
    """
    given, wanted = as_array(predicted), as_array(labels)
    if given.shape != wanted.shape:
        raise ValueError(f"predictions have shape {given.shape}, labels {wanted.shape}; they should be equal")
    value = float(resampled(given, wanted, kind, np.ones((1, len(wanted))))[0])
    error = _standard_error(_influence(given, wanted, kind, value), groups_of(groups, len(wanted)))
    return Accuracy(value, error, kind, _also(given, wanted, kind))


def resampled(predicted: Array, labels: Array, kind: AccuracyKind, weights: Matrix64) -> Matrix64:
    """Return the value (s,) under each of several weightings of the rows, *weights* (s, n).

    If the weights are bootstrap counts, these are the values of bootstrap samples. Balanced accuracy ignores
    classes that have no row in a sample.
    """
    if kind == "accuracy":
        return np.asarray(weights @ (predicted == labels) / weights.sum(axis=1))
    if kind == "balanced_accuracy":
        recalls = [_share(weights[:, rows], predicted[rows] == labels[rows]) for rows in _classes(labels)]
        return np.asarray(np.nanmean(recalls, axis=0))
    if kind == "r2":
        error, spread = _squares(predicted, labels, weights)
        return np.asarray(1.0 - (weights * error).sum(axis=1) / (weights * spread).sum(axis=1))
    right, marked = _counts(predicted, labels)
    return np.asarray(weights @ right / np.maximum(weights @ marked, 1e-300))


def _influence(predicted: Array, labels: Array, kind: AccuracyKind, value: float) -> Matrix64:
    """Return the influence of each row on the value, to first order, (n,)."""
    if kind == "accuracy":
        return np.asarray(((predicted == labels) - value) / len(labels))
    if kind == "balanced_accuracy":
        found, classes = np.zeros(len(labels)), _classes(labels)
        for rows in classes:
            right = predicted[rows] == labels[rows]
            found[rows] = (right - right.mean()) / (len(rows) * len(classes))
        return found
    if kind == "r2":
        error, spread = _squares(predicted, labels, np.ones((1, len(labels))))
        return np.asarray((((1.0 - value) * spread - error) / spread.sum())[0])
    right, marked = _counts(predicted, labels)
    return np.asarray((right - value * marked) / max(float(marked.sum()), 1e-300))


def _standard_error(influence: Matrix64, groups: Classes | None) -> float:
    units = influence if groups is None else np.bincount(groups, influence)
    return float(np.sqrt(np.square(units).sum() * len(units) / max(len(units) - 1, 1)))


def _also(predicted: Array, labels: Array, kind: AccuracyKind) -> dict[str, float]:
    """Return secondary values: those that weigh all classes equally, or depend only on ranks."""
    once = np.ones((1, len(labels)))
    if kind == "r2":
        return {"spearman": _correlation(_ranks(predicted), _ranks(labels))}
    if kind == "micro_f1":
        return {"macro_f1": float(np.mean(_f1_of_columns(predicted, labels)))}
    if kind == "balanced_accuracy":
        return {}
    return {
        "balanced_accuracy": float(resampled(predicted, labels, "balanced_accuracy", once)[0]),
        "macro_f1": float(np.mean(_f1_of_classes(predicted, labels))),
    }


def _classes(labels: Array) -> list[Classes]:
    """Return the rows of each class."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _share(weights: Matrix64, right: Array) -> Matrix64:
    total = weights.sum(axis=1)
    return np.asarray(np.where(total > 0, weights @ right / np.maximum(total, 1e-300), np.nan))


def _squares(predicted: Array, labels: Array, weights: Matrix64) -> tuple[Matrix64, Matrix64]:
    """Return squared errors (n,), and squared distances from the weighted means (s, n)."""
    largest = np.abs(labels).max() or 1.0  # keeps the squares of 1e200 inside float64
    wanted = labels / largest
    means = (weights @ wanted / weights.sum(axis=1))[:, None]
    return np.square(wanted - predicted / largest), np.square(wanted - means)


def _counts(predicted: Array, labels: Array) -> tuple[Matrix64, Matrix64]:
    """Return 2TP and 2TP + FP + FN of each row, over the labels that vary, (n,) each."""
    varied = varying(labels)
    given, wanted = predicted[:, varied].astype(np.float64), labels[:, varied].astype(np.float64)
    return 2.0 * (given * wanted).sum(axis=1), (given + wanted).sum(axis=1)


def _f1_of_columns(predicted: Array, labels: Array) -> Matrix64:
    varied = varying(labels)
    given, wanted = predicted[:, varied].astype(np.float64), labels[:, varied].astype(np.float64)
    return np.asarray(2.0 * (given * wanted).sum(axis=0) / np.maximum((given + wanted).sum(axis=0), 1.0))


def _f1_of_classes(predicted: Array, labels: Array) -> Matrix64:
    names, wanted = np.unique(labels, return_inverse=True)
    right = np.bincount(wanted, predicted == labels)
    given = np.bincount(np.searchsorted(names, predicted[np.isin(predicted, names)]), minlength=len(names))
    return np.asarray(2.0 * right / (np.bincount(wanted) + given))


def _ranks(numbers: Array) -> Matrix64:
    """Return the rank of each number (n,); equal numbers share the mean of their ranks."""
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    middle: Matrix64 = np.cumsum(counts) - (counts - 1) / 2.0
    return middle[inverse]


def _correlation(one: Matrix64, other: Matrix64) -> float:
    a, b = one - one.mean(), other - other.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size > 0 else 0.0

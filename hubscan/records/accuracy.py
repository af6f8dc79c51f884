"""The accuracy of predictions, and what a linear head predicts for rows that it was not fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

AccuracyKind = Literal["accuracy", "balanced_accuracy", "r2", "micro_f1"]

NAMES: Final[Mapping[str, str]] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "r2": "R²",
    "micro_f1": "micro-F1",
    "macro_f1": "macro-F1",
    "spearman": "Spearman's ρ",
}
"""Display names of the kinds of accuracy, and of the numbers reported next to them."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well predictions agree with the labels; 1 is best."""

    value: float
    error: float  # standard error over rows, or over groups if the sample has groups
    kind: AccuracyKind  # balanced accuracy is the mean recall over classes
    also: Mapping[str, float] = field(default_factory=dict)  # other numbers for the same predictions


Predicted = tuple[int, ...] | tuple[float, ...] | tuple[tuple[int, ...], ...]
"""For each row a class, a number, or 0 or 1 per label."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a linear head predicts for each row when it is fitted without that row and its group."""

    ridge: float  # Λ, the ridge penalty, in squared units of the features; 0 if no feature varies
    predicted: Predicted

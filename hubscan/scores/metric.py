"""Wrap a function of features and labels as a metric with a name, a version, a null and an interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hubscan.records import Score
from hubscan.scores.resampling import groups_of, pair_of_halves
from hubscan.scores.targets import Classes, as_array, is_tensor

Function = Callable[..., float]


@dataclass(frozen=True)
class Metric:
    """A named function of (features, labels); higher is better.

    Called like the function, it returns a `Score` with only a value. `nulls` adds the mean and standard
    deviation of the function over that many shuffles of the labels. `halves` adds a 95 % interval from that
    many halves of the sample, drawn without replacement within the classes: they vary as much as whole
    samples vary among themselves (a delete-half jackknife; see `transrate`).
    """

    name: str
    version: int
    function: Function
    repeats: int = 20  # shuffles and halves when it ranks
    predicts: bool = False  # predicts rows from other rows, which then need to be of other groups

    def __post_init__(self) -> None:
        """Take over the docstring of the function."""
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def __call__(
        self,
        features: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        groups: npt.ArrayLike | None = None,
        nulls: int = 0,
        halves: int = 0,
        seed: int = 0,
    ) -> Score:
        """Return the score of *features* (n, d) for *labels*.

        *groups* (n,) names the group of each row, such as the sentence of a word. Halves keep a group
        together, and a metric that predicts rows from other rows does not use rows of the same group.

        Raises:
            ValueError: if the metric is not defined for these labels, or the features, labels or groups
                are invalid.
        """
        rows, rng = as_array(labels), np.random.default_rng(seed)
        together = groups_of(groups, len(rows))
        value = self._value(features, rows, together)
        shuffled = [self._value(features, rng.permutation(rows), together) for _ in range(nulls)]
        source = features if is_tensor(features) else np.asarray(features)
        error = self._standard_error(source, rows, together, halves, rng)
        return Score(
            name=self.name,
            version=self.version,
            value=value,
            low=None if error is None else value - 1.96 * error,
            high=None if error is None else value + 1.96 * error,
            null=float(np.mean(shuffled)) if shuffled else None,
            null_spread=float(np.std(shuffled, ddof=1)) if len(shuffled) > 1 else None,
        )

    def _value(self, features: Any, labels: Any, groups: Classes | None) -> float:
        if self.predicts:
            return self.function(features, labels, groups=groups)
        return self.function(features, labels)

    def _standard_error(
        self, features: Any, rows: Any, groups: Classes | None, halves: int, rng: np.random.Generator
    ) -> float | None:
        if halves < 2:
            return None
        classes = rows.ndim == 1 and rows.dtype.kind in "iub"
        strata = np.unique(rows, return_inverse=True)[1] if classes else np.zeros(len(rows), np.int64)
        chosen = [pair_of_halves(strata, rng, groups)[0] for _ in range(halves)]
        values = [self._value(features[h], rows[h], None if groups is None else groups[h]) for h in chosen]
        return float(np.std(values, ddof=1))

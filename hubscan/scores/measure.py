"""A function of features and labels in, a measure out: with its name, version, null and interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hubscan.records import Score
from hubscan.scores.halves import half_of_each_class

Function = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Measure:
    """A named function of (features, labels); higher is better.

    Called like the function it returns a `Score` with the value alone. `nulls` shuffles of the
    labels add what the function gives to them, in the mean and with its spread; `halves` of the
    sample, drawn without replacement within the classes, add a 95 % interval: their spread is that
    of the whole among samples (a delete-half jackknife; see `transrate`).
    """

    name: str
    version: int
    function: Function
    repeats: int = 20  # how many shuffles and halves stand behind a ranking by it

    def __post_init__(self) -> None:
        """Take over what the function says about itself."""
        object.__setattr__(self, "__doc__", self.function.__doc__)

    def __call__(
        self,
        features: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        nulls: int = 0,
        halves: int = 0,
        seed: int = 0,
    ) -> Score:
        """Return the score of *features* (n, d) for *labels*.

        Raises:
            ValueError: if the measure is not defined for them, or they cannot be used.
        """
        value = self.function(features, labels)
        rng = np.random.default_rng(seed)
        shuffled = self._shuffled(features, labels, nulls, rng)
        error = self._standard_error(features, labels, halves, rng)
        return Score(
            name=self.name,
            version=self.version,
            value=value,
            low=None if error is None else value - 1.96 * error,
            high=None if error is None else value + 1.96 * error,
            null=float(np.mean(shuffled)) if shuffled else None,
            null_spread=float(np.std(shuffled, ddof=1)) if len(shuffled) > 1 else None,
        )

    def _shuffled(self, features: Any, labels: Any, nulls: int, rng: np.random.Generator) -> list[float]:
        rows = np.asarray(labels)
        return [self.function(features, rows[rng.permutation(len(rows))]) for _ in range(nulls)]

    def _standard_error(
        self, features: Any, labels: Any, halves: int, rng: np.random.Generator
    ) -> float | None:
        if halves < 2:
            return None
        rows = np.asarray(labels)
        strata = np.unique(rows, return_inverse=True)[1] if _classes(rows) else np.zeros(len(rows), np.int64)
        chosen = [half_of_each_class(strata, rng) for _ in range(halves)]
        return float(np.std([self.function(features[half], rows[half]) for half in chosen], ddof=1))


def _classes(labels: npt.NDArray[Any]) -> bool:
    return labels.ndim == 1 and labels.dtype.kind in "iub"

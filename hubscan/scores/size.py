"""The number of parameters as a score: the baseline that knows neither the data nor the labels."""

from __future__ import annotations

import math


def log_size(parameters: int) -> float:
    """Return log₁₀ of the number of *parameters*, so that 1 more is ten times as many.

    Larger checkpoints fine-tune better so often that the plain list by size beats most published
    measures on the usual benchmark (arXiv 2510.06448); a measure should be seen beside it.

    Raises:
        ValueError: if there is not at least one parameter.
    """
    if parameters < 1:
        raise ValueError(f"at least one parameter expected, got {parameters}")
    return math.log10(parameters)

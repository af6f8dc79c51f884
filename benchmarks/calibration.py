"""Is the score of noise 0, whatever the number of rows, the width and the classes?

    python benchmarks/calibration.py     # about a quarter of an hour on one core

Features are normal noise that does not depend on the labels, with equal variances or variances 1/i for
dimension i; for 2 and 20 classes, balanced and not. Separately, classes that differ in spread but not in
place: the rows of each class are scaled by a number between 0.5 and 2. Each result is also printed to stderr.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tables import fraction, print_table

from hubscan.records import Score
from hubscan.scores import transrate

Array = npt.NDArray[Any]

WIDTHS = (64, 256, 1_024, 4_096)
ROWS = (200, 1_000, 4_000, 10_000)
LARGE = 1e7  # numbers in a matrix; above that, one kind of labels is tried for each kind of noise
LARGEST = 2e7
ROUNDING = 1e-9


class Cell(NamedTuple):
    """One kind of noise."""

    n: int
    d: int
    classes: int
    balanced: bool
    noise: str


def cells() -> Iterator[Cell]:
    """Yield every kind of noise to try."""
    for n, d in product(ROWS, WIDTHS):
        if n * d < LARGE:
            for classes, balanced, noise in product((2, 20), (True, False), ("flat", "1/i", "spread")):
                yield Cell(n, d, classes, balanced, noise)
        elif n * d < LARGEST:
            yield Cell(n, d, 2, True, "flat")
            yield Cell(n, d, 20, False, "1/i")
            yield Cell(n, d, 20, True, "spread")


def features_of(cell: Cell, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return features (n, d) and labels (n,)."""
    labels = labels_of(cell, rng)
    variances = np.ones(cell.d) if cell.noise == "flat" else 1 / np.arange(1.0, cell.d + 1)
    scale = np.exp(0.7 * np.sin(1 + 2.3 * labels))[:, None] if cell.noise == "spread" else 1.0
    return (rng.normal(size=(cell.n, cell.d)) * np.sqrt(variances) * scale).astype(np.float32), labels


def labels_of(cell: Cell, rng: np.random.Generator) -> Array:
    """Return labels in equal shares, or in shares 1, 1/2, 1/3, … with every class at least once."""
    if cell.balanced:
        return np.arange(cell.n) % cell.classes
    shares = 1 / np.arange(1, cell.classes + 1)
    random = rng.choice(cell.classes, size=cell.n - cell.classes, p=shares / shares.sum())
    return np.concatenate([np.arange(cell.classes), random])


def main() -> None:
    results: dict[str, list[tuple[Cell, Score]]] = defaultdict(list)
    for seed, cell in enumerate(cells()):
        score = transrate(*features_of(cell, np.random.default_rng(seed)), seed=seed)
        print(f"{cell}: {score.value:.4f}, interval {score.interval}, {score.accuracy}", file=sys.stderr)
        spread = cell.noise == "spread"
        results[f"Classes that differ in spread only, K = {cell.classes}" if spread else "Noise"].append(
            (cell, score)
        )
    for title, of_title in results.items():
        print_results(title, of_title)


def print_results(title: str, results: Sequence[tuple[Cell, Score]]) -> None:
    """Print the largest score by n and d, and how often score and accuracy do not differ from chance."""
    scores: dict[tuple[int, int], list[float]] = defaultdict(list)
    for cell, score in results:
        scores[cell.n, cell.d].append(score.value)
    print(f"\n**{title}**\n")
    lines = [
        [f"n = {n:,}", *(fraction(max(scores[n, d]), 4) if scores[n, d] else "" for d in WIDTHS)]
        for n in ROWS
    ]
    print_table(["largest score", *(f"d = {d:,}" for d in WIDTHS)], lines)
    covers = sum(score.interval[0] <= 0 <= score.interval[1] for _, score in results)
    chance = sum(
        abs(score.accuracy.value - 1 / cell.classes) <= 2 * score.accuracy.error + ROUNDING
        for cell, score in results
        if score.accuracy
    )
    print(f"\nThe interval covers 0 in {covers} of {len(results)} cells; the accuracy of the linear head is")
    print(f"within two standard errors of 1/K in {chance}.")


if __name__ == "__main__":
    main()

"""What TransRate and LogME take, beside the code that is copied everywhere. Prints one table of each.

    python benchmarks/scores.py                  # about three minutes on one core
    python benchmarks/scores.py --threads 2

`listing` is the paper's ten lines in numpy. `same number` is `transrate-listing`, which returns what
the listing does. `whole` is `transrate`: the calibrated value, the paper's own number, both nulls from
20 shuffles and the interval from 20 halves. All on the same features and as many threads, in
interleaved rounds; CPU seconds (of all threads) are medians, and `×` says how many times as long as
ours the listing takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import logme
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from hubscan.scores import transrate, transrate_listing

Array = npt.NDArray[Any]

ROWS, WIDTH, CLASSES = 5000, 768, (2, 20, 200, 1000)


def listing(features: Array, labels: Array, eps: float = 1e-4) -> float:
    """The number as the paper's appendix has it: one log-determinant of width d for each class."""

    def rate(z: Array) -> float:
        n, d = z.shape
        return 0.5 * float(np.linalg.slogdet(np.eye(d) + 1 / (n * eps) * z.T @ z)[1])

    z = features - features.mean(axis=0, keepdims=True)
    classes = int(labels.max()) + 1
    return rate(z) - sum(rate(z[labels == c]) for c in range(classes)) / classes


OURS: dict[str, Callable[[Array, Array], float]] = {
    "listing": listing,
    "same number": lambda x, y: transrate_listing(x, y).value,
    "whole": lambda x, y: transrate(x, y).value,
}


def row(classes: int, rounds: int) -> str:
    features, labels = logme.planted(ROWS, WIDTH, classes)
    taken: dict[str, list[float]] = {name: [] for name in OURS}
    values = {}
    for _ in range(rounds):
        for name, function in OURS.items():
            begun = time.process_time()
            values[name] = function(features, labels)
            taken[name].append(time.process_time() - begun)
    assert abs(values["same number"] / values["listing"] - 1) < 1e-8
    median = {name: statistics.median(times) for name, times in taken.items()}
    ratios = [median["listing"] / median[name] for name in ("same number", "whole")]
    cells = " | ".join(f"{median[name]:.2f}" for name in OURS)
    return f"| {classes} | {cells} | {ratios[0]:.1f} | {ratios[1]:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of BLAS, for all")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with threadpool_limits(arguments.threads):
        print(f"TransRate, n = {ROWS}, d = {WIDTH}, {arguments.threads} thread(s), CPU seconds")
        print("| K | listing | same number | whole | same number, × | whole, × |\n|---|---|---|---|---|---|")
        for classes in CLASSES:
            print(row(classes, arguments.rounds), flush=True)
        print("\nLogME")
        logme.table(logme.MAIN, arguments.rounds)


if __name__ == "__main__":
    main()

"""What does LogME cost, compared with the fixed-point code that most tools copy? Prints one table.

    python benchmarks/logme.py                   # d = 2 048, n = 5 000, K = 20: about two minutes
    python benchmarks/logme.py --all             # more rows, columns and classes: about ten

All get the same features and the same number of BLAS threads, in interleaved rounds. CPU seconds are those of
all threads; the table shows medians. `usual` decomposes FᵀF where n > d. `straight` decomposes the features
themselves, as current tools do. Both stop short of the maximum where n ≥ d, and leave out d − n terms where
n < d.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from tables import print_table
from threadpoolctl import threadpool_info

from hubscan.scores.logme import log_evidence

Array = npt.NDArray[Any]

MAIN = [(5000, 2048, 20)]
MORE = [(2000, 2048, 20), (5000, 2048, 200), (5000, 2048, 1000), (5000, 768, 20), (2000, 768, 20)]
STEPS, CLOSE, GUARD = 11, 1e-3, 1e-5


def usual(features: Array, labels: Array) -> float:
    """Return LogME by the well-known algorithm: singular vectors, then α and β of each class alternately."""
    return by_fixed_point(features, labels, *directions(features))


def straight(features: Array, labels: Array) -> float:
    """Return the same from the singular vectors of the features themselves, as current tools do."""
    return by_fixed_point(features, labels, *np.linalg.svd(features, full_matrices=False))


def by_fixed_point(features: Array, labels: Array, left: Array, values: Array, right: Array) -> float:
    n, d = features.shape
    evidences, weights = [], []
    for label in range(int(labels.max()) + 1):
        target = (labels == label).astype(np.float64)
        along = left.T @ target
        alpha, beta, ratio = fixed_point(np.square(values), np.square(along), target, n)
        evidences.append(evidence(np.square(values), np.square(along), target, alpha, beta, ratio, d) / n)
        weights.append(right.T @ (values * along / (ratio + np.square(values))))
    return float(np.mean(evidences))


def directions(features: Array) -> tuple[Array, Array, Array]:
    n, d = features.shape
    if n <= d:
        return np.linalg.svd(features, full_matrices=False)
    _, squares, right = np.linalg.svd(features.T @ features)
    values = np.sqrt(squares)
    rank = int((values > 1e-10).sum())
    return (features @ right.T)[:, :rank] / values[:rank], values[:rank], right[:rank]


def fixed_point(sigma: Array, along: Array, target: Array, n: int) -> tuple[float, float, float]:
    alpha = beta = ratio = 1.0
    for _ in range(STEPS):
        ratio = alpha / beta
        effective = (sigma / (sigma + ratio)).sum()
        alpha = effective / ((sigma * along / np.square(ratio + sigma)).sum() + GUARD)
        beta = (n - effective) / (residual(sigma, along, target, ratio) + GUARD)
        if abs(alpha / beta - ratio) / ratio <= CLOSE:
            break
    return alpha, beta, ratio


def residual(sigma: Array, along: Array, target: Array, ratio: float) -> float:
    inside = (along / np.square(1 + sigma / ratio)).sum()
    return float(inside + np.square(target).sum() - along.sum())


def evidence(
    sigma: Array, along: Array, target: Array, alpha: float, beta: float, ratio: float, d: int
) -> float:
    n = len(target)
    determinant = np.log(alpha + beta * sigma).sum()
    weights = (sigma * along / np.square(ratio + sigma)).sum()
    misfit = beta * residual(sigma, along, target, ratio) + alpha * weights
    return float(d * np.log(alpha) + n * np.log(beta / (2 * np.pi)) - determinant - misfit) / 2


def planted(n: int, d: int, classes: int) -> tuple[Array, Array]:
    """Return features with a spectrum like an encoder's, and labels that a linear head predicts in part."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    spread = (1.0 + np.arange(d)) ** -0.5
    return (rng.normal(size=(n, d)) + 0.5 * rng.normal(size=(classes, d))[labels]) * spread + 0.1, labels


def seconds(function: Callable[[Array, Array], float], *given: Array) -> tuple[float, float, float]:
    cpu, clock = time.process_time(), time.perf_counter()
    value = function(*given)
    return time.process_time() - cpu, time.perf_counter() - clock, value


CODES: dict[str, Callable[[Array, Array], float]] = {
    "usual": usual,
    "straight": straight,
    "ours": log_evidence,
}


def row(n: int, d: int, classes: int, rounds: int) -> list[str]:
    """Return one line of the table."""
    features, labels = planted(n, d, classes)
    log_evidence(features[:200], labels[:200] % 2)  # starts the threads
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in CODES}
    for _ in range(rounds):
        for name, function in CODES.items():
            runs[name].append(seconds(function, features, labels))
    cpu = {name: statistics.median(run[0] for run in times) for name, times in runs.items()}
    values = {name: times[0][2] for name, times in runs.items()}
    taken = [f"{cpu[name]:.2f}" for name in CODES]
    ratios = [f"{cpu[name] / cpu['ours']:.1f}" for name in ("usual", "straight")]
    return [
        f"{n:,}",
        f"{d:,}",
        f"{classes:,}",
        *taken,
        *ratios,
        f"{values['usual']:.6f}",
        f"{values['ours']:.6f}",
    ]


def table(sizes: list[tuple[int, int, int]], rounds: int) -> None:
    threads = max(
        (pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1
    )
    print(f"{threads} BLAS threads, {rounds} rounds, CPU seconds\n")
    titles = ["n", "d", "K", *CODES, "usual, ×", "straight, ×", "value, usual", "value, ours"]
    print_table(titles, (row(*size, rounds) for size in sizes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--all", action="store_true", help="more sizes")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    table(MAIN + (MORE if asked.all else []), asked.rounds)


if __name__ == "__main__":
    main()

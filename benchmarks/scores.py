"""What do the metrics cost? Prints one table of CPU seconds, with a row for each width of features.

    python benchmarks/scores.py                  # n = 1,000, five classes: about a minute on one core
    python benchmarks/scores.py --rows 5000 --classes 200

`transrate` is everything that ranking by it takes: value, null from five shuffles, interval from ten halves,
and the accuracy of the linear head. `value alone` leaves out null and interval. The other metrics are timed
without them, too: each shuffle would cost as much as the value, and each half as much as half the rows.

All metrics get the same features and the same number of BLAS threads, in interleaved rounds. CPU seconds are
those of all threads; the table shows medians.
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
from tables import fraction, print_table
from threadpoolctl import threadpool_limits

from hubscan import scores

Array = npt.NDArray[Any]

WIDTHS = (384, 768, 1280)

METRICS: dict[str, Callable[[Array, Array], Any]] = {
    "transrate": scores.transrate,
    "value alone": lambda x, y: scores.transrate(x, y, nulls=0, halves=0),
    "transrate-listing": scores.transrate_listing,
    "logme": scores.logme,
    "knn": scores.knn,
    "probe": scores.probe,
}


def seconds(rows: int, width: int, classes: int, rounds: int) -> dict[str, float]:
    """Return the median CPU seconds that each metric takes."""
    features, labels = logme.planted(rows, width, classes)
    features = features.astype(np.float32)  # the type that encoders return
    taken: dict[str, list[float]] = {name: [] for name in METRICS}
    for _ in range(rounds):
        for name, metric in METRICS.items():
            begun = time.process_time()
            metric(features, labels)
            taken[name].append(time.process_time() - begun)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS")
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each measurement")
    asked = parser.parse_args()
    with threadpool_limits(asked.threads):
        print(f"n = {asked.rows:,}, {asked.classes} classes, {asked.threads} thread(s), CPU seconds\n")
        seconds(200, 64, 2, 1)  # warm-up: imports, and buffers of the libraries
        measured = (seconds(asked.rows, width, asked.classes, asked.rounds) for width in WIDTHS)
        lines = (
            [f"{width:,}", *map(fraction, found.values())]
            for width, found in zip(WIDTHS, measured, strict=True)
        )
        print_table(["d", *METRICS], lines)


if __name__ == "__main__":
    main()

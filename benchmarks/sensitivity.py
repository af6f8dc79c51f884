"""How many rows does a ranking need, and what do rare classes and wrong labels do to it?

    python benchmarks/sensitivity.py FOLDER...                       # as features.py writes them
    python benchmarks/sensitivity.py FOLDER... --accuracies FILE...  # also rare classes and wrong labels

*Rows*: the order of the encoders by `transrate` from n rows, compared with the order from all rows (2,000 at
most), for K randomly chosen classes; one table for each folder. *Rare classes* (the last class has fewer rows
than every other class) and *wrong labels* (a share of the labels is replaced by random ones): the order by
`transrate`, compared with fine-tuned accuracy, which was measured without either. Each number is the weighted
Kendall's τ, the mean over datasets and samples.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fine_tuned import known
from lists import FEWEST, Array, List, lists_of
from scipy.stats import weightedtau
from tables import fraction, print_table

from hubscan.scores import transrate

ROWS = (100, 200, 500, 1_000)
CLASSES = (2, 5, 10)
SAMPLES = 2
SPOILT_ROWS = (300, 1_000)
RARITIES = (1, 3, 10, 30)
WRONG = (0.0, 0.1, 0.2, 0.4)

Found = dict[tuple[Any, Any], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="How a ranking depends on the number of rows, rare classes and wrong labels."
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="written by features.py")
    parser.add_argument(
        "--accuracies", type=Path, nargs="+", default=[], help="file of accuracies for each FOLDER"
    )
    asked = parser.parse_args()
    for folder in asked.folders:
        print_rows(folder)
    if asked.accuracies:
        for folder, file in zip(asked.folders, asked.accuracies, strict=True):
            print_spoilt([one for one in lists_of(file.stem, known(file), folder) if one.single])


def print_rows(folder: Path) -> None:
    """Print the agreement of n rows with all rows, by the number of classes."""
    found: Found = defaultdict(list)
    widths: list[int] = []
    for labels, features in _datasets(folder):
        widths += [x.shape[1] for x in features]
        for count in (k for k in CLASSES if k <= len(np.unique(labels))):
            for seed in range(SAMPLES):
                for n, kendall in _of_rows(labels, features, count, seed):
                    found[count, n].append(kendall)
    print(f"\n**{folder.name}: {len(widths)} encoders of width {min(widths):,} to {max(widths):,}**\n")
    counts = [k for k in CLASSES if any(key[0] == k for key in found)]
    _print(found, "classes", counts, ROWS, "n = {:,}")


def _datasets(folder: Path) -> Iterator[tuple[Array, list[Array]]]:
    """Yield the labels of each dataset and the features of its encoders."""
    for file in sorted(folder.glob("*__y.npy")):
        dataset = file.name.removesuffix("__y.npy")
        names = [path for path in sorted(folder.glob(f"{dataset}__*.npy")) if path != file]
        if len(names) >= FEWEST:
            yield np.load(file), [np.load(path) for path in names]


def _of_rows(labels: Array, features: Sequence[Array], count: int, seed: int) -> Iterator[tuple[int, float]]:
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.unique(labels))[:count]
    rows = rng.permutation(np.flatnonzero(np.isin(labels, classes)))
    all_rows = [_score(x[rows], labels[rows]) for x in features]
    for n in ROWS:
        if 2 * n <= len(rows):
            some = [_score(x[rows[:n]], labels[rows[:n]]) for x in features]
            yield n, float(weightedtau(some, all_rows).statistic)


def print_spoilt(lists: Sequence[List]) -> None:
    """Print the agreement with fine-tuned accuracy for rows with a rare class or wrong labels."""
    found: dict[str, Found] = {"rare": defaultdict(list), "wrong": defaultdict(list)}
    for one in lists:
        features = one.features
        for n in SPOILT_ROWS:
            for way, amounts in (("rare", RARITIES), ("wrong", WRONG)):
                for amount in amounts:
                    for seed in range(SAMPLES):
                        rows, labels = _spoilt(one.labels, n, way, amount, np.random.default_rng(seed))
                        values = [_score(x[rows], labels) for x in features]
                        kendall = float(weightedtau(values, one.accuracies).statistic)
                        found[way][f"n = {n:,}", amount].append(kendall)
    print(f"\n**{lists[0].origin}, {len(lists)} lists**\n")
    sizes = [f"n = {n:,}" for n in SPOILT_ROWS]
    _print(found["rare"], "rows of every other class for each row of the last", sizes, RARITIES, "{}")
    print()
    _print(found["wrong"], "share of wrong labels", sizes, WRONG, "{:.0%}")


def _spoilt(labels: Array, n: int, way: str, amount: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return *n* rows and the labels to score them with."""
    order = rng.permutation(len(labels))
    names = np.unique(labels)
    if way == "wrong":
        rows = order[:n]
        given = labels[rows].copy()
        wrong = rng.random(n) < amount
        given[wrong] = rng.choice(names, int(wrong.sum()))
        return rows, given
    last = order[labels[order] == names[-1]]
    others = order[labels[order] != names[-1]]
    few = max(2, round(n / (1 + (len(names) - 1) * amount)))
    rows = np.concatenate([last[:few], others[: n - few]])
    return rows, labels[rows]


def _score(features: Array, labels: Array) -> float:
    return transrate(features, labels, nulls=0, halves=0).value


def _print(found: Found, corner: str, rows: Sequence[Any], columns: Sequence[Any], title: str) -> None:
    def cell(row: Any, column: Any) -> str:
        values = found.get((row, column))
        return fraction(np.mean(values)) if values else ""

    lines = [[str(row), *(cell(row, column) for column in columns)] for row in rows]
    print_table([corner, *(title.format(column).replace("%", " %") for column in columns)], lines)


if __name__ == "__main__":
    main()

"""How many rows does a ranking need, and what do rare classes and wrong labels do to it?

    python benchmarks/sensitivity.py FOLDER...                       # as features.py writes them
    python benchmarks/sensitivity.py FOLDER... --truth FILE...       # and by fine-tuned accuracy

*Rows*: the order of the encoders that n rows give, held against the order that all rows give (2,000 at
most), for K of the classes by chance. It is `transfer` that ranks, one folder at a time, so that narrow
encoders and wide ones can be told apart. *Rare classes* (the last class with one row for so many of each
other) and *wrong labels* (so many replaced by one drawn by chance) are held against fine-tuned accuracy,
which knows neither. Mean weighted Kendall over the datasets and over draws.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from agreement import List, lists_of
from fine_tuned import known
from scipy.stats import weightedtau

from hubscan.scores.transfer import transfer
from hubscan.scores.transrate import transrate

ROWS = (100, 200, 500, 1_000)
CLASSES = (2, 5, 10)
DRAWS = 2
SPOILT_ROWS = (300, 1_000)
RARITIES = (1, 3, 10, 30)
WRONG = (0.0, 0.1, 0.2, 0.4)
FEWEST = 4  # encoders that make an order

Array = npt.NDArray[Any]
Found = dict[tuple[Any, ...], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description="What a ranking's rows have to be like.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--truth", type=Path, nargs="+", default=[], help="one for each FOLDER")
    asked = parser.parse_args()
    for folder in asked.folders:
        print_rows(folder)
    if asked.truth:
        pairs = zip(asked.folders, asked.truth, strict=True)
        lists = [one for folder, file in pairs for one in lists_of(file.stem, known(file), folder)]
        print_spoilt([one for one in lists if one.single and one.certain])


def print_rows(folder: Path) -> None:
    """Print the agreement of n rows with all rows, by the number of classes."""
    found: Found = defaultdict(list)
    widths: list[int] = []
    for labels, features in _datasets(folder):
        widths += [x.shape[1] for x in features]
        for count in (k for k in CLASSES if k <= len(np.unique(labels))):
            for draw in range(DRAWS):
                for n, kendall in _of_rows(labels, features, count, draw):
                    found[count, n].append(kendall)
    print(f"\n**{folder.name}: {len(widths)} encoders of {min(widths)} to {max(widths)} numbers**\n")
    _print_table(found, "K", [k for k in CLASSES if any(key[0] == k for key in found)], ROWS)


def _datasets(folder: Path) -> Iterator[tuple[Array, list[Array]]]:
    """Yield labels and the features of the encoders of one kind."""
    for file in sorted(folder.glob("*__y.npy")):
        dataset = file.name.removesuffix("__y.npy")
        names = [path for path in sorted(folder.glob(f"{dataset}__*.npy")) if path != file]
        if len(names) >= FEWEST:
            yield np.load(file), [np.load(path) for path in names]


def _of_rows(labels: Array, features: Sequence[Array], count: int, draw: int) -> Iterator[tuple[int, float]]:
    rng = np.random.default_rng(draw)
    classes = rng.permutation(np.unique(labels))[:count]
    rows = rng.permutation(np.flatnonzero(np.isin(labels, classes)))
    all_rows = [_transfer(x[rows], labels[rows]) for x in features]
    for n in ROWS:
        if 2 * n <= len(rows):
            some = [_transfer(x[rows[:n]], labels[rows[:n]]) for x in features]
            yield n, float(weightedtau(some, all_rows).statistic)


def print_spoilt(lists: Sequence[List]) -> None:
    """Print the agreement with fine-tuned accuracy of rows that are spoilt in some way."""
    ways = {"rare": RARITIES, "wrong": WRONG}
    found: Found = defaultdict(list)
    for one in lists:
        for n in SPOILT_ROWS:
            for way, amounts in ways.items():
                for amount in amounts:
                    for draw in range(DRAWS):
                        rows, labels = _spoilt(one.labels, n, way, amount, np.random.default_rng(draw))
                        for name, measure in (("transfer", _transfer), ("transrate", _transrate)):
                            values = [measure(x[rows], labels) for x in one.features]
                            kendall = float(weightedtau(values, one.accuracies).statistic)
                            found[way, f"{name}, n = {n:,}", amount].append(kendall)
    rowed = [f"{name}, n = {n:,}" for name in ("transfer", "transrate") for n in SPOILT_ROWS]
    for way, title in (("rare", "rows of each other class for one of the last"), ("wrong", "wrong labels")):
        print(f"\n**{title}, {len(lists)} lists**\n")
        _print_table({key[1:]: v for key, v in found.items() if key[0] == way}, "", rowed, ways[way])


def _spoilt(labels: Array, n: int, way: str, amount: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return *n* rows, and their labels as they are given."""
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


def _transfer(features: Array, labels: Array) -> float:
    return transfer(features, labels, nulls=0, halves=0).value


def _transrate(features: Array, labels: Array) -> float:
    return transrate(features, labels, nulls=0).value


def _print_table(found: Found, corner: str, rows: Sequence[Any], columns: Sequence[Any]) -> None:
    print("| " + " | ".join([corner, *(f"{column:,}" for column in columns)]) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row in rows:
        values = [found.get((row, column)) for column in columns]
        print("| " + " | ".join([str(row), *("" if not v else f"{np.mean(v):.2f}" for v in values)]) + " |")


if __name__ == "__main__":
    main()

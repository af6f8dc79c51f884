"""How many rows does a ranking need, and what do rare classes and wrong labels do to it?

    python benchmarks/sensitivity.py FOLDER...                       # as features.py writes them
    python benchmarks/sensitivity.py FOLDER... --truth FILE...       # also rare classes and wrong labels

*Rows*: the order of the encoders by `transrate` from n rows, compared with the order from all rows (2,000 at
most), for K randomly chosen classes; one table for each folder. *Rare classes* (every other class has so many
rows for each row of the last class) and *wrong labels* (a share of the labels is replaced by random ones):
the order by `transrate`, compared with fine-tuned accuracy, which saw neither. Cells are weighted Kendall's
τ, the mean over datasets and samples.
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
from tables import print_table

from hubscan.scores import transrate

ROWS = (100, 200, 500, 1_000)
CLASSES = (2, 5, 10)
SAMPLES = 2
SPOILT_ROWS = (300, 1_000)
RARITIES = (1, 3, 10, 30)
WRONG = (0.0, 0.1, 0.2, 0.4)

Found = dict[tuple[Any, Any], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description="What the rows behind a ranking have to be like.")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--truth", type=Path, nargs="+", default=[], help="one for each FOLDER")
    asked = parser.parse_args()
    for folder in asked.folders:
        print_rows(folder)
    if asked.truth:
        for folder, file in zip(asked.folders, asked.truth, strict=True):
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
    print(f"\n**{folder.name}: {len(widths)} encoders of width {min(widths)} to {max(widths)}**\n")
    _print(found, "classes", [k for k in CLASSES if any(key[0] == k for key in found)], ROWS)


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
    """Print the agreement with fine-tuned accuracy of rows that are spoilt in some way."""
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
    corners = {"rare": "rows of every other class for each of the last", "wrong": "share of wrong labels"}
    for way, corner in corners.items():
        print(f"\n**{lists[0].origin}, {len(lists)} lists**\n")
        amounts = RARITIES if way == "rare" else WRONG
        _print(found[way], corner, [f"n = {n:,}" for n in SPOILT_ROWS], amounts)


def _spoilt(labels: Array, n: int, way: str, amount: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return *n* rows, and the labels that are given for them."""
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


def _print(found: Found, corner: str, rows: Sequence[Any], columns: Sequence[Any]) -> None:
    def cell(row: Any, column: Any) -> str:
        values = found.get((row, column))
        return f"{np.mean(values):.2f}" if values else ""

    lines = [[str(row), *(cell(row, column) for column in columns)] for row in rows]
    print_table([corner, *(f"{column:,}" for column in columns)], lines)


if __name__ == "__main__":
    main()

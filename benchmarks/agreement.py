"""How well does each metric order checkpoints by fine-tuned accuracy? Used by `fine_tuned.py agree`.

Each metric scores the checkpoints of a list on several random samples of n rows. Its order is compared with
that by fine-tuned accuracy: weighted Kendall's τ (`scipy.stats.weightedtau` with its defaults) and regret,
the fine-tuned accuracy of the best checkpoint minus that of the first, in points. Tables show means over
lists; intervals (95 %) are for other samples of rows, from resampling the samples of each list.

`transrate` is how `hubscan rank` orders: the score of randomly initialised checkpoints is discounted by 25 %.
All other rows of a table show a metric without that rule. *accuracy* is that of the linear head that hubscan
fits along with `transrate`. *fine-tuned again* compares fine-tuned accuracy with itself, with other test rows
and trainings; it is no upper bound. transformer-ranker's metrics are included if it is installed.
"""

from __future__ import annotations

import csv
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gains import print_gains
from lists import Array, Cell, List, averaged
from recommended import recommendations, scored
from scipy.stats import weightedtau
from tables import fraction, print_table, signed

from hubscan.scores import transrate
from hubscan.scores.registry import METRICS
from hubscan.scores.scoring import log_size

SIZES = (200, 500, 1_000, 2_000)
HEADLINE = 1_000  # rows
SAMPLES = 5
RESAMPLES = 2_000
UNDISCOUNTED = "transrate, no discount"
AGAIN = "fine-tuned again"

Metric = Callable[[Array, Array], float]


class Agreement(NamedTuple):
    """How well one order agrees with fine-tuned accuracy."""

    kendall: float  # weighted
    regret: float  # points


@dataclass(frozen=True)
class Measured:
    """Values for each sample, by list, number of rows, and metric or way to recommend."""

    agreements: dict[tuple[str, int, str], list[Agreement]] = field(default_factory=dict)
    regrets: dict[tuple[str, int, str], list[float]] = field(default_factory=dict)


def print_agreement(lists: Sequence[List], samples: int, to: Path | None = None) -> None:
    """Print all tables, for each file of fine-tuned accuracies separately; write the headline to *to*."""
    headline: list[dict[str, str]] = []
    for origin in dict.fromkeys(one.origin for one in lists):
        of_origin = [one for one in lists if one.origin == origin]
        found = measured(of_origin, samples)
        print_measured(of_origin, found, samples)
        headline += _headline(of_origin, found)
    if to:
        with to.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(headline[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(headline)


def measured(lists: Sequence[List], samples: int) -> Measured:
    """Return how well each metric and each way to recommend does on each list."""
    found = Measured(defaultdict(list), defaultdict(list))
    for one in lists:
        begun = time.perf_counter()
        for n, rows in _samples(one.labels, samples):
            _add(found, one, n, rows)
        print(f"{one.origin}: {one.name}, {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return found


def _samples(labels: Array, samples: int) -> Iterator[tuple[int, Array]]:
    for n in SIZES:
        if n > len(labels):
            continue
        for seed in range(samples if n < len(labels) else 1):
            yield n, np.random.default_rng(seed).permutation(len(labels))[:n]


def _add(found: Measured, one: List, n: int, rows: Array) -> None:
    """Add the results for one sample of a list."""
    labels, features = one.labels[rows], [x[rows] for x in one.features]
    checkpoints = [
        scored(name, cell, transrate(x, labels, representative=True))
        for (name, cell), x in zip(one.cells.items(), features, strict=True)
    ]
    orders: dict[str, Any] = {
        "transrate": [checkpoint.standing.value for checkpoint in checkpoints],
        UNDISCOUNTED: [checkpoint.leading.value for checkpoint in checkpoints],
        "accuracy": [checkpoint.accuracy.value for checkpoint in checkpoints if checkpoint.accuracy],
    }
    for name, metric in _other_metrics().items():
        orders[name] = [_value(metric, x, labels) for x in features]
    orders["size"] = [log_size(cell["parameters"]) for cell in one.cells.values()]
    for name, values in orders.items():
        found.agreements[one.name, n, name].append(_agreement(values, one.accuracies))
    for values in one.repeated:
        found.agreements[one.name, n, AGAIN].append(_agreement(values, one.accuracies))
    for way, place in recommendations(checkpoints).items():
        found.regrets[one.name, n, way].append(100 * float(one.accuracies.max() - one.accuracies[place]))


def _agreement(values: Sequence[float] | Array, fine_tuned: Array) -> Agreement:
    first = int(np.argmax(values))
    kendall = float(weightedtau(values, fine_tuned).statistic)
    return Agreement(kendall, 100 * float(fine_tuned.max() - fine_tuned[first]))


def _other_metrics() -> dict[str, Metric]:
    """Return every other metric by name, as a function of features and labels."""
    return {name: partial(_of_score, metric) for name, metric in METRICS.items()} | _transformer_rankers()


def _of_score(metric: Callable[[Array, Array], Any], features: Array, labels: Array) -> float:
    return float(metric(features, labels).value)


def _transformer_rankers() -> dict[str, Metric]:
    """Return the metrics of transformer-ranker, if it is installed (0.2.0)."""
    try:
        from transformer_ranker import estimators
    except ImportError:
        return {}
    names = {"HScore": "hscore", "LogME": "logme", "NearestNeighbors": "knn"}
    return {
        f"transformer-ranker {name}": partial(_estimated, getattr(estimators, kind)())
        for kind, name in names.items()
    }


def _estimated(estimator: Any, features: Array, labels: Array) -> float:
    import torch

    return float(estimator.fit(embeddings=torch.from_numpy(features), labels=torch.from_numpy(labels)))


def _value(metric: Metric, features: Array, labels: Array) -> float:
    """Return the value, or −∞ (last place) if it cannot be computed."""
    try:
        value = metric(features, labels)
    except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError) as error:
        print(f"no value of {len(features)} × {features.shape[1]}: {error}", file=sys.stderr)
        return -np.inf
    return -np.inf if np.isnan(value) else value


# -- tables ---------------------------------------------------------------------------------------


def print_measured(lists: Sequence[List], found: Measured, samples: int) -> None:
    """Print the tables of *lists*, all of one file of fine-tuned accuracies."""
    single = [one for one in lists if one.single]
    names = [one.name for one in single]
    print(f"\n## {lists[0].origin}\n\n**Weighted Kendall, mean over {len(names)} lists**\n")
    _print_means(found, names)
    print(f"\n**By list, n = {HEADLINE:,}** (weighted Kendall, regret)\n")
    _print_lists(found, single)
    print("\n**Regret of three ways to recommend, in points**\n")
    _print_regrets(found, names)
    print("\n**Fine-tuned accuracy minus that of a linear head, in points**\n")
    print_gains(single, samples)
    for one in lists:
        if not one.single:
            print(f"\n**Weighted Kendall, {one.name}, {len(one.cells)} checkpoints**\n")
            _print_means(found, [one.name])


def _print_means(found: Measured, names: Sequence[str]) -> None:
    """Print weighted Kendall at each number of rows, and regret at the headline's."""
    lines = []
    for metric in dict.fromkeys(metric for _, _, metric in found.agreements):
        cells = [
            _mean(_of_lists(found.agreements, names, n, metric), n == HEADLINE and metric != AGAIN)
            for n in SIZES
        ]
        regret = _points(_regrets_of(found, names, metric), interval=metric != AGAIN)
        lines.append([metric, *cells, regret])
    titles = _titles("order by", found.agreements, names, AGAIN)
    print_table([*titles, f"regret, n = {HEADLINE:,}"], lines)


def _titles(
    corner: str, values: Mapping[tuple[str, int, str], Any], names: Sequence[str], key: str
) -> list[str]:
    """Return titles with each number of rows, and how many lists have that many if not all do."""
    counts = [len(_of_lists(values, names, n, key)) for n in SIZES]
    few = ["" if count == len(names) else f" ({count} lists)" for count in counts]
    return [corner, *(f"n = {n:,}{note}" for n, note in zip(SIZES, few, strict=True))]


def _of_lists(values: Mapping[tuple[str, int, str], Any], names: Sequence[str], n: int, key: str) -> Any:
    return [values[name, n, key] for name in names if (name, n, key) in values]


def _mean(per_list: Sequence[Sequence[Agreement]], interval: bool) -> str:
    kendalls = [np.array([a.kendall for a in one]) for one in per_list]
    if not kendalls:
        return ""
    return fraction(_mean_of_lists(kendalls)) + (_interval(kendalls, fraction) if interval else "")


def _points(per_list: Sequence[Array], interval: bool = False) -> str:
    """Return the mean over lists of points of accuracy, with its interval for other samples."""
    if not per_list:
        return ""
    return _one_decimal(_mean_of_lists(per_list)) + (_interval(per_list, _one_decimal) if interval else "")


def _one_decimal(value: float) -> str:
    return f"{value:.1f}"


def _mean_of_lists(per_list: Sequence[Array]) -> float:
    """Return the mean over lists of the mean over samples."""
    return float(np.mean([one.mean() for one in per_list]))


def _interval(per_list: Sequence[Array], form: Callable[[float], str]) -> str:
    low, high = (form(bound) for bound in _bounds(per_list))
    return f" [{low}, {high}]" if low != high else ""


def _bounds(per_list: Sequence[Array]) -> tuple[float, float]:
    """Return the 95 % interval of the mean over lists, for other samples of rows."""
    rng = np.random.default_rng(0)
    means = np.mean(
        [one[rng.integers(0, len(one), (RESAMPLES, len(one)))].mean(axis=1) for one in per_list], axis=0
    )
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _regrets_of(found: Measured, names: Sequence[str], metric: str) -> list[Array]:
    per_list = _of_lists(found.agreements, names, HEADLINE, metric)
    return [np.array([a.regret for a in one]) for one in per_list]


def _headline(lists: Sequence[List], found: Measured) -> list[dict[str, str]]:
    """Return one line for each metric at the headline's number of rows, means over lists of one modality."""
    names = [one.name for one in lists if one.single]
    lines = []
    for metric in dict.fromkeys(metric for _, _, metric in found.agreements):
        per_list = _of_lists(found.agreements, names, HEADLINE, metric)
        if not per_list:
            continue
        kendalls = [np.array([a.kendall for a in one]) for one in per_list]
        regrets = _regrets_of(found, names, metric)
        values = (
            *(_mean_of_lists(kendalls), *_bounds(kendalls)),
            *(_mean_of_lists(regrets), *_bounds(regrets)),
        )
        columns = ("weighted_kendall", "kendall_low", "kendall_high", "regret", "regret_low", "regret_high")
        lines.append(
            {"accuracies": lists[0].origin, "order_by": metric, "lists": str(len(per_list))}
            | {name: f"{value:.3f}" for name, value in zip(columns, values, strict=True)}
        )
    return lines


def _print_lists(found: Measured, lists: Sequence[List]) -> None:
    lines = []
    for metric in dict.fromkeys(metric for _, _, metric in found.agreements):
        means = [np.mean(found.agreements[one.name, HEADLINE, metric], axis=0) for one in lists]
        lines.append([metric, *(f"{fraction(kendall)}, {regret:.1f}" for kendall, regret in means)])
    print_table(["order by", *(f"{one.name} ({len(one.cells)})" for one in lists)], lines)


def _print_regrets(found: Measured, names: Sequence[str]) -> None:
    """Print the regret of each way by the number of rows, and by list."""
    ways = list(dict.fromkeys(way for _, _, way in found.regrets))
    means = [[way, *(_regret(found, names, n, way) for n in SIZES)] for way in ways]
    print_table(_titles("recommend", found.regrets, names, ways[0]), means)
    print()
    lists = [[name, *(_regret(found, [name], HEADLINE, way) for way in ways)] for name in names]
    print_table([f"n = {HEADLINE:,}", *ways], lists)


def _regret(found: Measured, names: Sequence[str], n: int, way: str) -> str:
    per_list = [np.array(one) for one in _of_lists(found.regrets, names, n, way)]
    return _points(per_list, interval=n == HEADLINE)


def print_repeated(first: Sequence[Cell], second: Sequence[Cell]) -> None:
    """Print how well two files of fine-tuned accuracies agree, list by list."""
    before = {(cell["dataset"], cell["model"]): cell for cell in averaged(first)}
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for cell in averaged(second):
        of_before = before.get((cell["dataset"], cell["model"]))
        if of_before:
            values = of_before["accuracy"], cell["accuracy"]
            pairs[f"{cell['dataset']}, {cell['modality']}s"].append(values)
    lines = []
    for name, values in pairs.items():
        one, other = np.array(values).T
        ranges = ["{:.3f} to {:.3f}".format(*np.percentile(side, (5, 95))) for side in (one, other)]
        kendall = fraction(weightedtau(one, other).statistic)
        lines.append((name, str(len(values)), kendall, *ranges, signed(np.median(other - one), 3)))
    titles = ("list", "checkpoints", "weighted Kendall", "first [5 %, 95 %]", "second", "median change")
    print_table(titles, lines)

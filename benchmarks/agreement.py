"""Which measure would have told what fine-tuning gives? Used by `fine_tuned.py agree`.

Every measure that hubscan has, those of transformer-ranker where that is installed, and the list by size
are held against fine-tuned accuracy: weighted Kendall, and the accuracy lost by taking the first (regret, in
points), for several numbers of rows, each the mean over draws with its interval (95 %, from draws of the
draws), by dataset and in the mean. A dataset with a picture and a text is three lists: encoders of the one,
of the other, and of both; the last is printed by itself and is in no mean.

*the ranking* is what `hubscan rank` gives: the first of its measures, three quarters of it for untrained
weights. All other lines have a measure as it is.

*the truth, made again* is what the truth itself gets, as other held-out rows might have told it, and other
trainings where there are several. That is no bound to what a measure can get: some got more. Lists whose
truth agrees with itself by less than .8 hardly tell one measure from another: there are means with them
and means without. At last, the measure that is best on one half of the latter lists is read on the other
half, both ways.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import weightedtau

from hubscan.scores.evidence import evidence
from hubscan.scores.registry import METRICS
from hubscan.scores.scoring import log_size
from hubscan.scores.transfer import transfer
from hubscan.scores.transrate import transrate

SIZES = (200, 500, 1_000, 2_000)
HALVED_AT = 1_000  # rows
DRAWS = 5
RESAMPLES = 2_000
TRUTHS = 40
FEWEST = 4  # checkpoints in a list
CERTAIN = 0.8  # agreement of a truth with itself, made again: lists of less hardly tell
DEFAULT = "transfer"
RANKING = "the ranking"
AGAIN = "the truth, made again"

Array = npt.NDArray[Any]
Cell = dict[str, Any]
Judged = tuple[float, float]
"""Weighted Kendall, and regret in points."""


@dataclass(frozen=True)
class List:
    """Checkpoints that were fine-tuned on one dataset."""

    name: str
    dataset: str
    folder: Path
    cells: Mapping[str, Cell]  # by the name of the checkpoint
    single: bool  # of one modality

    @cached_property
    def labels(self) -> Array:
        """Of the rows that are scored, (n,)."""
        return np.asarray(np.load(self.folder / f"{self.dataset}__y.npy"))

    @cached_property
    def features(self) -> list[Array]:
        """Of each checkpoint, (n, d)."""
        return [np.load(self.folder / f"{self.dataset}__{name}.npy") for name in self.cells]

    @cached_property
    def untrained(self) -> Array:
        """Return which checkpoints have weights as an initialisation leaves them, (checkpoints,)."""
        return np.array([cell["untrained"] for cell in self.cells.values()])

    @cached_property
    def again(self) -> Array:
        """Return accuracies (draws, checkpoints) as other held-out rows and other trainings might give them.

        Each with an error of its own. The held-out rows are the same for all, so it is less in fact.
        """
        errors = np.array([cell["error"] for cell in self.cells.values()])
        drawn = np.random.default_rng(0).normal(size=(TRUTHS, len(errors)))
        return np.asarray(self.accuracies + drawn * errors)

    @cached_property
    def certain(self) -> bool:
        """Return whether its truth, made again, would say the same."""
        itself = [_judged(values, self.accuracies)[0] for values in self.again]
        return float(np.mean(itself)) >= CERTAIN

    @cached_property
    def accuracies(self) -> Array:
        """Of each checkpoint, once fine-tuned."""
        return np.array([cell["accuracy"] for cell in self.cells.values()])


def lists_of(origin: str, cells: Sequence[Cell], folder: Path) -> list[List]:
    """Return the lists that *cells* make, of checkpoints whose features are in *folder*."""
    found: dict[str, dict[str, dict[str, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for cell in averaged(cells):
        if (folder / f"{cell['dataset']}__{cell['model']}.npy").exists():
            found[cell["dataset"]][cell["modality"]][cell["model"]] = cell
    lists = []
    for dataset, by_modality in found.items():
        several = len(by_modality) > 1
        for modality, of_one in by_modality.items():
            name = f"{origin}: {dataset}" + (f", {modality}s" if several else "")
            lists.append(List(name, dataset, folder, of_one, single=True))
        if several:
            both = {name: cell for of_one in by_modality.values() for name, cell in of_one.items()}
            lists.append(List(f"{origin}: {dataset}, both", dataset, folder, both, single=False))
    return [one for one in lists if len(one.cells) >= FEWEST]


def averaged(lines: Sequence[Cell]) -> list[Cell]:
    """Return one cell for each checkpoint on a dataset: the mean of its trainings, each of another seed.

    The last of a seed counts. Seeds part the same rows in another way, so most of the held-out ones are
    common to them: their error stays. What else differs among trainings gets less with every one; of a
    checkpoint with only one it is taken to be what it is in the mean of its list.
    """
    trainings: dict[tuple[str, str], dict[str, dict[int, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        listed = trainings[line["dataset"], line["modality"]]
        listed[line["model"]][line["training"]["seed"]] = line
    cells = []
    for listed in trainings.values():
        by_checkpoint = [list(by_seed.values()) for by_seed in listed.values()]
        known = [_variance(of_one) for of_one in by_checkpoint if len(of_one) > 1]
        usual = float(np.mean(known)) if known else 0.0
        cells += [_mean(of_one, usual) for of_one in by_checkpoint]
    return cells


def _mean(trainings: Sequence[Cell], usual: float) -> Cell:
    """Return the mean of *trainings*, and its error; one alone is taken to vary as is *usual*."""
    accuracy, frozen = np.mean([(cell["accuracy"], cell["frozen"]) for cell in trainings], axis=0).tolist()
    held = np.mean([cell["error"] ** 2 for cell in trainings])
    variance = _variance(trainings) if len(trainings) > 1 else usual
    error = float(np.sqrt(held + variance / len(trainings)))
    return trainings[-1] | {"accuracy": accuracy, "frozen": frozen, "error": error}


def _variance(trainings: Sequence[Cell]) -> float:
    return float(np.var([cell["accuracy"] for cell in trainings], ddof=1))


def print_repeated(first: Sequence[Cell], second: Sequence[Cell]) -> None:
    """Print how far two truths agree, list by list."""
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
        agreed = f"{weightedtau(one, other).statistic:.2f}"
        lines.append((name, str(len(values)), agreed, *ranges, f"{np.median(other - one):+.3f}"))
    titles = ("list", "checkpoints", "weighted Kendall", "first [5 %, 95 %]", "second", "median change")
    _print_table(titles, lines)


def print_agreement(lists: Sequence[List], draws: int) -> None:
    """Print a table for each list, the means, and what choosing on a half gives on the other."""
    found: dict[tuple[str, int, str], list[Judged]] = defaultdict(list)
    cost: dict[str, list[float]] = defaultdict(list)
    for one in lists:
        for rows, judged, seconds in _measured(one, draws):
            for measure, values in judged.items():
                found[one.name, rows, measure] += values
            if rows == HALVED_AT:
                for measure, took in seconds.items():
                    cost[measure].append(took)
    single = [one.name for one in lists if one.single]
    certain = [one.name for one in lists if one.single and one.certain]
    for counting, which in ((certain, " that are certain"), (single, ", all there are")):
        _print_means(found, counting, which, cost)
    for one in lists:
        _print(found, [one.name], f"{one.name}, {len(one.cells)} checkpoints")
    _print_halves(found, certain)


def _print_means(
    found: Mapping[tuple[str, int, str], Sequence[Judged]],
    counting: Sequence[str],
    which: str,
    cost: Mapping[str, Sequence[float]],
) -> None:
    """Print the mean of the lists that are *counting*, and of those of each truth."""
    _print(found, counting, f"mean of {len(counting)} lists{which}", cost)
    origins = list(dict.fromkeys(name.partition(":")[0] for name in counting))
    for origin in origins if len(origins) > 1 else []:
        names = [name for name in counting if name.startswith(f"{origin}:")]
        _print(found, names, f"{origin}: mean of {len(names)} lists{which}")


def _measured(one: List, draws: int) -> Iterator[tuple[int, dict[str, list[Judged]], Mapping[str, float]]]:
    """Yield how each measure does on each draw, and the CPU seconds that it takes a checkpoint."""
    sizes = [log_size(cell["parameters"]) for cell in one.cells.values()]
    for rows, order in _draws(one.labels, draws):
        judged: dict[str, list[Judged]] = {RANKING: []}
        seconds: dict[str, float] = {}
        features = [x[order] for x in one.features]
        for name, measure in _measures().items():
            begun = time.process_time()
            values = [_value(measure, x, one.labels[order]) for x in features]
            seconds[name] = (time.process_time() - begun) / len(features)
            judged[name] = [_judged(values, one.accuracies)]
            if name == DEFAULT:
                standings = _standings(values, one.untrained, features, one.labels[order])
                judged[RANKING] = [_judged(standings, one.accuracies)]
        judged["size"] = [_judged(sizes, one.accuracies)]
        judged[AGAIN] = [_judged(values, one.accuracies) for values in one.again]
        yield rows, judged, seconds


def _standings(
    values: Sequence[float], untrained: Array, features: Sequence[Array], labels: Array
) -> list[float]:
    """Return by what `hubscan rank` ranks checkpoints of these *values*."""
    return [
        transfer(x, labels, halves=0).discounted.value if drawn else value
        for value, drawn, x in zip(values, untrained, features, strict=True)
    ]


def _measures() -> dict[str, Callable[[Array, Array], float]]:
    """Return every measure by name, as a function of features and labels."""
    ours: dict[str, Any] = {
        DEFAULT: partial(transfer, nulls=0, halves=0),
        "evidence": partial(evidence, nulls=0, halves=0),
        "transrate": partial(transrate, nulls=0),
        **{name: partial(measure, nulls=0, halves=0) for name, measure in METRICS.items()},
    }
    return {name: partial(_of_score, measure) for name, measure in ours.items()} | _transformer_rankers()


def _of_score(measure: Callable[[Array, Array], Any], features: Array, labels: Array) -> float:
    return float(measure(features, labels).value)


def _transformer_rankers() -> dict[str, Callable[[Array, Array], float]]:
    """Return transformer-ranker's estimators, if it is installed (0.2.0; its torch can be any)."""
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

    found = estimator.fit(embeddings=torch.from_numpy(features), labels=torch.from_numpy(labels))
    return float(found)


def _draws(labels: Array, draws: int) -> Iterator[tuple[int, Array]]:
    for rows in SIZES:
        if rows > len(labels):
            continue
        for seed in range(draws if rows < len(labels) else 1):
            yield rows, np.random.default_rng(seed).permutation(len(labels))[:rows]


def _value(measure: Callable[[Array, Array], float], features: Array, labels: Array) -> float:
    """Return the value, the least that there is where a measure cannot be computed: it ranks that last."""
    try:
        value = measure(features, labels)
    except (ValueError, ArithmeticError, RuntimeError, np.linalg.LinAlgError) as error:
        print(f"no value of {len(features)} × {features.shape[1]}: {error}", file=sys.stderr)
        return -np.inf
    return -np.inf if np.isnan(value) else value


def _judged(values: Sequence[float] | Array, right: Array) -> Judged:
    pick = int(np.argmax(values))
    return float(weightedtau(values, right).statistic), 100 * float(right.max() - right[pick])


def _print(
    found: Mapping[tuple[str, int, str], Sequence[Judged]],
    names: Sequence[str],
    title: str,
    cost: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Print a line a measure: agreement and regret for each number of rows, in the mean of the lists."""
    sizes = sorted({rows for name, rows, _ in found if name in names})
    measures = list(dict.fromkeys(measure for name, _, measure in found if name in names))
    lines = []
    for measure in measures:
        cells = []
        for n in sizes:
            per_list = [np.array(found[name, n, measure]) for name in names if (name, n, measure) in found]
            cells.append(_cell(per_list))
        took = [f"{1e3 * float(np.mean(cost[measure])):.0f}" if measure in cost else ""] if cost else []
        lines.append([measure, *cells, *took])
    print(f"\n**{title}**\n")
    _print_table(["measure", *(f"n = {n:,}" for n in sizes), *(["ms"] if cost else [])], lines)


def _print_table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    for cells in (titles, ["---"] * len(titles), *lines):
        print("| " + " | ".join(cells) + " |")


def _cell(per_list: Sequence[Array]) -> str:
    """Return the mean over lists of the means over draws, with an interval for other draws."""
    mean = np.mean([one.mean(0) for one in per_list], axis=0)
    rng = np.random.default_rng(0)
    again = np.array([
        np.mean([one[rng.integers(0, len(one), len(one))].mean(0) for one in per_list], axis=0)
        for _ in range(RESAMPLES)
    ])  # fmt: skip
    low, high = np.percentile(again, (2.5, 97.5), axis=0)
    return f"{mean[0]:.2f} [{low[0]:.2f}, {high[0]:.2f}], {mean[1]:.1f}"


def _print_halves(found: Mapping[tuple[str, int, str], Sequence[Judged]], names: Sequence[str]) -> None:
    """Print the best measure on every second list, and how it does on the others; and the other way round."""
    measures = dict.fromkeys(m for _, rows, m in found if rows == HALVED_AT and m != AGAIN)
    halves = names[::2], names[1::2]

    def mean(measure: str, half: Sequence[str]) -> Judged:
        per_list = [np.mean(found[name, HALVED_AT, measure], axis=0) for name in half]
        kendall, regret = np.mean(per_list, axis=0)
        return float(kendall), float(regret)

    if not all(halves):
        return
    print(f"\n**Chosen on one half, read on the other, n = {HALVED_AT:,}**\n")
    for half, other in (halves, halves[::-1]):
        known = [m for m in measures if all((name, HALVED_AT, m) in found for name in names)]
        best = max(known, key=lambda m: mean(m, half))
        kendall, regret = mean(best, other)
        first = max(known, key=lambda m: mean(m, other))
        print(f"- best on {', '.join(half)}: {best}, {mean(best, half)[0]:.2f}")
        there = f"{first}, {mean(first, other)[0]:.2f}"
        print(f"  - on the others {kendall:.2f}, regret {regret:.1f}; the best there {there}")

"""How well does each real encoder do on real data once fine-tuned? And which score would have told?

    python benchmarks/truth.py tune ROOT                       # adds to truth.jsonl what is not there yet
    python benchmarks/truth.py tune ROOT --only digits --models mobilenet_v2_1.0_224
    python benchmarks/truth.py agree FOLDER                    # FOLDER as features.py writes it
    python benchmarks/truth.py tune ROOT --models 'bert-*' --no-twins --truth benchmarks/truth_nursery.jsonl

*ROOT* holds `models/<org>/<name>` and `datasets/<org>/<name>`, as for `features.py`. The rows are another
draw (seed 1) than those that are scored (seed 0): 2,400 in equal shares of the classes, or all there are.
300 of them train, 200 say when to stop, and 1,900 are held out: what fine-tuning gives is then known to
about a point. The recipe is that of `hubscan verify`, unless asked otherwise; every line of
`truth.jsonl` has it, and the last of a checkpoint on a dataset counts.

`agree` holds every measure against this truth: weighted Kendall and the accuracy lost by taking its first
(regret, in points), for several numbers of rows, each the mean over draws with its interval (95 %, from
draws of the draws), by dataset and in all. The last line is what the truth itself gets, as other held-out
rows might have told it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from features import candidates, datasets
from scipy.stats import weightedtau

from hubscan import encoders
from hubscan.errors import CheckpointError
from hubscan.finetune.parts import parts
from hubscan.finetune.training import fine_tuned
from hubscan.recipe import Recipe
from hubscan.records import Modality, Sample, Score, Training
from hubscan.sample import draw
from hubscan.scores.measures import MEASURES
from hubscan.scores.size import log_size
from hubscan.scores.transrate import transrate

TRUTH = Path(__file__).with_name("truth.jsonl")
ROWS = 2_400
PATTERN = "HTHHHHHHSHHHTHHHHHHHTHSH"  # 3 of 24 train, 2 stop
SIZES = (200, 500, 1_000, 2_000)
DRAWS = 5
RESAMPLES = 2_000
TRUTHS = 40
AGAIN = "the truth, held out again"
TRAINING = Training(seconds=7_200)

Array = npt.NDArray[Any]
Cell = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Fine-tuned truth, and which score would have told.")
    ways = parser.add_subparsers(dest="way", required=True)
    tune = ways.add_parser("tune")
    tune.add_argument("root", type=Path)
    tune.add_argument("--only", nargs="+", metavar="NAME", help="datasets, in this order")
    tune.add_argument("--models", nargs="+", metavar="PATTERN", default=["*"], help="of their last names")
    tune.add_argument("--no-twins", action="store_true", help="without the random twin of the smallest")
    tune.add_argument("--max-length", type=int, default=64, help="tokens of a text")
    tune.add_argument("--rates", nargs="+", type=float, default=TRAINING.rates, help="each is tried")
    tune.add_argument(
        "--patience",
        type=int,
        default=TRAINING.patience,
        help="epochs; those that no training had improved at less patience are trained again",
    )
    tune.add_argument("--epochs", type=int, default=TRAINING.epochs, help="with each rate, at most")
    tune.add_argument("--precision", choices=("float32", "mixed"), default=TRAINING.precision)
    tune.add_argument("--device", default="auto")
    agree = ways.add_parser("agree")
    agree.add_argument("folder", type=Path)
    agree.add_argument("--only", nargs="+", metavar="NAME", help="datasets")
    agree.add_argument("--draws", type=int, default=DRAWS)
    for way in (tune, agree):
        way.add_argument("--truth", type=Path, default=TRUTH, help="the file with the accuracies")
    asked = parser.parse_args()
    if asked.way == "tune":
        tuned(asked)
    else:
        agreement(asked.folder, asked.truth, asked.only, asked.draws)


# -- the truth ------------------------------------------------------------------------------------


def known(file: Path) -> list[Cell]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def tuned(asked: argparse.Namespace) -> None:
    """Fine-tune every checkpoint on every dataset of its kind, the smallest first; keep what comes out."""
    training = replace(
        TRAINING,
        rates=tuple(asked.rates),
        patience=asked.patience,
        epochs=asked.epochs,
        precision=asked.precision,
    )
    done = {
        (cell["dataset"], cell["model"])
        for cell in known(asked.truth)
        if cell["rate"] is not None or cell["training"]["patience"] >= asked.patience
    }
    with candidates(asked.root, random=not asked.no_twins) as models:
        for dataset in datasets(asked.root, asked.only):
            recipe = Recipe(
                dataset=str(dataset), samples=ROWS, seed=1, max_length=asked.max_length, device=asked.device
            )
            sample = draw(recipe)
            for modality, model in ((kind, model) for kind in sample.inputs for model in models[kind]):
                wanted = any(fnmatch(model.name, pattern) for pattern in asked.models)
                if not wanted or (dataset.name, model.name) in done:
                    continue
                try:
                    names = {"dataset": dataset.name, "model": model.name}
                    cell = names | tuned_cell(model, modality, sample, recipe, training)
                except CheckpointError as error:
                    print(f"{dataset.name:18} {model.name:34} left out: {error}", flush=True)
                    continue
                with asked.truth.open("a") as file:
                    file.write(json.dumps(cell) + "\n")
                print(f"{dataset.name:18} {model.name:34} {cell['accuracy']:.3f} "
                      f"(frozen {cell['frozen']:.3f}), {cell['minutes']:.2f} min", flush=True)  # fmt: skip


def tuned_cell(model: Path, modality: Modality, sample: Sample, recipe: Recipe, training: Training) -> Cell:
    """Return what fine-tuning *model* gives on *sample*, with all that decides it."""
    begun = time.perf_counter()
    rows = parts(sample, 0, PATTERN)
    encoder = encoders.load(model, modality, max_length=recipe.max_length)
    found = fine_tuned(encoder, sample.inputs[modality], sample, training, recipe.device, rows=rows)
    return {
        "modality": modality,
        "parameters": encoder.parameters,
        "accuracy": round(float(found.outcomes.mean()), 4),
        "frozen": round(float(found.frozen.mean()), 4),
        "error": round(float(found.outcomes.std() / len(found.outcomes) ** 0.5), 4),
        "rate": found.rate,
        "epochs": found.epochs,
        "settled": found.settled,
        "rows": {name: len(part) for name, part in rows._asdict().items()},
        "fingerprint": sample.draw.fingerprint[:16],
        "max_length": recipe.max_length if modality == "text" else None,
        "training": asdict(training),
        "minutes": round((time.perf_counter() - begun) / 60, 2),
    }


# -- who would have told --------------------------------------------------------------------------


def agreement(folder: Path, file: Path, only: list[str] | None, draws: int) -> None:
    truth: dict[str, dict[str, Cell]] = defaultdict(dict)
    for cell in known(file):
        if not only or cell["dataset"] in only:
            truth[cell["dataset"]][cell["model"]] = cell
    found: dict[tuple[str, int, str], list[tuple[float, float]]] = defaultdict(list)
    for dataset, cells in truth.items():
        labels = np.load(folder / f"{dataset}__y.npy")
        names = [name for name in cells if (folder / f"{dataset}__{name}.npy").exists()]
        features = [np.load(folder / f"{dataset}__{name}.npy") for name in names]
        if len(names) < 2:
            continue
        right = np.array([cells[name]["accuracy"] for name in names])
        again = _drawn_again(right, [cells[name]["error"] for name in names])
        sizes = [log_size(cells[name]["parameters"]) for name in names]
        for rows, order in _draws(labels, draws):
            for measure, values in _scores([x[order] for x in features], labels[order], sizes).items():
                found[dataset, rows, measure].append(_judged(values, right))
            found[dataset, rows, AGAIN] += [_judged(values, right) for values in again]
        _print(found, dataset, len(names))
    _print(found, None, 0)


def _draws(labels: Array, draws: int) -> Iterator[tuple[int, Array]]:
    for rows in SIZES:
        if rows > len(labels):
            continue
        for seed in range(draws if rows < len(labels) else 1):
            yield rows, np.random.default_rng(seed).permutation(len(labels))[:rows]


def _scores(features: Sequence[Array], labels: Array, sizes: Sequence[float]) -> Mapping[str, list[float]]:
    plain = {
        name: [_value(partial(measure, nulls=0, halves=0), x, labels) for x in features]
        for name, measure in MEASURES.items()
    }
    ours = [_value(partial(transrate, nulls=0), x, labels) for x in features]
    return {"transrate": ours} | plain | {"size": list(sizes)}


def _value(measure: Callable[..., Score], features: Array, labels: Array) -> float:
    """Return the value, the least that there is where a measure cannot be computed: it ranks that last."""
    try:
        return measure(features, labels).value
    except (ValueError, np.linalg.LinAlgError) as error:
        print(f"no value of {len(features)} × {features.shape[1]}: {error}", file=sys.stderr)
        return -np.inf


def _drawn_again(right: Array, errors: Sequence[float]) -> Array:
    """Return accuracies as other held-out rows might give them: nothing can be asked to agree better.

    Each with an error of its own. The held-out rows are the same for all, so it is less in fact.
    """
    return right + np.random.default_rng(0).normal(size=(TRUTHS, len(right))) * np.array(errors)


def _judged(values: Sequence[float] | Array, right: Array) -> tuple[float, float]:
    pick = int(np.argmax(values))
    return float(weightedtau(values, right).statistic), 100 * float(right.max() - right[pick])


def _print(
    found: Mapping[tuple[str, int, str], Sequence[tuple[float, float]]], dataset: str | None, models: int
) -> None:
    """Print a line a measure: agreement and regret for each number of rows; of all datasets their mean."""
    sizes = sorted({rows for name, rows, _ in found if dataset in (None, name)})
    measures = list(dict.fromkeys(measure for _, _, measure in found))
    print(f"\n### {dataset or 'all datasets'}" + (f", {models} checkpoints" if models else ""))
    print("| measure | " + " | ".join(f"n = {n}: weighted Kendall, regret" for n in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for measure in measures:
        cells = []
        for n in sizes:
            per_set = [np.array(v) for (name, rows, m), v in found.items()
                       if rows == n and m == measure and dataset in (None, name)]  # fmt: skip
            cells.append(_cell(per_set))
        print(f"| {measure} | " + " | ".join(cells) + " |")


def _cell(per_set: Sequence[Array]) -> str:
    """Return the mean over datasets of the means over draws, with an interval for other draws."""
    mean = np.mean([one.mean(0) for one in per_set], axis=0)
    rng = np.random.default_rng(0)
    again = np.array([
        np.mean([one[rng.integers(0, len(one), len(one))].mean(0) for one in per_set], axis=0)
        for _ in range(RESAMPLES)
    ])  # fmt: skip
    low, high = np.percentile(again, (2.5, 97.5), axis=0)
    return f"{mean[0]:.2f} [{low[0]:.2f}, {high[0]:.2f}], {mean[1]:.1f}"


if __name__ == "__main__":
    main()

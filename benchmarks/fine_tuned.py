"""How well does each encoder do once fine-tuned? And which metric would have predicted it?

    python benchmarks/fine_tuned.py tune ROOT  # adds to fine_tuned.jsonl what is not there yet
    python benchmarks/fine_tuned.py tune ROOT --only digits --models mobilenet_v2_1.0_224
    python benchmarks/fine_tuned.py tune ROOT --models 'bert-*' --truth benchmarks/fine_tuned_small.jsonl
    python benchmarks/fine_tuned.py tune ROOT --only emoji --seed 1  # trained once more, then averaged
    python benchmarks/fine_tuned.py agree FOLDER --truth FILE       # FOLDER as features.py writes it
    python benchmarks/fine_tuned.py agree FOLDER FOLDER --truth FILE FILE
    python benchmarks/fine_tuned.py repeated FILE FILE  # do two files of accuracies agree?

*ROOT* holds `models/<org>/<name>` and `datasets/<org>/<name>`, as for `features.py`. The rows are another
draw (seed 1) than those that are scored (seed 0): 2,400 in equal shares of the classes, or all there are.
300 of them train, 200 say when to stop, and 1,900 are held out: what fine-tuning gives is then known to
about a point. The recipe is that of `hubscan verify`, unless asked otherwise; every line of
`fine_tuned.jsonl` has it, and the last of a checkpoint on a dataset with a seed counts.

`agree` compares every metric with these accuracies; see `agreement.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path

from agreement import SAMPLES, print_agreement, print_repeated
from features import add_options_of_candidates, candidates, datasets
from lists import Cell, lists_of

from hubscan import encoders
from hubscan.encoders.untrained import untrained
from hubscan.errors import CheckpointError
from hubscan.finetune.split import split_rows
from hubscan.finetune.training import fine_tuned
from hubscan.recipe import Recipe
from hubscan.records import EncodingRequest, Modality, Sample, Training
from hubscan.sample import draw
from hubscan.scores.accuracy import accuracy, kind_of_accuracy

TRUTH = Path(__file__).with_name("fine_tuned.jsonl")
ROWS = 2_400
PATTERN = "HTHHHHHHSHHHTHHHHHHHTHSH"  # 3 of 24 train, 2 stop
TRAINING = Training(seconds=7_200)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fine-tuned truth, and which score would have told.")
    ways = parser.add_subparsers(dest="way", required=True)
    tune = ways.add_parser("tune")
    tune.add_argument("root", type=Path)
    tune.add_argument("--only", nargs="+", metavar="NAME", help="datasets, in this order")
    tune.add_argument("--models", nargs="+", metavar="PATTERN", default=["*"], help="of their last names")
    add_options_of_candidates(tune)
    tune.add_argument("--max-length", type=int, default=64, help="tokens of a text")
    tune.add_argument("--rates", nargs="+", type=float, default=TRAINING.rates, help="each is tried")
    tune.add_argument(
        "--patience",
        type=int,
        default=TRAINING.patience,
        help="epochs; those that training had not improved at less patience are trained again",
    )
    tune.add_argument("--epochs", type=int, default=TRAINING.epochs, help="with each rate, at most")
    tune.add_argument("--seed", type=int, default=TRAINING.seed, help="of what trains, and its order")
    tune.add_argument("--precision", choices=("float32", "mixed"), default=TRAINING.precision)
    tune.add_argument("--device", default="auto")
    agree = ways.add_parser("agree")
    agree.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    agree.add_argument("--only", nargs="+", metavar="NAME", help="datasets")
    agree.add_argument("--samples", type=int, default=SAMPLES, help="of each number of rows")
    tune.add_argument("--truth", type=Path, default=TRUTH, help="the file with the accuracies")
    agree.add_argument("--truth", type=Path, nargs="+", default=[TRUTH], help="one for each FOLDER")
    repeated = ways.add_parser("repeated")
    repeated.add_argument("truths", type=Path, nargs=2, metavar="FILE")
    asked = parser.parse_args()
    if asked.way == "tune":
        tuned(asked)
    elif asked.way == "repeated":
        print_repeated(*(known(file) for file in asked.truths))
    else:
        lists = [
            one
            for folder, file in zip(asked.folders, asked.truth, strict=True)
            for one in lists_of(file.stem, known(file), folder)
            if not asked.only or one.dataset in asked.only
        ]
        print_agreement(lists, asked.samples)


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
        seed=asked.seed,
        precision=asked.precision,
    )
    done = {
        (cell["dataset"], cell["model"])
        for cell in known(asked.truth)
        if cell["training"]["seed"] == asked.seed
        and (cell["accuracy"] > cell["frozen"] or cell["training"]["patience"] >= asked.patience)
    }
    with candidates(asked.root, asked.twins, asked.side) as models:
        for dataset in datasets(asked.root, asked.only):
            recipe = Recipe(
                dataset=str(dataset), samples=ROWS, seed=1, max_length=asked.max_length, device=asked.device
            )
            sample = draw(recipe.sample_request)
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
    rows = split_rows(sample, training.seed, PATTERN)
    encoder = encoders.load(model, modality, EncodingRequest(max_length=recipe.max_length))
    drawn = untrained(encoder.model)
    found = fine_tuned(encoder, sample.inputs[modality], sample, training, recipe.device, rows=rows)
    labels = sample.labels[rows.test]
    kind = kind_of_accuracy(labels, representative=True)  # of classes in equal shares it is balanced anyway
    after, before = (accuracy(predicted, labels, kind) for predicted in (found.predictions, found.frozen))
    return {
        "modality": modality,
        "parameters": encoders.parameters(encoder),
        "untrained": drawn,
        "accuracy": round(after.value, 4),
        "frozen": round(before.value, 4),
        "error": round(after.error, 4),
        "rate": found.rate,
        "epochs": found.epochs,
        "settled": found.settled,
        "rows": {name: len(part) for name, part in rows._asdict().items()},
        "fingerprint": sample.draw.fingerprint[:16],
        "max_length": recipe.max_length if modality == "text" else None,
        "training": asdict(training),
        "minutes": round((time.perf_counter() - begun) / 60, 2),
    }


if __name__ == "__main__":
    main()

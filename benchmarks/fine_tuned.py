"""How accurate is each checkpoint after fine-tuning? And which metric would have predicted it?

    python benchmarks/fine_tuned.py tune ROOT  # adds to fine_tuned.jsonl what it does not have yet
    python benchmarks/fine_tuned.py tune ROOT --only digits --models mobilenet_v2_1.0_224
    python benchmarks/fine_tuned.py tune ROOT --models 'bert-*' --accuracies benchmarks/fine_tuned_small.jsonl
    python benchmarks/fine_tuned.py tune ROOT --only emoji --seed 1  # one more training, for the mean
    python benchmarks/fine_tuned.py agree FOLDER --accuracies FILE   # FOLDER as features.py writes it
    python benchmarks/fine_tuned.py agree FOLDER FOLDER --accuracies FILE FILE
    python benchmarks/fine_tuned.py repeated FILE FILE  # do two files of accuracies agree?

*ROOT* contains `models/<org>/<name>` and `datasets/<org>/<name>`, as for `features.py`. `tune` takes a
different sample of rows (seed 1) from the one that metrics score (seed 0): 2,400 rows, the same number of
each class, or all rows if there are fewer. It trains on 300, validates on 200 and tests on 1,900, so an
accuracy has an error of about a point. Training follows `hubscan verify` unless options say otherwise. Each
line of the file records how its checkpoint was trained. If a checkpoint has several lines with the same
dataset and seed, the last one counts.

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

ACCURACIES = Path(__file__).with_name("fine_tuned.jsonl")
ROWS = 2_400
PATTERN = "HTHHHHHHSHHHTHHHHHHHTHSH"  # of 24 rows, 3 train (T), 2 validate (S) and 19 test (H)
TRAINING = Training(seconds=7_200)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Fine-tune checkpoints, and compare metrics with their accuracies."
    )
    ways = parser.add_subparsers(dest="way", required=True)
    tune = ways.add_parser("tune", help="fine-tune every checkpoint on every dataset")
    tune.add_argument("root", type=Path, help="contains models/<org>/<name> and datasets/<org>/<name>")
    tune.add_argument("--only", nargs="+", metavar="NAME", help="datasets to use, in this order")
    tune.add_argument("--models", nargs="+", metavar="PATTERN", default=["*"], help="names without <org>/")
    add_options_of_candidates(tune)
    tune.add_argument("--max-length", type=int, default=64, help="tokens per text")
    tune.add_argument("--rates", nargs="+", type=float, default=TRAINING.rates, help="learning rates to try")
    tune.add_argument(
        "--patience",
        type=int,
        default=TRAINING.patience,
        help="epochs without improvement before training stops; checkpoints that training with less patience "
        "did not improve are trained again",
    )
    tune.add_argument("--epochs", type=int, default=TRAINING.epochs, help="at most, with each learning rate")
    tune.add_argument(
        "--seed",
        type=int,
        default=TRAINING.seed,
        help="random seed of the split and of the training",
    )
    tune.add_argument("--precision", choices=("float32", "mixed"), default=TRAINING.precision)
    tune.add_argument("--device", default="auto")
    agree = ways.add_parser("agree", help="compare every metric with the accuracies")
    agree.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="written by features.py")
    agree.add_argument("--only", nargs="+", metavar="NAME", help="datasets to use")
    agree.add_argument("--samples", type=int, default=SAMPLES, help="samples of rows per size")
    agree.add_argument(
        "--csv", type=Path, metavar="FILE", help="also write the headline to FILE, for chart.py"
    )
    tune.add_argument(
        "--accuracies", type=Path, default=ACCURACIES, metavar="FILE", help="file to add the accuracies to"
    )
    agree.add_argument(
        "--accuracies",
        type=Path,
        nargs="+",
        default=[ACCURACIES],
        metavar="FILE",
        help="file of accuracies for each FOLDER",
    )
    repeated = ways.add_parser("repeated", help="compare two files of accuracies")
    repeated.add_argument("files", type=Path, nargs=2, metavar="FILE")
    asked = parser.parse_args()
    if asked.way == "tune":
        tuned(asked)
    elif asked.way == "repeated":
        print_repeated(*(known(file) for file in asked.files))
    else:
        lists = [
            one
            for folder, file in zip(asked.folders, asked.accuracies, strict=True)
            for one in lists_of(file.stem, known(file), folder)
            if not asked.only or one.dataset in asked.only
        ]
        print_agreement(lists, asked.samples, asked.csv)


# -- fine-tuning ----------------------------------------------------------------------------------


def known(file: Path) -> list[Cell]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def tuned(asked: argparse.Namespace) -> None:
    """Fine-tune every checkpoint on every dataset that it can read, smallest first; add each result."""
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
        for cell in known(asked.accuracies)
        if cell["training"]["seed"] == asked.seed
        and (cell["accuracy"] > cell["frozen"] or cell["training"]["patience"] >= asked.patience)
    }
    with candidates(asked.root, asked.twins, asked.side) as models:
        for dataset in datasets(asked.root, asked.only):
            recipe = Recipe(
                dataset=str(dataset), samples=ROWS, seed=1, max_length=asked.max_length, device=asked.device
            )
            sample = draw(recipe.sample_request)
            for modality, model in ((of, model) for of in sample.inputs for model in models[of]):
                wanted = any(fnmatch(model.name, pattern) for pattern in asked.models)
                if not wanted or (dataset.name, model.name) in done:
                    continue
                try:
                    names = {"dataset": dataset.name, "model": model.name}
                    cell = names | tuned_cell(model, modality, sample, recipe, training)
                except CheckpointError as error:
                    print(f"{dataset.name:18} {model.name:34} skipped: {error}", flush=True)
                    continue
                with asked.accuracies.open("a") as file:
                    file.write(json.dumps(cell) + "\n")
                print(f"{dataset.name:18} {model.name:34} {cell['accuracy']:.3f} "
                      f"(frozen {cell['frozen']:.3f}), {cell['minutes']:.2f} min", flush=True)  # fmt: skip


def tuned_cell(model: Path, modality: Modality, sample: Sample, recipe: Recipe, training: Training) -> Cell:
    """Fine-tune *model* on *sample*; return the result, with every setting that decides it."""
    begun = time.perf_counter()
    rows = split_rows(sample, training.seed, PATTERN)
    encoder = encoders.load(model, modality, EncodingRequest(max_length=recipe.max_length))
    random_weights = untrained(encoder.model)
    found = fine_tuned(encoder, sample.inputs[modality], sample, training, recipe.device, rows=rows)
    labels = sample.labels[rows.test]
    kind = kind_of_accuracy(labels, representative=True)  # classes of equal size: balanced anyway
    after, before = (accuracy(predicted, labels, kind) for predicted in (found.predictions, found.frozen))
    return {
        "modality": modality,
        "parameters": encoders.parameters(encoder),
        "untrained": random_weights,
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

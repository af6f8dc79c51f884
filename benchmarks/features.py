"""Compute the features of real checkpoints on real datasets, for `fine_tuned.py agree` and `sensitivity.py`.

    python benchmarks/features.py ROOT FOLDER                 # every dataset in ROOT
    python benchmarks/features.py ROOT FOLDER --only imdb digits --twins all-MiniLM-L6-v2 --side 98

*ROOT* contains `models/<org>/<name>` and `datasets/<org>/<name>` with the same files as on the Hub; `hubscan
demo --folder ROOT --build-only` makes such a folder. Rows are sampled, read and pooled as in a scan, *--rows*
of each dataset in equal shares of the classes. For every dataset and every checkpoint that can read it, the
script writes

    FOLDER/<dataset>__<checkpoint>.npy  (n, d) float32, the last layer
    FOLDER/<dataset>__y.npy             (n,) int64

A checkpoint that cannot be used is skipped, with the reason. Files that exist are kept, so an interrupted run
can be continued; use one folder for each setting of *--rows* and *--max-length*. *--twins* adds copies of
checkpoints with random weights: they were never trained, though random convolutions separate digits as well
as trained ones. *--side* reads every image in that many pixels each way, whatever the checkpoint says.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoConfig, AutoModel

from hubscan import encoders
from hubscan.errors import CheckpointError, HubscanError
from hubscan.extract import extract
from hubscan.hub import listing
from hubscan.hub.fetch import fetch
from hubscan.recipe import Recipe
from hubscan.records import EncodingRequest, Modality, Sample, Skipped
from hubscan.sample import draw

SUFFIX = "_random"
PREPROCESSOR = "preprocessor_config.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute the features of checkpoints on datasets.")
    parser.add_argument("root", type=Path, help="contains models/<org>/<name> and datasets/<org>/<name>")
    parser.add_argument("folder", type=Path, help="folder to write the features to")
    parser.add_argument("--rows", type=int, default=2000, help="rows of each dataset, or all if it has fewer")
    parser.add_argument("--max-length", type=int, default=64, help="tokens per text")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="datasets to use, in this order")
    add_options_of_candidates(parser)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with candidates(asked.root, asked.twins, asked.side) as models:
        for dataset in datasets(asked.root, asked.only):
            recipe = Recipe(dataset=str(dataset), samples=asked.rows, max_length=asked.max_length)
            try:
                sample = draw(recipe.sample_request)
            except HubscanError as error:
                print(f"{dataset.name}: skipped: {error}", flush=True)
                continue
            embed(dataset.name, sample, models, recipe, asked.folder)


def datasets(root: Path, only: list[str] | None) -> list[Path]:
    found = {path.name: path for path in sorted((root / "datasets").glob("*/*"))}
    unknown = set(only or ()) - set(found)
    if unknown:
        raise SystemExit(f"no dataset {', '.join(sorted(unknown))}; available: {', '.join(found)}")
    return [found[name] for name in only or found]


def add_options_of_candidates(parser: argparse.ArgumentParser) -> None:
    """Add to *parser* the options that `candidates` needs."""
    parser.add_argument(
        "--twins",
        nargs="+",
        metavar="NAME",
        default=[],
        help="also use a copy of these checkpoints with random weights",
    )
    parser.add_argument("--side", type=int, metavar="PIXELS", help="read every image in this size")


@contextmanager
def candidates(
    root: Path, twins: Sequence[str] = (), side: int | None = None
) -> Iterator[dict[Modality, list[Path]]]:
    """Yield the checkpoints for texts and for images, smallest first, each twin after its original."""
    models: dict[Modality, list[Path]] = {"text": [], "image": []}
    with tempfile.TemporaryDirectory() as temporary:
        paths = sorted((root / "models").glob("*/*"), key=size)
        existing = {path.name for path in paths}
        for path in paths:
            modality = modality_of(path)
            if modality in models:
                resize = side is not None and modality == "image"
                read = resized(path, Path(temporary), side) if resize else path
                models[modality].append(read)
                if path.name in twins and path.name + SUFFIX not in existing:
                    models[modality].append(twin(read, Path(temporary)))
        unknown = set(twins) - {path.name for found in models.values() for path in found}
        if unknown:
            raise SystemExit(f"no checkpoint {', '.join(sorted(unknown))}")
        yield models


def modality_of(checkpoint: Path) -> Modality:
    """Return the modality that *checkpoint* reads, by its preprocessor."""
    preprocessor = checkpoint / PREPROCESSOR
    if not preprocessor.exists():
        return "text"
    return "audio" if "feature_extractor_type" in json.loads(preprocessor.read_text()) else "image"


def resized(checkpoint: Path, at: Path, side: int) -> Path:
    """Return a copy of *checkpoint* that reads images in *side* × *side* pixels."""
    copy = at / checkpoint.name
    shutil.copytree(checkpoint, copy)
    preprocessor = copy / PREPROCESSOR
    settings = json.loads(preprocessor.read_text())
    preprocessor.write_text(json.dumps(settings | {"size": {"height": side, "width": side}}))
    return copy


def size(checkpoint: Path) -> int:
    return sum(file.stat().st_size for file in checkpoint.glob("*.safetensors"))


def twin(checkpoint: Path, at: Path) -> Path:
    """Return a copy of *checkpoint* with random weights."""
    copy = at / f"{checkpoint.name}{SUFFIX}"
    shutil.copytree(checkpoint, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.from_pretrained(checkpoint)).save_pretrained(copy)
    return copy


def embed(
    dataset: str, sample: Sample, models: dict[Modality, list[Path]], recipe: Recipe, folder: Path
) -> None:
    """Write the labels, and the features of each checkpoint that the folder does not have yet."""
    print(f"{dataset}: {sample.draw.rows} rows, {dict(sample.draw.classes)}", flush=True)
    labels = folder / f"{dataset}__y.npy"
    if labels.exists() and not np.array_equal(np.load(labels), sample.labels):
        raise SystemExit(f"{labels} belongs to other rows; use another folder")
    save(labels, sample.labels)
    for modality, model in ((of, model) for of in sample.inputs for model in models[of]):
        file = folder / f"{dataset}__{model.name}.npy"
        if file.exists():
            continue
        begun = time.perf_counter()
        try:
            features = computed(model, sample, modality, recipe)
        except Exception as error:  # checkpoints of others may fail anywhere
            print(f"  {model.name:32} skipped: {type(error).__name__}: {error}", flush=True)
            continue
        save(file, features)
        shape = " × ".join(map(str, features.shape))
        print(f"  {model.name:32} {shape}, {time.perf_counter() - begun:.1f} s", flush=True)


def computed(model: Path, sample: Sample, modality: Modality, recipe: Recipe) -> npt.NDArray[np.float32]:
    """Return the features as `hubscan.assess` computes them, without its cache."""
    found = next(iter(listing.named([str(model)], recipe.query, modality)))
    if isinstance(found, Skipped):
        raise CheckpointError(found.reason)
    request = EncodingRequest(recipe.pooling, max_length=recipe.max_length)
    encoder = encoders.load(fetch(found).folder, modality, request, places=sample.places)
    return extract(encoder, sample.inputs[modality], recipe.device).matrix


def save(file: Path, array: npt.NDArray[Any]) -> None:
    """Write *file* completely or not at all."""
    partial = file.with_name(file.name + ".partial")
    with partial.open("wb") as opened:
        np.save(opened, array)
    partial.replace(file)


if __name__ == "__main__":
    main()

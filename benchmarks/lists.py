"""Lists of checkpoints that were fine-tuned on one dataset, with their features and fine-tuned accuracies.

A dataset with images and texts makes three lists: image encoders, text encoders, and both together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FEWEST = 4  # checkpoints in a list
REPETITIONS = 40

Array = npt.NDArray[Any]
Cell = dict[str, Any]
"""One line of fine_tuned.jsonl: the result of fine-tuning one checkpoint on one dataset."""


@dataclass(frozen=True)
class List:
    """Checkpoints that were fine-tuned on one dataset."""

    origin: str  # the file of the fine-tuned accuracies
    name: str
    dataset: str
    folder: Path
    cells: Mapping[str, Cell]  # by checkpoint
    single: bool  # one modality only

    @cached_property
    def labels(self) -> Array:
        """Return the labels (n,) of the rows that are scored."""
        return np.asarray(np.load(self.folder / f"{self.dataset}__y.npy"))

    @property
    def features(self) -> list[Array]:
        """Return the features (n, d) of each checkpoint."""
        return [np.load(self.folder / f"{self.dataset}__{name}.npy") for name in self.cells]

    @cached_property
    def accuracies(self) -> Array:
        """Return the fine-tuned accuracy of each checkpoint, (checkpoints,)."""
        return np.array([cell["accuracy"] for cell in self.cells.values()])

    @cached_property
    def repeated(self) -> Array:
        """Return fine-tuned accuracies (repetitions, checkpoints) with other test rows and trainings.

        They are the measured ones plus normal noise with their standard errors. In reality all checkpoints
        share their test rows, so differences between them vary less.
        """
        errors = np.array([cell["error"] for cell in self.cells.values()])
        noise = np.random.default_rng(0).normal(size=(REPETITIONS, len(errors)))
        return np.asarray(self.accuracies + noise * errors)


def lists_of(origin: str, cells: Sequence[Cell], folder: Path) -> list[List]:
    """Return the lists of those checkpoints in *cells* whose features are in *folder*."""
    datasets: dict[str, dict[str, dict[str, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for cell in averaged(cells):
        if (folder / f"{cell['dataset']}__{cell['model']}.npy").exists():
            datasets[cell["dataset"]][cell["modality"]][cell["model"]] = cell
    lists = []
    for dataset, modalities in datasets.items():
        several = len(modalities) > 1
        for modality, checkpoints in modalities.items():
            name = f"{dataset}, {modality}s" if several else dataset
            lists.append(List(origin, name, dataset, folder, checkpoints, single=True))
        if several:
            both = {name: cell for checkpoints in modalities.values() for name, cell in checkpoints.items()}
            lists.append(List(origin, f"{dataset}, both", dataset, folder, both, single=False))
    return [one for one in lists if len(one.cells) >= FEWEST]


def averaged(cells: Sequence[Cell]) -> list[Cell]:
    """Return one cell for each checkpoint on a dataset: the mean over its trainings, one per seed.

    The last training with a seed counts. Trainings share most of their test rows, so averaging does not
    reduce that part of the error; it reduces the part that differs between trainings. A checkpoint with one
    training gets the mean variance of its list for that part.
    """
    trainings: dict[tuple[str, str], dict[str, dict[int, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for cell in cells:
        of_list = trainings[cell["dataset"], cell["modality"]]
        of_list[cell["model"]][cell["training"]["seed"]] = cell
    means = []
    for of_list in trainings.values():
        by_checkpoint = [list(by_seed.values()) for by_seed in of_list.values()]
        variances = [_variance(repeats) for repeats in by_checkpoint if len(repeats) > 1]
        usual = float(np.mean(variances)) if variances else 0.0
        means += [_mean(repeats, usual) for repeats in by_checkpoint]
    return means


def _mean(repeats: Sequence[Cell], usual: float) -> Cell:
    """Return the mean of *repeats* with its error; *usual* is the variance of a single training."""
    accuracy = float(np.mean([cell["accuracy"] for cell in repeats]))
    of_rows = np.mean([cell["error"] ** 2 for cell in repeats])
    variance = _variance(repeats) if len(repeats) > 1 else usual
    return repeats[-1] | {
        "accuracy": accuracy,
        "error": float(np.sqrt(of_rows + variance / len(repeats))),
    }


def _variance(repeats: Sequence[Cell]) -> float:
    return float(np.var([cell["accuracy"] for cell in repeats], ddof=1))

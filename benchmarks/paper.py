"""The published agreement of TransRate with fine-tuned accuracy, reproduced, and one setting for all.

    python benchmarks/paper.py DATA_FOLDER

*DATA_FOLDER* holds cells.json (a cell is one experiment: candidates, their fine-tuned accuracy, the
rivals' scores, the published agreement) and spectra.npz (eigenvalues of every candidate's features).
Prints one table, a column for every cell: the authors' settings, which have to equal the published
numbers to the fourth decimal; their rivals; and settings that are the same for all cells.

Agreement is Pearson's r and Kendall's τ, and weighted Kendall's τ_w as `scipy.stats.weightedtau` has it
by default: pairs weigh 1/(place + 1) of both ends added up, τ averaged over the two orders of places.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, pearsonr, weightedtau

from hubscan.scores import transrate_from_spectra

Array = npt.NDArray[Any]

STATISTICS: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "pearson": lambda scores, truth: float(pearsonr(scores, truth).statistic),
    "kendall": lambda scores, truth: float(kendalltau(scores, truth).statistic),
    "weighted_kendall": lambda scores, truth: float(weightedtau(scores, truth).statistic),
}
RIVALS = ("nce", "leep", "lfc", "h_score", "logme")
FIXED = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
FLATNESS = {"1/3": 1 / 3, "1/2": 1 / 2, "1": 1.0, "2": 2.0, "3": 3.0}


@dataclass(frozen=True, slots=True)
class Candidate:
    """The spectra of one candidate's features on the rows of a cell."""

    eigenvalues: Array  # (d,)
    class_eigenvalues: Array  # (K, d)
    class_counts: Array  # (K,)
    rank: int

    def nats(self, eps: float | None = None) -> float:
        """Return the rate, undivided; without *eps* at our one setting."""
        return transrate_from_spectra(
            self.eigenvalues, self.class_eigenvalues, self.class_counts, variant="transrate", eps=eps
        )

    def nats_per_direction(self, eps: float) -> float:
        """Return the authors' number; plain or projected, spectra go through one formula."""
        return transrate_from_spectra(
            self.eigenvalues,
            self.class_eigenvalues,
            self.class_counts,
            variant="transrate-plain",
            eps=eps,
            rank=self.rank,
        )

    def nats_at(self, factor: float) -> float:
        """Return the rate at *factor* times the K/n of our one setting."""
        return self.nats(factor * float(np.count_nonzero(self.class_counts) / self.class_counts.sum()))


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment of the paper."""

    name: str
    accuracy: list[float]
    candidates: list[Candidate]
    paper_eps: list[float]  # for each candidate, relative to the sum of its eigenvalues
    rivals: dict[str, list[float]]
    published: dict[str, dict[str, float]]  # measure → statistic → agreement


def main(folder: Path) -> None:
    """Print the table."""
    cells = read(folder)
    print(" " * 40 + "".join(f"{cell.name:>10}" for cell in cells) + f"{'mean':>10}")
    compared = 0
    for measure in ("transrate", *RIVALS):
        for name, ours, published in agreements(cells, measure):
            compared += sum(number is not None for number in ours)
            print_row(f"{measure}, {name}, computed", ours, 4)
            print_row(f"{measure}, {name}, published", published, 4)
    print(f"-- all {compared} computed numbers equal the published ones to the fourth decimal; below: τ_w")
    for eps in FIXED:
        print_taus(f"÷ rank, eps {eps:.0e}", cells, partial(Candidate.nats_per_direction, eps=eps))
    for eps in FIXED:
        print_taus(f"undivided, eps {eps:.0e}", cells, partial(Candidate.nats, eps=eps))
    for label, factor in FLATNESS.items():
        print_taus(f"undivided, eps {label} · K/n", cells, partial(Candidate.nats_at, factor=factor))
    print_taus("our one setting (eps=None)", cells, Candidate.nats)


def agreements(
    cells: Sequence[Cell], measure: str
) -> list[tuple[str, list[float | None], list[float | None]]]:
    """Return for every statistic its name, the computed and the published numbers, None where absent.

    Raises:
        AssertionError: if a computed number differs from the published one in the fourth decimal.
    """
    rows = []
    for name, statistic in STATISTICS.items():
        ours: list[float | None] = []
        for cell in cells:
            scores = published_scores(cell, measure)
            ours.append(statistic(scores, cell.accuracy) if scores else None)
        published = [cell.published.get(measure, {}).get(name) for cell in cells]
        for cell, mine, theirs in zip(cells, ours, published, strict=True):
            same = mine == theirs if mine is None or theirs is None else round(mine, 4) == round(theirs, 4)
            assert same, f"{cell.name}, {measure}, {name}: {mine} computed, {theirs} published"
        rows.append((name, ours, published))
    return rows


def published_scores(cell: Cell, measure: str) -> list[float]:
    """Return the scores of *measure* at the authors' settings; none if the cell lacks it."""
    if measure != "transrate":
        return cell.rivals.get(measure, [])
    return [one.nats_per_direction(eps) for one, eps in zip(cell.candidates, cell.paper_eps, strict=True)]


def print_taus(title: str, cells: Sequence[Cell], score: Callable[[Candidate], float]) -> None:
    """Print τ_w of *score* with the fine-tuned accuracy, for every cell."""
    tau = STATISTICS["weighted_kendall"]
    print_row(title, [tau([score(one) for one in cell.candidates], cell.accuracy) for cell in cells])


def print_row(title: str, numbers: Sequence[float | None], decimals: int = 3) -> None:
    """Print *numbers* and the mean of those that are there."""
    there = [number for number in numbers if number is not None]
    cells = "".join(f"{'–' if number is None else format(number, f'.{decimals}f'):>10}" for number in numbers)
    print(f"{title:40}{cells}{np.mean(there):10.{decimals}f}" + f" of {len(there)}" * (None in numbers))


def read(folder: Path) -> list[Cell]:
    """Return the cells of *folder*."""
    with np.load(folder / "spectra.npz") as spectra:
        found = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
        return [read_cell(cell, spectra) for cell in found]


def read_cell(cell: Mapping[str, Any], spectra: Mapping[str, Array]) -> Cell:
    """Return one cell with the spectra of its candidates."""
    prefixes = [f"{one}{'p' if cell['projected'] else 'c'}" for one in cell["ids"]]
    candidates = [
        Candidate(
            eigenvalues=spectra[f"{prefix}_eig"],
            class_eigenvalues=spectra[f"{prefix}_eig_class"],
            class_counts=spectra[f"{prefix}_count_class"],
            rank=int(spectra[f"{prefix}_rank"]),
        )
        for prefix in prefixes
    ]
    units = [1.0 if cell["trace_normalised"] else float(one.eigenvalues.sum()) for one in candidates]
    return Cell(
        name=cell["cell"],
        accuracy=cell["fine_tuned_accuracy"],
        candidates=candidates,
        paper_eps=[cell["paper_eps"] / unit for unit in units],
        rivals=cell["published"],
        published=cell["agreement"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

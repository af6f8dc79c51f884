"""Do we reproduce the agreement with fine-tuned accuracy that the paper published, and does one eps fit all?

    python benchmarks/paper.py DATA_FOLDER

*DATA_FOLDER* contains cells.json (a cell is one experiment: candidates, their fine-tuned accuracy, the
published scores of other metrics, the published agreement) and spectra.npz (eigenvalues of the features
of each candidate).

The script first compares hubscan's results with every published value of TransRate, and with every published
agreement: Pearson's r, Kendall's τ and weighted Kendall's τ (`scipy.stats.weightedtau` with its defaults) of
TransRate at the authors' settings and of the other metrics. It ends with an error if one differs. Then it
prints one table of weighted Kendall's τ, with one column per cell.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, pearsonr, weightedtau
from tables import fraction, print_table

from hubscan.scores import transrate_from_spectra

Array = npt.NDArray[Any]

STATISTICS: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "pearson": lambda scores, accuracy: float(pearsonr(scores, accuracy).statistic),
    "kendall": lambda scores, accuracy: float(kendalltau(scores, accuracy).statistic),
    "weighted_kendall": lambda scores, accuracy: float(weightedtau(scores, accuracy).statistic),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """The spectra of one candidate's features on the rows of a cell."""

    eigenvalues: Array  # (d,)
    class_eigenvalues: Array  # (K, d)
    class_counts: Array  # (K,)
    rank: int

    def transrate(self, eps: float | None = None) -> float:
        """Return TransRate per dimension; without *eps*, at hubscan's default."""
        return transrate_from_spectra(
            self.eigenvalues, self.class_eigenvalues, self.class_counts, eps=eps, rank=self.rank
        )


SETTINGS: Mapping[str, Callable[[Candidate], float]] = {
    "eps = 0.01/rank": lambda one: one.transrate(0.01 / one.rank),
    "eps = 0.033/rank": lambda one: one.transrate(0.033 / one.rank),
    "eps = 0.1/rank, the default": Candidate.transrate,
    "eps = 0.3/rank": lambda one: one.transrate(0.3 / one.rank),
    "eps = 1/rank": lambda one: one.transrate(1 / one.rank),
    "eps = 1e-5": lambda one: one.transrate(1e-5),
    "eps = 1e-4": lambda one: one.transrate(1e-4),
    "eps = 1e-3": lambda one: one.transrate(1e-3),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment of the paper."""

    name: str
    accuracy: list[float]
    candidates: list[Candidate]
    paper_eps: list[float]  # for each candidate, relative to the sum of its eigenvalues
    transrate: list[float]  # published
    scores: dict[str, list[float]]  # published, of the other metrics
    agreement: dict[str, dict[str, float]]  # published: metric → statistic → number


def main(folder: Path) -> None:
    """Compare with the published numbers, then print the table."""
    cells = read(folder)
    agreements = sum(compare(cell) for cell in cells)
    values = sum(len(cell.transrate) for cell in cells)
    print(
        f"All {agreements} published agreements are reproduced to the fourth decimal, "
        f"and all {values} published values of TransRate to six digits.\n"
    )
    lines = []
    for title, scores in rankings(cells):
        taus = [
            STATISTICS["weighted_kendall"](numbers, cell.accuracy)
            for numbers, cell in zip(scores, cells, strict=True)
        ]
        lines.append([title, *(fraction(tau, 3) for tau in (*taus, np.mean(taus)))])
    print_table(["weighted Kendall's τ", *(cell.name for cell in cells), "mean"], lines)


def compare(cell: Cell) -> int:
    """Compare each published agreement of *cell* with ours; return how many there are.

    Raises:
        SystemExit: if one differs in the fourth decimal, or a value of TransRate by a millionth.
    """
    ours = at_paper_eps(cell)
    if not np.allclose(ours, cell.transrate, rtol=1e-6, atol=0):
        sys.exit(f"{cell.name}, TransRate: {ours} computed, {cell.transrate} published")
    for metric in cell.agreement:
        scores = ours if metric == "transrate" else cell.scores[metric]
        for name, published in cell.agreement[metric].items():
            computed = STATISTICS[name](scores, cell.accuracy)
            if round(computed, 4) != round(published, 4):
                sys.exit(f"{cell.name}, {metric}, {name}: {computed:.6f} computed, {published} published")
    return sum(map(len, cell.agreement.values()))


def rankings(cells: Sequence[Cell]) -> Iterator[tuple[str, list[list[float]]]]:
    """Yield each row of the table: its title, and the scores of the candidates of each cell."""
    yield "TransRate, eps chosen per cell, as published", [at_paper_eps(cell) for cell in cells]
    for title, setting in SETTINGS.items():
        yield f"TransRate, {title}", [list(map(setting, cell.candidates)) for cell in cells]
    yield "LogME, published", [cell.scores["logme"] for cell in cells]
    yield "H-score, published", [cell.scores["h_score"] for cell in cells]


def at_paper_eps(cell: Cell) -> list[float]:
    """Return TransRate of each candidate at the eps that the authors chose for *cell*."""
    return [one.transrate(eps) for one, eps in zip(cell.candidates, cell.paper_eps, strict=True)]


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
        transrate=cell["paper_transrate"],
        scores=cell["published"],
        agreement=cell["agreement"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

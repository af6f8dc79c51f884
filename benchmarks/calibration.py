"""Is a score 0 for noise, the same in every width, and in order on real encoders? Prints three tables.

    python benchmarks/calibration.py                  # noise and planted classes, about five minutes
    python benchmarks/calibration.py --wide           # with n = 10 000 and d = 4 096: half an hour more
    python benchmarks/calibration.py --real FOLDER    # FOLDER/<dataset>__<encoder>.npy and <dataset>__y.npy

Each measure stands beside `transrate` (version 3): `excess` is version 1, raw less shuffled labels;
`raw` the equation of the paper at eps 1e-4; `pooled` ½ log det S_T − ½ log det S_W, shrunk by
Ledoit-Wolf, less shuffled labels; `hscore` the Ledoit-Wolf H-score.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr, weightedtau
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hubscan.scores import transrate
from hubscan.scores.coding_rate import coding_rate, conditional_rate
from hubscan.scores.frames import frame
from hubscan.scores.linalg.centered import rows_of
from hubscan.scores.linalg.row_space import row_space

Array = npt.NDArray[Any]
RIVALS = ("excess", "raw", "pooled", "hscore")
SPECTRA: dict[str, Callable[[Array], Array]] = {
    "flat": np.ones_like,
    "1/i": lambda i: 1 / i,
    "1/i²": lambda i: 1 / i**2,
    "exp": lambda i: np.exp(-i / 32) + 1e-6,
}


def rivals(features: Array, labels: Array, shuffles: int = 3) -> dict[str, float]:
    rows = rows_of(features)
    x = rows.take(slice(None))
    rng = np.random.default_rng(0)
    orders = [rng.permutation(labels) for _ in range(shuffles)]
    space = row_space(rows)
    u = np.concatenate([block for _, block in space.blocks()])
    z = space.coordinates(slice(None)) * np.sqrt(len(x) / space.variances.sum())
    conditional = conditional_rate(z, labels, 1e-4)
    null = np.mean([conditional_rate(z, order, 1e-4) for order in orders])
    # (1 − a)·S + a·(tr S/d)·I, seen from the rows
    share, mean = ledoit_wolf_shrinkage(x, assume_centered=True), space.variances.sum() / x.shape[1]
    kept = space.variances / ((1 - share) * space.variances + share * mean)

    def explained(order: Array) -> Array:
        counts = np.bincount(order)
        sums = rows.algebra.sums(u, np.arange(len(u)), order, len(counts))
        seen = frame(counts).turned(sums, rows.algebra)
        return np.linalg.eigvalsh((seen * kept) @ seen.T).clip(0, 1 - 1e-12)

    def pooled(order: Array) -> float:
        return -0.5 * float(np.log1p(-explained(order)).sum())

    return {
        "excess": float(null - conditional),
        "raw": coding_rate(z, 1e-4) - conditional,
        "pooled": pooled(labels) - float(np.mean([pooled(order) for order in orders])),
        "hscore": (1 - share) * float(explained(labels).sum()),
    }


def labels_of(n: int, classes: int, balanced: bool, rng: np.random.Generator) -> Array:
    if balanced:
        return np.arange(n) % classes
    shares = 1 / np.arange(1, classes + 1)
    drawn = rng.choice(classes, size=n - classes, p=shares / shares.sum())
    return np.concatenate([np.arange(classes), drawn])


def noise_cells(wide: bool) -> Iterator[tuple[int, int, int, bool, str]]:
    widths, rows = (64, 256, 1024, 4096), (200, 1000, 4000)
    for n in (*rows, 10_000) if wide else rows:
        for d in widths if wide or n < 4000 else widths[:3]:
            for classes in (2, 20):
                # The largest take minutes each: there two classes are balanced, and twenty are not.
                for balanced in (True, False) if n * d < 2e7 else (classes == 2,):
                    for kind in ("flat", "1/i", "spread"):
                        yield n, d, classes, balanced, kind


def noise(wide: bool) -> None:
    """Print each measure where the labels tell nothing; "spread": classes differ in scale, not in place."""
    print("\nNoise: every number should be 0, and 0 within the interval of the first")
    print(
        f"{'n':>6} {'d':>5} {'K':>3} {'classes':<10} {'noise':<7} {'transrate [95 %]':<28}"
        + "".join(f"{name:>10}" for name in RIVALS)
    )
    inside = []
    for seed, (n, d, classes, balanced, kind) in enumerate(noise_cells(wide)):
        rng = np.random.default_rng(seed)
        y = labels_of(n, classes, balanced, rng)
        spectrum = SPECTRA["1/i" if kind == "spread" else kind](np.arange(1.0, d + 1))
        scale = np.exp(0.7 * np.sin(1 + 2.3 * y))[:, None] if kind == "spread" else 1.0
        x = (rng.normal(size=(n, d)) * np.sqrt(spectrum) * scale).astype(np.float32)
        score = transrate(x, y, seed=seed)
        low, high = score.interval
        inside.append(low <= 0 <= high)
        found = rivals(x, y)
        print(
            f"{n:>6} {d:>5} {classes:>3} {'balanced' if balanced else 'unbalanced':<10} {kind:<7} "
            f"{f'{score.value:+.3f} [{low:+.3f}, {high:+.3f}]':<26}{' ' if inside[-1] else '!'} "
            + "".join(f"{found[name]:>10.3f}" for name in RIVALS),
            flush=True,
        )
    print(f"0 is within the interval in {sum(inside)} of {len(inside)}")


def planted() -> None:
    """Print each measure over d for the same classes on the same rows, over what it is at d = 64.

    The means of the classes span K − 1 dimensions, at *distance* standard deviations from one another
    (root mean square of pairs). "near": in the directions of most variance; "far": among the first 64.
    """
    n, widths = 1000, (64, 256, 1024, 4096)
    print(
        "\nPlanted classes, n = 1 000: the value at d over that at d = 64, and what 64 gives and should give"
    )
    print(f"{'K':>3} {'distance':>8} {'noise':<5} {'means':<5} {'measure':<9}", end="")
    print("".join(f"{d:>8}" for d in widths) + f"{'value':>9}{'truth':>8}")
    for classes, distance in ((2, 2.0), (3, 2.0), (10, 2.0), (10, 4.0)):
        for name, spectrum in SPECTRA.items():
            for place in ("near", "far") if name != "flat" else ("near",):
                values: dict[str, list[float]] = {}
                for d in widths:
                    x, y, truth = planted_features(n, d, classes, distance, spectrum, place)
                    found = {"transrate": transrate(x, y).value, **rivals(x, y)}
                    for measure, value in found.items():
                        values.setdefault(measure, []).append(value)
                for measure, row in values.items():
                    told = f"{truth:>8.3f}" if measure == "transrate" else ""
                    shares = "".join(f"{value / row[0]:>8.2f}" for value in row)
                    cell = f"{classes:>3} {distance:>8} {name:<5} {place:<5} {measure:<9}"
                    print(f"{cell}{shares}{row[0]:>9.3f}{told}", flush=True)


def planted_features(
    n: int, d: int, classes: int, distance: float, spectrum: Callable[[Array], Array], place: str
) -> tuple[Array, Array, float]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    dimensions = classes - 1
    means = np.linalg.svd(np.eye(classes) - 1 / classes)[0][:, :dimensions]
    means = means @ np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0] * distance / np.sqrt(2)
    at = np.arange(dimensions) if place == "near" else np.linspace(62, 2, dimensions).astype(int)
    moved = np.zeros((classes, d))
    moved[:, at] = means
    noise = np.random.default_rng(1).normal(size=(n, 4096))[:, :d]
    x = (noise + moved[y]) * np.sqrt(spectrum(np.arange(1.0, d + 1)))
    truth = 0.5 * np.linalg.slogdet(np.eye(dimensions) + means.T @ means / classes)[1]
    return x.astype(np.float32), y, float(truth)


def real(folder: Path) -> None:
    """Print the agreement of each measure on some rows with a cross-validated probe on all rows."""
    print("\nReal encoders, mean over 200, 300, 500 and 1 000 rows: weighted Kendall | Spearman | points of")
    print("accuracy lost by taking the first\n")
    names = ("transrate", *RIVALS)
    print("| dataset | encoders | " + " | ".join(names) + " |\n|---|---|" + "---|" * len(names))
    total: dict[str, list[Array]] = {}
    for path in sorted(folder.glob("*__y.npy")):
        dataset, y = path.name.removesuffix("__y.npy"), np.load(path)
        files = [p for p in sorted(folder.glob(f"{dataset}__*.npy")) if p != path]
        features = [np.load(p).astype(np.float64) for p in files]
        truth = np.array([probe(x, y) for x in features])
        cells: dict[str, list[Array]] = {}
        for n in (200, 300, 500, 1000):
            for measure, agreement in agreements(features, y, truth, n).items():
                cells.setdefault(measure, []).append(agreement)
                total.setdefault(measure, []).append(agreement)
        print(f"| {dataset} | {len(files)} | {means(cells, names)} |", flush=True)
    print(f"| mean | | {means(total, names)} |")


def agreements(features: list[Array], y: Array, truth: Array, n: int) -> dict[str, Array]:
    rows = np.random.default_rng(n).permutation(len(y))[:n]
    found = [{"transrate": transrate(x[rows], y[rows]).value, **rivals(x[rows], y[rows])} for x in features]
    agreed = {}
    for measure in found[0]:
        values = np.array([f[measure] for f in found])
        lost = 100 * (truth.max() - truth[values.argmax()])
        agreed[measure] = np.array(
            [weightedtau(truth, values, rank=None)[0], spearmanr(truth, values)[0], lost]
        )
    return agreed


def means(cells: dict[str, list[Array]], names: tuple[str, ...]) -> str:
    return " | ".join(told(np.mean(cells[name], axis=0)) for name in names)


def told(agreement: Any) -> str:
    return f"{agreement[0]:.3f} / {agreement[1]:.3f} / {agreement[2]:.1f}"


def probe(x: Array, y: Array) -> float:
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    return max(
        float(
            cross_val_score(
                make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=100, tol=1e-3)),
                x,
                y,
                cv=folds,
            ).mean()
        )
        for c in (1e-3, 1e-2, 1e-1, 1.0)
    )


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)  # a hundred steps settle an accuracy
    parser = argparse.ArgumentParser(description="Calibration of transrate against its rivals.")
    parser.add_argument("--wide", action="store_true", help="the largest n and d, too")
    parser.add_argument("--real", type=Path, help="a folder of features: print that table alone")
    arguments = parser.parse_args()
    if arguments.real:
        real(arguments.real)
    else:
        planted()
        noise(arguments.wide)


if __name__ == "__main__":
    main()

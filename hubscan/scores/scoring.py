"""Features of a checkpoint and names of metrics in, scores by layer out: how a scan uses the metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hubscan.errors import RecipeError
from hubscan.records import Features, Layer, Score, ScoringRequest
from hubscan.scores.caveats import notes
from hubscan.scores.evidence import evidence
from hubscan.scores.registry import METRICS
from hubscan.scores.targets import as_targets
from hubscan.scores.transfer import mean_of
from hubscan.scores.transrate import transrate

NAMES: Final = ("transfer", "evidence", "transrate", *METRICS, "size")


def check(metrics: Sequence[str]) -> None:
    """Refuse metrics that there are not.

    Raises:
        RecipeError: naming those there are.
    """
    unknown = [name for name in metrics if name not in NAMES]
    if unknown or not metrics:
        raise RecipeError(f"metrics: unknown measure {', '.join(unknown)!r}; there are: {', '.join(NAMES)}")


def by_layer(
    features: Features,
    labels: npt.ArrayLike,
    request: ScoringRequest,
    groups: npt.ArrayLike | None = None,
) -> dict[str, Layer]:
    """Return the scores of every layer; the first metric has its null and interval, being what ranks.

    Rows of the same of *groups* (n,), such as the words of a sentence, were drawn together: intervals,
    and what predicts rows from others, keep them together.

    Raises:
        ValueError: if a metric is not defined for these labels, or the features cannot be scored.
    """
    return {
        name: Layer(
            width=matrix.shape[1],
            scores=_scores(matrix, labels, groups, features.parameters, request.metrics, request.seed),
        )
        for name, matrix in features.layers.items()
    }


def layer_fields(layers: Mapping[str, Layer], wanted: str) -> dict[str, Any]:
    """Return what a `Scored` says of *layers*: which one stands for the checkpoint, and its scores.

    That is the last one, or their mean, unless the "best" or "each" is wanted. A best of many is a little
    lucky: its interval does not know that it was chosen.
    """
    names = list(layers)
    single = wanted in ("last", "mean")
    best = names[-1] if single else max(names, key=lambda name: _leading(layers[name]).value)
    return {
        "layer": best,
        "width": layers[best].width,
        "scores": layers[best].scores,
        "layers": {} if single else dict(layers),
    }


def _scores(
    matrix: Any, labels: Any, groups: Any, parameters: int, metrics: Sequence[str], seed: int
) -> dict[str, Score]:
    """Return the scores by the names of *metrics*; what `transfer` is made of is measured once."""
    first = metrics[0]
    parts = ("evidence", "transrate") if "transfer" in metrics else ()
    known: dict[str, Score] = {}
    for metric in dict.fromkeys((*parts, *metrics)):
        if metric == "transfer":
            known[metric] = mean_of(known["evidence"], known["transrate"], as_targets(labels))
        else:
            whole = metric == first or (first == "transfer" and metric in parts)
            known[metric] = _score(metric, matrix, labels, groups, parameters, seed, whole=whole)
    if first != "size":  # which no rows were needed for
        leading = known[first]
        known[first] = replace(leading, notes=(*leading.notes, *notes(leading, np.asarray(labels))))
    return {metric: known[metric] for metric in metrics}


def _score(
    metric: str, matrix: Any, labels: Any, groups: Any, parameters: int, seed: int, *, whole: bool
) -> Score:
    """Return one score, with its null and interval if it is to be *whole*."""
    if metric == "size":
        return Score("size", 1, log_size(parameters))
    if metric == "transrate":
        return transrate(matrix, labels, groups=groups, seed=seed)
    if metric == "evidence":
        repeats = {} if whole else {"nulls": 0, "halves": 0}
        return evidence(matrix, labels, groups=groups, seed=seed, **repeats)
    times = METRICS[metric].repeats if whole else 0
    return METRICS[metric](matrix, labels, groups=groups, nulls=times, halves=times, seed=seed)


def _leading(layer: Layer) -> Score:
    return next(iter(layer.scores.values()))


def log_size(parameters: int) -> float:
    """Return log₁₀ of the number of *parameters*, so that 1 more is ten times as many.

    Larger checkpoints fine-tune better so often that the plain list by size beats most published
    metrics on the usual benchmark (arXiv 2510.06448); a metric should be seen beside it.

    Raises:
        ValueError: if there is not at least one parameter.
    """
    if parameters < 1:
        raise ValueError(f"at least one parameter expected, got {parameters}")
    return math.log10(parameters)

"""Score the features of one checkpoint, layer by layer, with the metrics of a scan."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from hubscan.errors import RecipeError
from hubscan.records import Accuracy, Features, Layer, LeftOut, Sample, Score, ScoringRequest
from hubscan.scores.accuracy import as_predicted, head_accuracy, head_predictions
from hubscan.scores.caveats import notes
from hubscan.scores.linear_head import LinearHead, linear_head
from hubscan.scores.registry import METRICS
from hubscan.scores.transrate import HALVES, NULLS, score_and_head

NAMES: Final = ("transrate", *METRICS, "size")
REPLACED: Final = ("transfer", "evidence")
FAILURES: Final = (ValueError, ArithmeticError, np.linalg.LinAlgError)


@dataclass(frozen=True)
class Assessed:
    """Scores and accuracy of each layer of one checkpoint, and the predictions of its linear heads."""

    layers: dict[str, Layer]
    left_out: dict[str, LeftOut] = field(default_factory=dict)  # by layer


def check(metrics: Sequence[str]) -> None:
    """Check that all *metrics* exist and that there is at least one.

    Raises:
        RecipeError: naming the unknown metrics, the closest existing ones and all metrics.
    """
    everything = f"Metrics: {', '.join(NAMES)}"
    if not metrics:
        raise RecipeError(f"metrics: name at least one. {everything}")
    unknown = [name for name in metrics if name not in NAMES]
    replaced = [name for name in unknown if name in REPLACED]
    if replaced:
        raise RecipeError(f"metrics: {replaced[0]!r} was replaced by 'transrate' (version 4); use that")
    if unknown:
        close = [match for name in unknown for match in difflib.get_close_matches(name, NAMES, n=1)]
        hint = f"; did you mean {_quoted(close)}?" if close else "."
        noun = "metric" if len(unknown) == 1 else "metrics"
        raise RecipeError(f"metrics: unknown {noun} {_quoted(unknown)}{hint} {everything}")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def by_layer(features: Features, sample: Sample, request: ScoringRequest) -> Assessed:
    """Return the scores of every layer and the accuracy of a linear head on it.

    The first metric ranks, so only its scores have a null and an interval. If another metric or the
    accuracy cannot be computed, `Layer.failures` says why and the rest is kept.

    Raises:
        ValueError: if the ranking metric cannot be computed.
    """
    found = Assessed({})
    for name, matrix in features.layers.items():
        scoring = _Scoring(matrix, features.parameters, sample, request)
        found.layers[name] = _layer(scoring)
        if found.layers[name].accuracy and scoring.head:
            predicted = head_predictions(scoring.head, sample.labels)
            found.left_out[name] = LeftOut(scoring.head.ridge, as_predicted(predicted))
    return found


def layer_fields(found: Assessed, wanted: str) -> dict[str, Any]:
    """Return the fields of a `Scored` that describe its layers: the one that represents it, and its scores.

    With *wanted* "last" or "mean" there is only one layer. With "best" and "each" the layer with the highest
    score represents the checkpoint. Choosing the best of several is optimistic, and its interval does not
    account for that choice.
    """
    layers = found.layers
    single = wanted in ("last", "mean")
    best = list(layers)[-1] if single else max(layers, key=lambda name: _leading(layers[name]).value)
    return {
        "layer": best,
        "width": layers[best].width,
        "scores": layers[best].scores,
        "accuracy": layers[best].accuracy,
        "failures": layers[best].failures,
        "layers": {} if single else dict(layers),
        "left_out": found.left_out,
    }


@dataclass
class _Scoring:
    """Computes the metrics of one layer; `transrate` also gives the head, which is otherwise fitted alone."""

    matrix: Any  # (n, width)
    parameters: int
    sample: Sample
    request: ScoringRequest
    head: LinearHead | None = None

    def score(self, name: str) -> Score:
        """Return the score by the metric *name*, with its null and interval if it ranks.

        Raises:
            ValueError: if it cannot be computed, or its value is not finite.
        """
        ranks = name == self.request.metrics[0]
        try:
            score = self._computed(name, ranks)
        except FAILURES as error:
            raise ValueError(f"{name} cannot be computed: {error}") from error
        if not math.isfinite(score.value):
            raise ValueError(f"{name} cannot be computed: its value is {score.value}")
        if not ranks or name == "size":  # size does not depend on the rows
            return score
        found = notes(score, np.asarray(self.sample.labels), self._available())
        return replace(score, notes=(*score.notes, *found))

    def _available(self) -> int | None:
        """Return how many rows of the split can be drawn; of words none knows, and a sentence has many."""
        draw = self.sample.draw
        return None if draw.label_kind == "token" else draw.rows_seen - sum(draw.dropped.values())

    def accuracy(self) -> Accuracy:
        """Return the accuracy of the linear head.

        Raises:
            ValueError: if it cannot be computed.
        """
        labels, groups = self.sample.labels, self.sample.groups
        try:
            self.head = self.head or linear_head(self.matrix, labels, groups=groups)
            return head_accuracy(self.head, labels, groups, representative=self.sample.draw.representative)
        except FAILURES as error:
            raise ValueError(f"the accuracy of a linear head cannot be computed: {error}") from error

    def _computed(self, name: str, ranks: bool) -> Score:
        if name == "size":
            return Score("size", 1, log_size(self.parameters))
        labels, groups, seed = self.sample.labels, self.sample.groups, self.request.seed
        if name == "transrate":
            nulls, halves = (NULLS, HALVES) if ranks else (0, 0)
            score, self.head = score_and_head(
                self.matrix, labels, groups=groups, nulls=nulls, halves=halves, seed=seed
            )
            return score
        repeats = METRICS[name].repeats if ranks else 0
        return METRICS[name](self.matrix, labels, groups=groups, nulls=repeats, halves=repeats, seed=seed)


def _layer(scoring: _Scoring) -> Layer:
    """Return the scores of one layer; only a failure of the ranking metric is an error."""
    first, *others = dict.fromkeys(scoring.request.metrics)
    scores, failures = {first: scoring.score(first)}, {}
    for name in others:
        try:
            scores[name] = scoring.score(name)
        except ValueError as error:
            failures[name] = str(error)
    accuracy = None
    try:
        accuracy = scoring.accuracy()
    except ValueError as error:
        failures["accuracy"] = str(error)
    return Layer(scoring.matrix.shape[1], scores, accuracy, failures)


def _leading(layer: Layer) -> Score:
    return next(iter(layer.scores.values()))


def log_size(parameters: int) -> float:
    """Return log₁₀ of the number of *parameters*: one unit more means ten times as many.

    Larger checkpoints fine-tune better so often that sorting by size beats most published metrics on the
    usual benchmark (arXiv 2510.06448). Compare any other metric with this baseline.

    Raises:
        ValueError: if there is not at least one parameter.
    """
    if parameters < 1:
        raise ValueError(f"at least one parameter expected, got {parameters}")
    return math.log10(parameters)

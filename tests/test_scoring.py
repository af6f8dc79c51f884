"""Scoring the features of one checkpoint: a metric that fails does not affect the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hubscan.errors import RecipeError
from hubscan.records import Features, LabelKind, Pooling, ScoringRequest
from hubscan.scores import linear_head, transrate
from hubscan.scores.accuracy import head_predictions
from hubscan.scores.metric import Metric
from hubscan.scores.registry import METRICS
from hubscan.scores.scoring import NAMES, by_layer, check, layer_fields
from tests.support.features import made, several
from tests.support.samples import sample

Array = npt.NDArray[Any]


def features(*matrices: Array) -> Features:
    layers = {str(number): matrix.astype(np.float32) for number, matrix in enumerate(matrices)}
    return Features(layers, Pooling("mean", "default"), 1000, "cpu", "float32", "None", 1.0, False)


def asked(*metrics: str, layers: Any = "last") -> ScoringRequest:
    return ScoringRequest(metrics=metrics, layers=layers)


def raises_linalg(_: Any, __: Any) -> float:
    raise np.linalg.LinAlgError("the matrix is singular")


def raises_arithmetic(_: Any, __: Any) -> float:
    raise ZeroDivisionError("division by zero")


FAILING: dict[str, tuple[Callable[[Any, Any], float], str]] = {
    "LinAlgError": (raises_linalg, "odd cannot be computed: the matrix is singular"),
    "ArithmeticError": (raises_arithmetic, "odd cannot be computed: division by zero"),
    "NaN": (lambda _, __: float("nan"), "odd cannot be computed: its value is nan"),
}


@pytest.fixture(params=FAILING)
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a failing metric "odd", and return the expected message."""
    function, said = FAILING[request.param]
    odd = Metric("odd", 1, function, repeats=2)
    monkeypatch.setattr("hubscan.scores.scoring.METRICS", {**METRICS, "odd": odd})
    return said


def test_a_metric_that_fails_is_noted_and_loses_no_other(said: str) -> None:
    matrix, labels = made(60, 8)
    layer = by_layer(features(matrix), sample(labels), asked("transrate", "odd", "knn", "size")).layers["0"]
    assert layer.failures == {"odd": said}
    assert list(layer.scores) == ["transrate", "knn", "size"]
    expected = by_layer(features(matrix), sample(labels), asked("transrate", "knn", "size")).layers["0"]
    assert layer.scores == expected.scores and layer.accuracy == expected.accuracy


def test_a_metric_that_fails_and_ranks_is_an_error(said: str) -> None:
    matrix, labels = made(60, 8)
    with pytest.raises(ValueError, match=said):
        by_layer(features(matrix), sample(labels), asked("odd", "transrate"))


def test_a_failing_head_loses_the_accuracy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise np.linalg.LinAlgError("eigenvalues did not converge")

    monkeypatch.setattr("hubscan.scores.scoring.linear_head", fails)
    matrix, labels = made(60, 8)
    found = by_layer(features(matrix), sample(labels), asked("knn"))
    layer = found.layers["0"]
    assert layer.accuracy is None and list(layer.scores) == ["knn"] and not found.left_out
    assert layer.failures == {
        "accuracy": "the accuracy of a linear head cannot be computed: eigenvalues did not converge"
    }


@pytest.mark.parametrize(
    "metrics", [("transrate",), ("knn",), ("size",), ("logme", "transrate"), ("hscore", "probe")]
)
def test_the_accuracy_is_there_whichever_metric_ranks(metrics: tuple[str, ...]) -> None:
    matrix, labels = made(60, 8)
    found = by_layer(features(matrix), sample(labels), asked(*metrics))
    single = matrix.astype(np.float32)
    assert found.layers["0"].accuracy == transrate(single, labels, nulls=0, halves=0).accuracy
    head = linear_head(single, labels)
    assert found.left_out["0"].ridge == pytest.approx(head.ridge)
    assert found.left_out["0"].predicted == tuple(head_predictions(head, labels).tolist())


def test_the_metric_that_ranks_has_its_null_and_interval_and_the_others_have_none() -> None:
    matrix, labels = made(60, 8)
    scores = by_layer(features(matrix), sample(labels), asked("transrate", "knn")).layers["0"].scores
    assert scores["transrate"].low is not None and scores["transrate"].null is not None
    assert scores["knn"].low is None and scores["knn"].null is None
    scores = by_layer(features(matrix), sample(labels), asked("knn", "transrate")).layers["0"].scores
    assert scores["knn"].low is not None and scores["knn"].null is not None
    assert scores["transrate"].low is None and scores["transrate"].null is None
    assert scores["transrate"].value == pytest.approx(transrate(matrix.astype(np.float32), labels).value)


def test_left_out_predictions_are_plain_numbers_of_the_labels_kind() -> None:
    matrix, classes = made(40, 6)
    kind: LabelKind
    for labels, kind, expected in (
        (classes * 5, "class", int),
        (matrix[:, 0], "number", float),
        (several(40).astype(np.uint8), "multilabel", tuple),
    ):
        found = by_layer(features(matrix), sample(labels, kind), asked("transrate"))
        predicted: Any = found.left_out["0"].predicted
        assert len(predicted) == 40 and all(type(one) is expected for one in predicted)
        if kind == "multilabel":
            assert all(type(one) is int and one in (0, 1) for row in predicted for one in row)


def test_every_layer_is_scored_and_the_best_or_the_last_stands_for_the_checkpoint() -> None:
    matrix, labels = made(60, 8)
    noise = np.random.default_rng(1).normal(size=(60, 12))
    found = by_layer(features(matrix, noise), sample(labels), asked("transrate"))
    assert list(found.layers) == list(found.left_out) == ["0", "1"]
    assert found.layers["1"].width == 12
    last, best = layer_fields(found, "last"), layer_fields(found, "best")
    assert (last["layer"], best["layer"]) == ("1", "0")
    assert best["accuracy"] == found.layers["0"].accuracy and last["accuracy"] == found.layers["1"].accuracy
    assert (last["layers"], list(best["layers"])) == ({}, ["0", "1"])


def test_words_of_a_sentence_are_left_out_together() -> None:
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(30), 4)
    matrix = rng.normal(size=(30, 60))[of] + 0.01 * rng.normal(size=(120, 60))
    tags = rng.permutation(np.arange(30) % 2)[of]
    places = np.stack([of, np.tile(np.arange(4), 30)], axis=1)
    found = by_layer(features(matrix), sample(tags, "token", places), asked("knn")).layers["0"]
    expected = transrate(matrix.astype(np.float32), tags, groups=of).accuracy
    assert found.accuracy is not None and expected is not None
    assert found.accuracy.value == expected.value < 0.8


@pytest.mark.parametrize("name", ["transfer", "evidence"])
def test_a_metric_that_transrate_replaced_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(RecipeError, match=f"'{name}' was replaced by 'transrate'"):
        check(("knn", name))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("logmee",), r"unknown metric 'logmee'; did you mean 'logme'\? Metrics: transrate, .*logme.*size$"),
        (("knn", "hscor", "prob"), r"unknown metrics 'hscor', 'prob'; did you mean 'hscore', 'probe'\?"),
        (("luck",), r"unknown metric 'luck'\. Metrics: transrate"),
        ((), "name at least one. Metrics: transrate"),
    ],
)
def test_an_unknown_metric_is_refused_with_the_closest_and_all_names(
    names: tuple[str, ...], said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        check(names)


def test_every_metric_is_known() -> None:
    check(NAMES)

"""`transfer`: the mean of evidence and of TransRate for each direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubscan.records import Features, Pooling, Score, ScoringRequest
from hubscan.scores import evidence, scoring, transfer, transrate

Array = Any


def made(n: int, d: int, classes: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    means = rng.normal(size=(classes, d))
    return (means[labels] + rng.normal(size=(n, d))).astype(np.float32), labels


def halves(score: Score) -> float:
    assert score.low is not None and score.high is not None
    return (score.high - score.low) / 2


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_it_is_half_of_evidence_and_half_of_transrate_for_each_direction_of_the_classes(classes: int) -> None:
    f, y = made(120, 12, classes)
    found, worth, told = (measure(f, y, seed=3) for measure in (transfer, evidence, transrate))
    assert found.label == "transfer@1"
    assert found.value == pytest.approx(0.5 * worth.value + 0.5 * told.value / (classes - 1), rel=1e-12)
    assert worth.value > 0 and told.value > 0, "both take part"
    assert halves(found) == pytest.approx(0.5 * halves(worth) + 0.5 * halves(told) / (classes - 1))
    assert worth.null is not None and found.null == pytest.approx(worth.null / 2)
    assert found.chance == found.null and found.raw is None
    bare = transfer(f, y, nulls=0, halves=0)
    assert bare.null is bare.null_spread is bare.low is bare.high is None


def test_of_numbers_and_of_several_labels_there_is_one_direction() -> None:
    f, y = made(200, 6, 2)
    number = f[:, 0] + np.random.default_rng(1).normal(size=200)
    columns = np.stack([y, (f[:, 1] > 0).astype(int), np.arange(200) % 3 == 0], axis=1).astype(int)
    for labels in (number, columns):
        expected = 0.5 * (evidence(f, labels).value + transrate(f, labels).value)
        assert transfer(f, labels).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(200, 20), (200, 1000), (1000, 300)])
def test_of_noise_it_is_next_to_nothing_at_every_width(n: int, d: int) -> None:
    rng = np.random.default_rng(5)
    score = transfer(rng.normal(size=(n, d)), rng.integers(0, 4, n))
    assert abs(score.value) < 0.04
    assert score.low is not None and score.low < 0.02


def test_features_that_do_not_vary_hold_nothing() -> None:
    score = transfer(np.ones((40, 5)), np.arange(40) % 2)
    assert (score.value, score.low, score.high, score.null) == (0, 0, 0, 0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(12, 50), d=st.integers(1, 60), classes=st.integers(2, 4))
def test_it_is_blind_to_rotation_shift_scale_and_names(seed: int, n: int, d: int, classes: int) -> None:
    f, y = made(n, d, classes, seed)
    f = f.astype(float)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))
    value = transfer(f, y).value
    assert transfer((f @ rotation + 3.0) * 1e-3, 7 - 2 * y).value == pytest.approx(value, abs=1e-5)


def test_a_scan_measures_its_halves_once_and_shows_those_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f, y = made(60, 8, 3)
    features = Features(
        layers={"last": f},
        pooling=Pooling("mean", "declared"),
        parameters=1000,
        device="cpu",
        dtype="float32",
        processor="BertTokenizer",
        rows_per_second=1.0,
        untrained=False,
    )
    calls: list[str] = []

    def counted(name: str, measure: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Score:
            calls.append(name)
            score: Score = measure(*args, **kwargs)
            return score

        return call

    monkeypatch.setattr(scoring, "evidence", counted("evidence", evidence))
    monkeypatch.setattr(scoring, "transrate", counted("transrate", transrate))
    scores = scoring.by_layer(features, y, ScoringRequest(("transfer", "transrate"), seed=3))["last"].scores
    assert calls == ["evidence", "transrate"] and list(scores) == ["transfer", "transrate"]
    assert scores["transrate"] == transrate(f, y, seed=3)
    alone = transfer(f, y, seed=3)
    assert scores["transfer"].value == alone.value and scores["transfer"].high == alone.high
    assert "settles from 1,000 on; here are 60" in scores["transfer"].notes[0]
    beside = scoring.by_layer(features, y, ScoringRequest(("knn", "transfer"), seed=3))["last"].scores
    assert list(beside) == ["knn", "transfer"] and beside["transfer"].value == alone.value
    assert beside["transfer"].low is None, "what does not rank has no interval"

"""Three ways to recommend one checkpoint from a scan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from lists import Cell

from hubscan.ranking import rank
from hubscan.records import Candidate, Cost, SampleInfo, Score, Scored

NO_COST = Cost(download_bytes=0, seconds=0.0, rows_per_second=0.0, peak_bytes=0)
NO_SAMPLE = SampleInfo(
    dataset="",
    revision="",
    config=None,
    split="",
    columns={},
    label_kind="class",
    classes={},
    rows=0,
    seed=0,
    rows_seen=0,
    dropped={},
    bytes_read=0,
    fingerprint="",
)


def scored(name: str, cell: Cell, score: Score) -> Scored:
    """Return the record that a scan makes of the checkpoint *name*, with what a ranking depends on."""
    return Scored(
        candidate=Candidate(model=name, revision="", modality=cell["modality"]),
        scores={score.name: score},
        width=0,
        parameters=cell["parameters"],
        pooling="mean",
        layer="last",
        cost=NO_COST,
        device="cpu",
        dtype="float32",
        processor="",
        untrained=cell["untrained"],
        accuracy=score.accuracy,
    )


def recommendations(checkpoints: Sequence[Scored]) -> dict[str, int]:
    """Return the place among *checkpoints* of the one that each way recommends."""
    ranking = rank(checkpoints, "", NO_SAMPLE)
    picks = {
        "the first by transrate": ranking.first.scored,
        "the first by accuracy": max(checkpoints, key=_by_accuracy),
        "the recommended one": ranking.best.scored,
    }
    return {way: checkpoints.index(pick) for way, pick in picks.items()}


def _by_accuracy(one: Scored) -> tuple[float, int]:
    return (one.accuracy.value if one.accuracy else -np.inf), -one.parameters

"""Rankings and runs with known numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hubscan import run as runs
from hubscan import sample_file
from hubscan.ranking import rank
from hubscan.recipe import Recipe
from hubscan.records import (
    Accuracy,
    Candidate,
    Cost,
    Pooling,
    Ranking,
    Sample,
    SampleInfo,
    Score,
    Scored,
    Skipped,
    Training,
    Tuned,
)

COMMIT = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"
PROVENANCE = {"hubscan": "0.1.0", "seed": 0, "python": "3.11.9", "versions": {"torch": "2.13.0"}}

DRAW = SampleInfo(
    dataset="stanfordnlp/imdb",
    revision="e6281661ce1c48d982bc483cf8a173c1bbeb5d31",
    config="plain_text",
    split="train",
    columns={"text": "text", "label": "label"},
    label_kind="class",
    classes={"neg": 500, "pos": 500},
    rows=1000,
    seed=0,
    rows_seen=25000,
    dropped={"empty input": 3},
    bytes_read=20_979_968,
    fingerprint="ab" * 32,
)


def scored(
    model: str,
    value: float,
    *,
    half: float = 0.2,
    accuracy: float | None = None,
    parameters: int = 33_360_000,
    rows_per_second: float = 61.0,
    license: str | None = "mit",
    **candidate: Any,
) -> Scored:
    """Return a result whose interval is *value* ± *half*; by default, *accuracy* grows with the value."""
    right = min(max(0.5 + 0.3 * value, 0.0), 1.0) if accuracy is None else accuracy
    facts: dict[str, Any] = {"revision": COMMIT, "modality": "text", **candidate}
    return Scored(
        candidate=Candidate(model, license=license, parameters=parameters, **facts),
        scores={"transrate": Score("transrate", 4, value, value - half, value + half, null=0.001)},
        width=384,
        parameters=parameters,
        pooling=Pooling("mean", "declared"),
        layer="last",
        cost=Cost(0, 3.2, rows_per_second, 900_000_000),
        device="cpu",
        dtype="float32",
        processor="BertTokenizer",
        accuracy=Accuracy(right, 0.012, "balanced_accuracy"),
    )


BGE = scored("BAAI/bge-small-en-v1.5", 1.19)
MINILM = scored(
    "sentence-transformers/all-MiniLM-L6-v2",
    1.10,
    parameters=22_713_216,
    rows_per_second=190.0,
    license="apache-2.0",
)
MPNET = scored(
    "sentence-transformers/paraphrase-multilingual-mpnet-base-v2",
    0.15,
    parameters=278_043_648,
    rows_per_second=9.4,
    license=None,
    flags=("trained on this dataset",),
)
RXNFP = scored("rxn4chemistry/rxnfp", -0.32, parameters=26_000_000, rows_per_second=90.0)
TRUNCATED = Skipped("broken/truncated", COMMIT, "load", "SafetensorError: incomplete metadata")
RESULTS: tuple[Scored | Skipped, ...] = (BGE, MINILM, MPNET, RXNFP, TRUNCATED)


def ranking(results: Iterable[Scored | Skipped] = RESULTS, **draw: Any) -> Ranking:
    """Rank *results* as a scan of the sample `DRAW` would; keywords change fields of the sample."""
    return rank(results, "text-classification", replace(DRAW, **draw), run="runs/imdb", provenance=PROVENANCE)


def tuned(
    ranking: Ranking, name: str, right: int, of: int = 100, *, before: int | None = None, **more: Any
) -> Tuned:
    """Return the result of fine-tuning the checkpoint *name* on rows with the labels 0, 1, 0, 1, …

    The first *right* of *of* test rows are predicted correctly after training, and the first *before* of them
    before training, by default as many.
    """
    candidate = next(e.scored.candidate for e in ranking if e.model == name)
    assert isinstance(candidate, Candidate)
    start = right if before is None else before
    facts: dict[str, Any] = {
        "training": Training(), "measure": "accuracy", "held": tuple(range(of)),
        "rate": 3e-5, "epochs": 2, "settled": True, "trained": 9, "seconds": 60.0, "device": "cpu",
        "predictions": _predicted(right, of), "frozen_predictions": _predicted(start, of),
        "accuracy": right / of, "frozen_accuracy": start / of,
    }  # fmt: skip
    return Tuned(candidate=candidate, **(facts | more))


def _predicted(right: int, of: int) -> tuple[int, ...]:
    return tuple(row % 2 if row < right else 1 - row % 2 for row in range(of))


def make_run(folder: Path, results: Iterable[Scored | Skipped] = RESULTS, **draw: Any) -> runs.Run:
    """Write a run folder with *results*, as a scan does."""
    found = list(results)
    drawn = replace(DRAW, **draw)
    seen = [
        one.candidate if isinstance(one, Scored) else Candidate(one.model, str(one.revision), "text")
        for one in found
        if isinstance(one, Scored) or one.revision
    ]
    candidates = tuple(one for one in seen if isinstance(one, Candidate))
    unresolved = tuple(one for one in found if isinstance(one, Skipped) and one.revision is None)
    models = tuple(c.model for c in candidates) + tuple(one.model for one in unresolved)
    lock = runs.Lock("text-classification", drawn, candidates, unresolved, PROVENANCE)
    opened = runs.create(folder, Recipe(dataset=drawn.dataset, models=models), lock)
    for one in found:
        if one not in unresolved:
            opened.append(one)
    (folder / runs.SAMPLE).write_bytes(sample_file.as_bytes(sample_of(drawn), inputs=False))
    return runs.load_run(folder)


def sample_of(draw: SampleInfo) -> Sample:
    """Return a sample without inputs that *draw* describes."""
    rows = np.arange(draw.rows)
    labels: Any = rows % max(1, len(draw.classes))
    if draw.label_kind == "multilabel":
        labels = np.stack([rows % (place + 2) == 0 for place in range(len(draw.classes))], 1).astype(np.uint8)
    elif draw.label_kind == "number":
        labels = rows / 7
    places = np.stack([rows // 5, rows % 5], axis=1) if draw.label_kind == "token" else None
    return Sample(draw, {}, labels, rows, places)

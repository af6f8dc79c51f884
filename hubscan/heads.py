"""Fit the linear heads of the best checkpoints, and read those in a run folder, `heads/<key>.safetensors`."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hubscan.errors import RunError
from hubscan.feature_store import DamagedFeatures, FeatureStore, kept_features
from hubscan.records import Ranked, Ranking, Sample, Scored
from hubscan.run import Run
from hubscan.scores.accuracy import best_threshold, varying
from hubscan.scores.linear_head import LinearHead, linear_head
from hubscan.scores.targets import Matrix64

LEADERS: Final = 5


def with_heads(ranking: Ranking) -> list[Ranked]:
    """Return the entries whose heads a run has: the first five of *ranking*, and the recommended one."""
    leaders = [*ranking.entries[:LEADERS], *([ranking.best] if ranking.recommended else [])]
    return list({entry.rank: entry for entry in leaders}.values())


def head_of(scored: Scored, sample: Sample, store: FeatureStore) -> bytes | None:
    """Return the linear head of *scored*, fitted to all rows of *sample*, as a safetensors file.

    It has **weight** (outputs, width) and **bias** (outputs,) in float32; the outputs for unscaled features
    of the encoder are features·weightᵀ + bias. The class with the largest output wins; with several labels,
    those with an output above 0 apply; a number is the output itself. Returns None for a joined pair, for a
    checkpoint whose features are no longer in *store*, or if the head cannot be computed.
    """
    head = _fitted(scored, sample, store)
    if head is None:
        return None
    weights, intercepts = _of_labels(head, sample)
    tensors = {"weight": weights.T, "bias": intercepts}
    single = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
    facts = {"layer": scored.layer, "ridge": repr(head.ridge), "labels": sample.draw.label_kind}
    return save(single, facts)


def kept_head(run: Run, entry: Ranked) -> dict[str, npt.NDArray[np.float32]] | None:
    """Return the **weight** and **bias** that *run* has for *entry*; None if it has none.

    Raises:
        RunError: if the file is a link, or does not contain a head for this feature width and these labels.
    """
    content = run.head(entry)
    if content is None:
        return None
    file = run.folder / run.head_name(entry)
    outputs = max(1, len(run.lock.draw.classes))
    expected = {"weight": (outputs, entry.scored.width), "bias": (outputs,)}
    try:
        tensors = load(content)
    except (OSError, ValueError, SafetensorError) as error:
        raise RunError(f"{file}: damaged ({error}); scan again with --fresh") from error
    if {name: array.shape for name, array in tensors.items()} != expected:
        raise RunError(f"{file}: damaged (not a head with {outputs} outputs); scan again with --fresh")
    if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in tensors.values()):
        raise RunError(f"{file}: damaged (not finite float32 numbers); scan again with --fresh")
    return tensors


def _fitted(scored: Scored, sample: Sample, store: FeatureStore) -> LinearHead | None:
    if scored.accuracy is None:
        return None
    try:
        features = kept_features(scored, sample, store)
        if features is None or scored.layer not in features.layers:
            return None
        return linear_head(features.layers[scored.layer], sample.labels, groups=sample.groups)
    except (DamagedFeatures, ValueError, ArithmeticError):  # the ranking does not depend on it
        return None


def _of_labels(head: LinearHead, sample: Sample) -> tuple[Matrix64, Matrix64]:
    """Return weights (d, outputs) and intercepts (outputs,) for each class or label of the sample."""
    weights, intercepts = head.coefficients()
    if sample.draw.label_kind != "multilabel":
        return weights, intercepts
    varied = varying(sample.labels)
    whole = np.zeros((len(weights), len(varied)))
    whole[:, varied] = weights
    bias = np.where(sample.labels[0] == 1, 1.0, -1.0)  # for labels that all rows have, or no row has
    bias[varied] = intercepts - best_threshold(head.left_out, head.targets.columns)
    return whole, bias

"""Linear heads of the checkpoints that lead a ranking, kept in the run folder: `heads/<key>.safetensors`."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from hubscan.errors import RunError
from hubscan.feature_store import FeatureStore, kept_features
from hubscan.records import Ranked, Ranking, Sample
from hubscan.run import Run
from hubscan.scores.accuracy import best_threshold, varying
from hubscan.scores.linear_head import LinearHead, linear_head
from hubscan.scores.targets import Matrix64

LEADERS: Final = 5


def keep_heads(run: Run, ranking: Ranking, sample: Sample, store: FeatureStore) -> None:
    """Write the heads of the first five entries of *ranking* and of the recommended one to *run*.

    Each file holds **weight** (outputs, width) and **bias** (outputs,) in float32, for features as they come
    from the encoder: features·weightᵀ + bias. Of classes the largest output wins; of several labels those
    with an output above 0 apply; a number is the output itself. All rows of the sample were used to fit it.
    A joined pair gets none, nor does a checkpoint whose features are no longer in *store* or whose head
    cannot be computed here.
    """
    leaders = [*ranking.entries[:LEADERS], *([ranking.best] if ranking.recommended else [])]
    for entry in {entry.rank: entry for entry in leaders}.values():
        head = _head(entry, sample, store)
        if head is not None:
            weights, intercepts = _of_labels(head, sample)
            tensors = {"weight": weights.T, "bias": intercepts}
            single = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
            facts = {"layer": entry.scored.layer, "ridge": repr(head.ridge), "labels": sample.draw.label_kind}
            run.write_head(entry, save(single, facts))


def kept_head(run: Run, entry: Ranked) -> dict[str, npt.NDArray[np.float32]] | None:
    """Return the **weight** and **bias** that *run* keeps for *entry*; None if it keeps none.

    Raises:
        RunError: if the file is a link, or does not hold a head for features of this width and these labels.
    """
    file = run.head_file(entry)
    if not file.exists():
        return None
    outputs = max(1, len(run.lock.draw.classes))
    expected = {"weight": (outputs, entry.scored.width), "bias": (outputs,)}
    try:
        tensors = load(file.read_bytes())
    except (OSError, ValueError, SafetensorError) as error:
        raise RunError(f"{file}: damaged ({error}); scan again with --fresh") from error
    if {name: array.shape for name, array in tensors.items()} != expected:
        raise RunError(f"{file}: damaged (not a head of {outputs} outputs); scan again with --fresh")
    if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in tensors.values()):
        raise RunError(f"{file}: damaged (not finite float32 numbers); scan again with --fresh")
    return tensors


def _head(entry: Ranked, sample: Sample, store: FeatureStore) -> LinearHead | None:
    if entry.scored.accuracy is None:
        return None
    features = kept_features(entry.scored, sample, store)
    if features is None or entry.scored.layer not in features.layers:
        return None
    try:
        return linear_head(features.layers[entry.scored.layer], sample.labels, groups=sample.groups)
    except (ValueError, ArithmeticError):  # the ranking stands without it
        return None


def _of_labels(head: LinearHead, sample: Sample) -> tuple[Matrix64, Matrix64]:
    """Return weights (d, outputs) and intercepts (outputs,) for each class or label of the sample."""
    weights, intercepts = head.coefficients()
    if sample.draw.label_kind != "multilabel":
        return weights, intercepts
    varied = varying(sample.labels)
    whole = np.zeros((len(weights), len(varied)))
    whole[:, varied] = weights
    bias = np.where(sample.labels[0] == 1, 1.0, -1.0)  # a label that all rows have, or none
    bias[varied] = intercepts - best_threshold(head.left_out, head.targets.columns)
    return whole, bias

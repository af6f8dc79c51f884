"""Join the best image and the best text checkpoint of a scan, and score them as one (`--fuse`).

Their features are concatenated, each block centred and scaled to a total variance of one. Without scaling,
the block with the larger numbers would dominate every metric, however little it reveals about the labels.
No model runs; the features come from the feature store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from hubscan.errors import RankingError
from hubscan.feature_store import DamagedFeatures, FeatureStore, kept_features
from hubscan.ranking import order
from hubscan.records import (
    Candidate,
    Cost,
    Features,
    Modality,
    Pair,
    Pooling,
    Sample,
    Scored,
    ScoringRequest,
    Skipped,
)
from hubscan.records.candidate import BETWEEN, together
from hubscan.records.joined import STAGE
from hubscan.scores import scoring

if TYPE_CHECKING:
    from hubscan.records import Matrix

MODALITIES: Final[tuple[Modality, ...]] = ("image", "text")
ROUNDING: Final = 1e-6  # relative to the size of the features: less spread is float32 rounding of a constant


def joined(
    results: Iterable[Scored | Skipped], sample: Sample, request: ScoringRequest, store: FeatureStore
) -> Scored | Skipped:
    """Join the best checkpoints of the two modalities, and return their score as *request* says.

    The pair is skipped, with the reason, if a modality has no scored checkpoint or the features of one are no
    longer in *store*.
    """
    parts = best_parts(results)
    pair = _pair(parts)
    try:
        missing = set(MODALITIES) - {part.candidate.modality for part in parts}
        if missing:
            raise RankingError(f"no pair: no {' and no '.join(sorted(missing))} checkpoint was scored")
        features = _joined_features(parts, sample, store)
        found = scoring.by_layer(features, sample, request)
    except (RankingError, ValueError) as error:
        return Skipped(name_of(parts), None, STAGE, str(error))
    return Scored(
        candidate=pair,
        parameters=features.parameters,
        pooling=features.pooling,
        cost=_cost([part.cost for part in parts]),
        device=features.device,
        dtype=features.dtype,
        processor=features.processor,
        untrained=features.untrained,
        **scoring.layer_fields(found, "last"),
    )


def best_parts(results: Iterable[Scored | Skipped]) -> list[Scored]:
    """Return the best scored checkpoint of each modality that has one."""
    single = [result for result in results if isinstance(result, Scored)]
    of_modality = ([s for s in single if s.candidate.modality == modality] for modality in MODALITIES)
    return [min(scored, key=order) for scored in of_modality if scored]


def name_of(parts: Sequence[Scored]) -> str:
    """Return the name of the pair of *parts*, or of one that lacks a checkpoint."""
    return _pair(parts).model if len(parts) == len(MODALITIES) else BETWEEN.join(MODALITIES)


def side_by_side(blocks: Sequence[Matrix]) -> Matrix:
    """Concatenate *blocks* (n, d_b) to (n, Σ d_b), each centred and scaled to a total variance of one.

    A block that is constant up to rounding becomes zeros.
    """
    return np.concatenate([_levelled(block) for block in blocks], axis=1)


def _pair(parts: Sequence[Scored]) -> Pair:
    return Pair(tuple(part.candidate for part in parts if isinstance(part.candidate, Candidate)))


def _joined_features(parts: Sequence[Scored], sample: Sample, store: FeatureStore) -> Features:
    blocks = [_kept(part, sample, store) for part in parts]
    cost = _cost([part.cost for part in parts])
    return Features(
        layers={together(part.layer for part in parts): side_by_side(blocks)},
        pooling=Pooling(
            together(part.pooling.name for part in parts), together(part.pooling.origin for part in parts)
        ),
        parameters=sum(part.parameters for part in parts),
        device=together(part.device for part in parts),
        dtype=together(part.dtype for part in parts),
        processor=BETWEEN.join(part.processor for part in parts),
        rows_per_second=cost.rows_per_second,
        untrained=all(part.untrained for part in parts),
    )


def _kept(part: Scored, sample: Sample, store: FeatureStore) -> Matrix:
    try:
        features = kept_features(part, sample, store)
    except DamagedFeatures as error:
        raise RankingError(
            f"the stored features of {part.candidate.model} were damaged; scan again"
        ) from error
    if features is None:
        raise RankingError(f"the features of {part.candidate.model} are not in the cache; scan again")
    return features.layers[part.layer]


def _levelled(block: Matrix) -> Matrix:
    exact = block.astype(np.float64)
    centred = exact - exact.mean(axis=0)
    spread = np.sqrt((centred**2).sum() / len(block))
    size = np.sqrt((exact**2).sum() / len(block))
    levelled = centred / spread if spread > ROUNDING * size else np.zeros_like(centred)
    single: Matrix = levelled.astype(np.float32)
    return single


def _cost(parts: Sequence[Cost]) -> Cost:
    """Return the cost of running the parts one after the other with both in memory."""
    seconds_a_row = [1.0 / max(part.rows_per_second, 1e-9) for part in parts]
    return Cost(
        download_bytes=sum(part.download_bytes for part in parts),
        seconds=sum(part.seconds for part in parts),
        rows_per_second=1.0 / sum(seconds_a_row),
        peak_bytes=sum(part.peak_bytes for part in parts),
        cached=all(part.cached for part in parts),
        recomputed=any(part.recomputed for part in parts),
    )

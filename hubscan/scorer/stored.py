"""Score the stored features of a checkpoint again; no model runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hubscan.feature_store import DamagedFeatures, FeatureStore, kept_features
from hubscan.records import Candidate, Sample, Scored, ScoringRequest, Skipped
from hubscan.run import RECIPE
from hubscan.scores import scoring


def again(
    scored: Scored, request: ScoringRequest, sample: Sample, store: FeatureStore, folder: Path
) -> Scored | Skipped:
    """Return *scored* with the scores that *request* asks for.

    It is skipped if its features are no longer in *store*, or its ranking metric cannot be computed. The
    reason names the command that computes the features of the run in *folder* again.
    """
    assert isinstance(scored.candidate, Candidate), "a joined pair"
    recompute = f"hubscan rank --recipe {folder / RECIPE} recomputes them"
    try:
        features = kept_features(scored, sample, store)
        if features is None:
            raise ValueError(f"its features are no longer in the cache; {recompute}")
        found = scoring.by_layer(features, sample, request)
    except DamagedFeatures:
        return Skipped.of(scored.candidate, "score", f"its stored features were damaged; {recompute}")
    except ValueError as error:
        return Skipped.of(scored.candidate, "score", str(error))
    return replace(scored, **scoring.layer_fields(found, request.layers))

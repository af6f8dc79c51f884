"""Take one candidate through all stages, in a worker process: fetch, load, embed, score.

If a checkpoint fails in any way that does not end the process, the result is a `Skipped` with the stage and
the reason. The heavy imports are here, not in the main process.
"""

from __future__ import annotations

import time

from hubscan.candidate_features import features_of
from hubscan.feature_store import FeatureStore
from hubscan.guard import Enter, Report, guarded
from hubscan.memory import peak_memory
from hubscan.records import Candidate, Cost, Job, Sample, Scored, Skipped
from hubscan.scores import scoring


def assess(
    candidate: Candidate, sample: Sample, job: Job, store: FeatureStore, device: str, report: Report
) -> Scored | Skipped:
    """Return the scores of *candidate*, or why it was skipped; call *report* at the start of each stage."""

    def work(enter: Enter) -> Scored:
        return _assessed(candidate, sample, job, store, device, enter, report)

    return guarded(candidate, report, work)


def _assessed(
    candidate: Candidate,
    sample: Sample,
    job: Job,
    store: FeatureStore,
    device: str,
    enter: Enter,
    report: Report,
) -> Scored:
    begun = time.perf_counter()
    with peak_memory(device) as peak:
        found = features_of(candidate, sample, job, store, device, enter, report)
        enter("score")
        scored = scoring.by_layer(found.features, sample, job.scoring)
    features = found.features
    cost = Cost(
        download_bytes=found.download_bytes,
        seconds=time.perf_counter() - begun,
        rows_per_second=features.rows_per_second,
        peak_bytes=peak.bytes,
        cached=found.cached,
        recomputed=found.recomputed,
    )
    return Scored(
        candidate=candidate,
        parameters=features.parameters,
        pooling=features.pooling,
        cost=cost,
        device=features.device,
        dtype=features.dtype,
        processor=features.processor,
        features=found.address,
        untrained=features.untrained,
        **scoring.layer_fields(scored, job.scoring.layers),
    )

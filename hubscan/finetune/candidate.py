"""One candidate in, a `Tuned` or a `Skipped` out: fetch, load, train. Runs in a worker process."""

from __future__ import annotations

import time
from dataclasses import replace

from hubscan import encoders
from hubscan.finetune.split import split_rows
from hubscan.finetune.targets import MEASURES
from hubscan.finetune.training import fine_tuned
from hubscan.guard import Enter, Report, guarded
from hubscan.hub.fetch import fetch
from hubscan.records import Candidate, Job, Sample, Skipped, Training, Tuned


def tuned(candidate: Candidate, sample: Sample, job: Job, device: str, report: Report) -> Tuned | Skipped:
    """Fine-tune *candidate* on rows of *sample*, read as *job* has them read, in float32."""

    def work(enter: Enter) -> Tuned:
        return _tuned(candidate, sample, job, device, enter, report)

    return guarded(candidate, report, work)


def _tuned(
    candidate: Candidate,
    sample: Sample,
    job: Job,
    device: str,
    enter: Enter,
    report: Report,
) -> Tuned:
    begun = time.perf_counter()
    training = job.training or Training()
    enter("fetch")
    folder = fetch(candidate).folder
    enter("load")
    request = replace(job.encoding, layers="last")  # fine-tuning reads no others
    encoder = encoders.load(folder, candidate.modality, request, places=sample.places)
    enter("train")
    inputs = sample.inputs[candidate.modality]
    outcome = fine_tuned(
        encoder, inputs, sample, training, device, lambda done, all_: report("train", done, all_)
    )
    return Tuned(
        candidate=candidate,
        training=training,
        measure=MEASURES[sample.draw.label_kind],
        outcomes=tuple(float(x) for x in outcome.outcomes.round(6)),
        frozen=tuple(float(x) for x in outcome.frozen.round(6)),
        held=tuple(int(row) for row in split_rows(sample, training.seed).test),
        rate=outcome.rate,
        epochs=outcome.epochs,
        settled=outcome.settled,
        trained=outcome.trained,
        seconds=time.perf_counter() - begun,
        device=str(next(encoder.model.parameters()).device),
    )

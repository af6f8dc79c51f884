"""Fetch, load and fine-tune one candidate. Runs in a worker process."""

from __future__ import annotations

import time
from dataclasses import replace

from hubscan import encoders
from hubscan.finetune.held_out import value
from hubscan.finetune.split import split_rows
from hubscan.finetune.training import fine_tuned
from hubscan.guard import Enter, Report, guarded
from hubscan.hub.fetch import fetch
from hubscan.records import Candidate, Job, Sample, Skipped, Training, Tuned
from hubscan.scores.accuracy import as_predicted, kind_of_accuracy


def tuned(candidate: Candidate, sample: Sample, job: Job, device: str, report: Report) -> Tuned | Skipped:
    """Fine-tune *candidate* on *sample*, encoding its inputs as *job* says, with weights in float32."""

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
    request = replace(job.encoding, layers="last")  # fine-tuning uses no other layer
    encoder = encoders.load(folder, candidate.modality, request, places=sample.places)
    enter("train")
    inputs = sample.inputs[candidate.modality]
    outcome = fine_tuned(
        encoder, inputs, sample, training, device, lambda done, all_: report("train", done, all_)
    )
    test = tuple(split_rows(sample, training.seed).test.tolist())
    kind = kind_of_accuracy(sample.labels, representative=sample.draw.representative)
    predictions, frozen = as_predicted(outcome.predictions), as_predicted(outcome.frozen)
    return Tuned(
        candidate=candidate,
        training=training,
        measure=kind,
        held=test,
        rate=outcome.rate,
        epochs=outcome.epochs,
        settled=outcome.settled,
        trained=outcome.trained,
        seconds=time.perf_counter() - begun,
        device=str(next(encoder.model.parameters()).device),
        predictions=predictions,
        frozen_predictions=frozen,
        accuracy=value(predictions, test, sample, kind),
        frozen_accuracy=value(frozen, test, sample, kind),
    )

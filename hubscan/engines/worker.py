"""Evaluate candidates in a process of their own, which exchanges JSON lines over stdin and stdout.

    python -m hubscan.engines.worker cpu

The worker first sends "ready", with the number of its GPUs. The parent then sends the sample and the job.
When the worker has read both and imported what every network needs, it sends "free", and the parent sends
one candidate at a time. The time of a candidate starts only then.

It is a separate program, not a forked or spawned child, so `hubscan.rank` works in a notebook and in a
script without a main guard. The messages are plain text, so a process that has handled a stranger's
checkpoint cannot pass code to its parent.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import TypeAdapter

from hubscan import allowance, environment
from hubscan.errors import DiskError, HubscanError, SettingError
from hubscan.guard import NO_MEMORY
from hubscan.processes import (
    MemoryLimit,
    Messages,
    Warnings,
    end_with_parent,
    private_stdout,
    resident_bytes,
)
from hubscan.records import Candidate, Scored, Skipped, Tuned

Result = Scored | Tuned | Skipped


def main(device: str) -> None:
    """Serve until stdin ends."""
    end_with_parent()
    say = Messages(private_stdout())
    try:
        with environment.explained():
            _serve(device, say)
    except SettingError as error:
        say("broken", reason=str(error))
    except DiskError as error:
        say("disk", reason=str(error))


def _serve(device: str, say: Messages) -> None:
    # Imported objects stay alive. Scanning them for garbage makes the imports a quarter slower, and takes
    # half a second of every candidate.
    gc.disable()
    # transformers would ask this package for native code that a stranger's config names.
    os.environ["USE_HUB_KERNELS"] = "0"
    sys.modules["kernels"] = None  # type: ignore[assignment]
    import torch

    from hubscan import feature_store, sample_file
    from hubscan.assess import assess
    from hubscan.feature_store import open_store
    from hubscan.hub import rate_limits
    from hubscan.records import Job
    from hubscan.scores.blas import reserve_buffers

    gpus = torch.cuda.device_count() if device != "cpu" else 0
    say("ready", gpus=gpus)
    try:  # takes seconds, which every network needs, while the sample is being drawn
        import hubscan.encoders.weights  # noqa: F401
    except Exception as error:
        say("broken", reason=_what_is_broken(error))
        return

    gc.enable()
    gc.freeze()

    setup = json.loads(sys.stdin.readline() or "null")
    if setup is None:
        return
    sample, job = sample_file.read(Path(setup["sample"])), TypeAdapter(Job).validate_python(setup["job"])
    store = open_store(job.features)
    reserve_buffers()
    limit, before = MemoryLimit(watched=gpus > 0), resident_bytes()
    logging.getLogger(feature_store.__name__).addHandler(Warnings(say))

    def report(stage: str, done: int, rows: int) -> None:
        say("progress", stage=stage, done=done, rows=rows)

    def worked(candidate: Candidate) -> Result:
        if job.training is None:
            return assess(candidate, sample, job, store, device, report)
        from hubscan.finetune.candidate import tuned

        return tuned(candidate, sample, job, device, report)

    say("free")
    for line in sys.stdin:
        candidate = TypeAdapter(Candidate).validate_json(line)
        most = allowance.of_candidate(before, candidate.parameters, trains=job.training is not None)
        limit.set(most)
        say("limit", bytes=most)
        with rate_limits.heard(say.waits):
            result = _explained(worked(candidate), most)
        say(type(result).__name__.lower(), result=asdict(result))


def _explained(result: Result, most: int) -> Result:
    """Return *result*; if memory ran out, with the limit of *most* bytes as the reason."""
    if isinstance(result, Skipped) and result.reason == NO_MEMORY:
        return replace(result, reason=allowance.exceeded(most))
    return result


def _what_is_broken(error: Exception) -> str:
    from hubscan.media import torchvision

    try:
        torchvision.require_whole()
    except HubscanError as known:
        return str(known)
    return f"transformers cannot be imported: {error}"


if __name__ == "__main__":
    main(sys.argv[1])

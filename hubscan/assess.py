"""One candidate and the sample in, a `Scored` or a `Skipped` out: fetch, load, embed, score.

Runs in a worker process, with the heavy imports there. Whatever a stranger's checkpoint does here,
short of ending the process, becomes a `Skipped` that names the stage.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, TypeVar

from hubscan import __version__, cache, encoders, extract
from hubscan.encoders.precision import precision
from hubscan.errors import HubscanError
from hubscan.hub.fetch import fetch
from hubscan.media import audio, torchvision
from hubscan.memory import peak_memory
from hubscan.recipe import Recipe
from hubscan.records import Candidate, Cost, Features, Precision, Sample, Scored, Skipped
from hubscan.scores import scoring

T = TypeVar("T")
Enter = Callable[[str], None]
"""Called with the stage that begins."""
Report = Callable[[str, int, int], None]
"""Called with the stage, and the rows done and in all where the stage counts rows (else 0, 0)."""

log = logging.getLogger(__name__)


def assess(
    candidate: Candidate, sample: Sample, recipe: Recipe, device: str, report: Report
) -> Scored | Skipped:
    """Take *candidate* through all stages; *report* hears of each as it begins."""

    def work(enter: Enter) -> Scored:
        return _assessed(candidate, sample, recipe, device, enter, report)

    return guarded(candidate, report, work)


def guarded(candidate: Candidate, report: Report, work: Callable[[Enter], T]) -> T | Skipped:
    """Return what *work* gives; whatever it raises becomes a `Skipped` at the stage that it entered last."""
    stage = "fetch"

    def enter(name: str) -> None:
        nonlocal stage
        stage = name
        report(name, 0, 0)

    try:
        return work(enter)
    except HubscanError as error:
        reason = str(error).removeprefix(f"{candidate.model}: ")
    except MemoryError:
        reason = "out of memory"
    except Exception as error:
        log.exception("%s failed at %s", candidate.model, stage)
        first_line = (str(error).strip() or "no message").splitlines()[0]
        reason = f"{type(error).__name__}: {first_line}"[:300]
    return Skipped.of(candidate, stage, reason)


def _assessed(
    candidate: Candidate,
    sample: Sample,
    recipe: Recipe,
    device: str,
    enter: Enter,
    report: Report,
) -> Scored:
    begun = time.perf_counter()
    name = cache.address(_deciding(candidate, sample, recipe, device))
    arrived = 0
    with peak_memory(device) as peak:
        known = cache.load(name)
        if known is None:
            features, arrived = _computed(candidate, sample, recipe, device, enter, report)
            cache.store(name, features)
        else:
            features = known
        enter("score")
        layers = scoring.by_layer(features, sample.labels, recipe.metrics, recipe.seed, sample.groups)
    cost = Cost(
        download_bytes=arrived,
        seconds=time.perf_counter() - begun,
        rows_per_second=features.rows_per_second,
        peak_bytes=peak.bytes,
        cached=known is not None,
    )
    return Scored(
        candidate=candidate,
        parameters=features.parameters,
        pooling=features.pooling,
        cost=cost,
        device=features.device,
        dtype=features.dtype,
        processor=features.processor,
        features=name,
        untrained=features.untrained,
        **scoring.layer_fields(layers, recipe.layers),
    )


def _computed(
    candidate: Candidate,
    sample: Sample,
    recipe: Recipe,
    device: str,
    enter: Enter,
    report: Report,
) -> tuple[Features, int]:
    """Return the features, and the bytes that had to be downloaded for them."""
    modality = candidate.modality
    enter("fetch")
    fetched = fetch(candidate)

    def features(dtype: Precision) -> Features:
        enter("load")
        request = recipe.encoding_request
        encoder = encoders.load(fetched.folder, modality, request, dtype=dtype, places=sample.places)
        enter("embed")
        inputs = sample.inputs[modality]
        return extract.extract(encoder, inputs, device, lambda done, rows: report("embed", done, rows))

    on_gpu = extract.device_at_hand(device).type != "cpu"
    dtype = precision(recipe.dtype, fetched.folder, on_gpu=on_gpu)
    try:
        return features(dtype), fetched.download_bytes
    except extract.NotFinite:
        if dtype == "float32":
            raise
    # What overflows in half a precision does not in a whole one, as a rule; the result says which it was.
    return features("float32"), fetched.download_bytes


def _deciding(candidate: Candidate, sample: Sample, recipe: Recipe, device: str) -> dict[str, Any]:
    """Return all that decides the features: the address under which they are kept."""
    return {
        "revision": candidate.revision,
        "model": None if candidate.local else candidate.model,  # a folder's revision is its content
        "modality": candidate.modality,
        "fingerprint": sample.draw.fingerprint,
        "pooling": recipe.pooling,
        "prompt": recipe.prompt,
        "layers": recipe.encoding_request.layers,
        "max_length": recipe.max_length,
        "dtype": recipe.dtype,
        "device": extract.device_at_hand(device).type,
        "hubscan": __version__,
        "encoders": encoders.VERSION,
        **{library: version(library) for library in ("torch", "transformers", "tokenizers", "pillow")},
        **(_of_sounds(recipe) if candidate.modality == "audio" else {}),
        **(_of_pictures() if candidate.modality == "image" else {}),
    }


def _of_pictures() -> dict[str, Any]:
    """Return what reads pictures instead of Pillow where it is installed: its pixels are others."""
    found = torchvision.installed()
    return {"torchvision": found} if found else {}


def _of_sounds(recipe: Recipe) -> dict[str, Any]:
    return {"max_seconds": recipe.max_seconds, **audio.versions()}

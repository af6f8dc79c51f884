"""Get the features of one candidate: load stored rows from the feature store, and compute the others."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hubscan import __version__, encoders, extract
from hubscan.encoders.precision import precision
from hubscan.feature_store import DamagedFeatures, FeatureStore, StoredFeatures, address, content_digests
from hubscan.feature_store.stored import NOT_HERE
from hubscan.guard import Enter, Report
from hubscan.hub.fetch import fetch
from hubscan.media import audio, images, torchvision
from hubscan.records import Candidate, Features, Job, Precision, Sample


@dataclass(frozen=True)
class Found:
    """The features of the sample, where they are stored, and what was downloaded to compute them."""

    features: Features
    address: str
    download_bytes: int
    cached: bool  # every row came from the store
    recomputed: bool  # what the store had was damaged


def features_of(
    candidate: Candidate,
    sample: Sample,
    job: Job,
    store: FeatureStore,
    device: str,
    enter: Enter,
    report: Report,
) -> Found:
    """Return the features of *sample*, and save in *store* those that had to be computed.

    Rows that an earlier sample of the same split already had are not computed again.

    Raises:
        HubscanError: if the checkpoint cannot be fetched, loaded or run.
    """
    where = address(_deciding(candidate, sample, job, device))
    keys, contents = sample.keys, _contents(sample, candidate)
    kept, damaged = _stored(store, where)
    places = np.full(len(keys), NOT_HERE) if kept is None else kept.places(keys, contents)
    missing = np.flatnonzero(places == NOT_HERE)
    if kept is not None and not len(missing):
        return Found(kept.at(places), where, 0, cached=True, recomputed=False)

    enter("fetch")
    fetched = fetch(candidate)

    def computed(rows: Any) -> StoredFeatures:
        features = _computed(fetched.folder, candidate, sample.only(rows), job, device, enter, report)
        return StoredFeatures(features, keys[rows], contents[rows])

    new = computed(missing)
    if kept is not None and kept.extends(new):
        whole = kept.with_rows_of(new)
    else:  # the stored features were computed differently, in another precision for instance
        whole = new if len(missing) == len(keys) else computed(np.arange(len(keys)))
    store.save(where, whole)
    return Found(
        whole.at(whole.places(keys)), where, fetched.download_bytes, cached=False, recomputed=damaged
    )


def _stored(store: FeatureStore, where: str) -> tuple[StoredFeatures | None, bool]:
    """Return what *store* has, and whether that was damaged and is gone."""
    try:
        return store.load(where), False
    except DamagedFeatures:
        return None, True


def _computed(
    folder: Path, candidate: Candidate, sample: Sample, job: Job, device: str, enter: Enter, report: Report
) -> Features:
    def features(dtype: Precision) -> Features:
        enter("load")
        encoder = encoders.load(folder, candidate.modality, job.encoding, dtype=dtype, places=sample.places)
        enter("embed")
        inputs = sample.inputs[candidate.modality]
        return extract.extract(encoder, inputs, device, lambda done, rows: report("embed", done, rows))

    dtype = precision(job.dtype, folder, on_gpu=extract.device_at_hand(device).type != "cpu")
    try:
        return features(dtype)
    except extract.NotFinite:
        if dtype == "float32":
            raise
    # What overflows in half precision rarely does so in float32; the result states the precision.
    return features("float32")


def _contents(sample: Sample, candidate: Candidate) -> Any:
    digests = content_digests(sample.inputs[candidate.modality])
    return digests if sample.places is None else digests[sample.places[:, 0]]


def _deciding(candidate: Candidate, sample: Sample, job: Job, device: str) -> dict[str, Any]:
    """Return everything that decides the features of a row, whichever rows are sampled."""
    return {
        "revision": candidate.revision,
        "model": None if candidate.local else candidate.model,  # a folder's revision is its content
        "modality": candidate.modality,
        "rows": sample.draw.origin,
        "pooling": job.encoding.pooling,
        "prompt": job.encoding.prompt,
        "layers": job.encoding.layers,
        "max_length": job.encoding.max_length,
        "dtype": job.dtype,
        "device": extract.device_at_hand(device).type,
        "hubscan": __version__,
        "encoders": encoders.VERSION,
        **{library: version(library) for library in ("torch", "transformers", "tokenizers", "pillow")},
        **(_of_audio(job) if candidate.modality == "audio" else {}),
        **(_of_images(job) if candidate.modality == "image" else {}),
    }


def _of_images(job: Job) -> dict[str, Any]:
    """Return how images are decoded.

    That includes torchvision: if installed, it replaces Pillow and gives slightly different pixels.
    """
    found = torchvision.installed()
    return {
        "decoding": images.VERSION,
        "background": images.color(job.encoding.background),
        **({"torchvision": found} if found else {}),
    }


def _of_audio(job: Job) -> dict[str, Any]:
    return {"max_seconds": job.encoding.max_seconds, **audio.versions()}

"""The functions of the package: `hubscan.rank` and `hubscan.embed`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from hubscan import disk
from hubscan import recipe as recipes
from hubscan.errors import CheckpointError, RecipeError
from hubscan.media import audio
from hubscan.processes import temporary_folder
from hubscan.recipe_keys import RecipeKeys
from hubscan.records import EncodingRequest, Input, Layers, Modality, Precision, Query, Ranking, Skipped

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

log = logging.getLogger(__name__)


def rank(
    dataset: str | Path,
    task: str | None = None,
    *,
    models: str | Path | Iterable[str | Path] | None = None,
    run: str | Path | None = None,
    progress: bool = True,
    **recipe_keys: Unpack[RecipeKeys],
) -> Ranking:
    """Rank checkpoints for a dataset.

    Args:
        dataset: an id on the Hub; a local csv, tsv, jsonl, parquet, arrow or tar file, or folder; a URL.
        task: a Hub task, such as "image-classification"; by default inferred from the columns.
        models: one or several ids, `id@revision` or local folders; by default the Hub is asked.
        run: the run folder; by default it is temporary and removed afterwards.
        progress: show on stderr what is done, with the time left.
        **recipe_keys: any other key of a recipe, such as `samples=500`, `limit=10` or `seed=1`;
            `hubscan.recipe_keys.RecipeKeys` describes them all.

    Returns:
        The ranking. Its `best` is the recommended checkpoint; `print` shows the whole report.

    Raises:
        HubscanError: for everything that the caller can fix, in one line.
    """
    from hubscan.progress import followed
    from hubscan.scan import scan

    named = (models,) if isinstance(models, str | Path) else tuple(models or ())
    asked = {"dataset": dataset, "task": task, "models": named, **recipe_keys}
    keys = {key: _frozen(value) for key, value in asked.items() if value is not None}
    with temporary_folder() as temporary:
        ranking = followed(scan(recipes.resolve(keys), Path(run or temporary)), quiet=not progress)
    assert isinstance(ranking, Ranking)
    return ranking


def _frozen(value: object) -> object:
    """Return a list as a tuple, which is what a recipe holds."""
    return tuple(value) if isinstance(value, list) else value


def embed(
    model: str,
    inputs: Sequence[str]
    | Sequence[tuple[str, str]]
    | Sequence[bytes]
    | Sequence[Image]
    | Sequence[tuple[npt.NDArray[Any], int]],
    *,
    modality: Modality | None = None,
    pooling: str = "auto",
    prompt: str = "auto",
    layers: Layers = "last",
    dtype: Precision = "float32",
    max_seconds: float = 30.0,
    background: str = "white",
) -> npt.NDArray[np.float32]:
    """Return the pooled features of *inputs* in float32, as a scan computes them.

    Args:
        model: an id on the Hub, `id@revision`, or a local folder.
        inputs: texts; pairs of texts, which are read together; PIL images; the bytes of image or audio files;
            or audio clips as pairs of samples, (n,) or (n, channels), and their rate in Hz, which need not be
            the rate of the model.
        modality: "text", "image" or "audio"; by default inferred from the inputs, with bytes as images.
        pooling: how the vectors of an input become one; "auto" does what the checkpoint declares.
        prompt: text before every input: "auto" for the declared one, "none", the name of a declared one, or
            a text.
        layers: "last", the "mean" of all but the embeddings, or "each".
        dtype: precision of the computation.
        max_seconds: seconds read from the beginning of an audio clip.
        background: color put under transparent images: a name, or #rrggbb.

    Returns:
        (n, width), or (n, layers, width) with layers="each", from the embeddings to the last layer.

    Raises:
        HubscanError: if the model cannot be found or used, or an input cannot be read.
    """
    import numpy as np

    from hubscan import encoders
    from hubscan.hub import listing
    from hubscan.hub.cached import keep_main
    from hubscan.media import images, torchvision

    images.color(background)
    torchvision.require_whole()
    from hubscan.extract import extract
    from hubscan.hub.fetch import fetch

    sampled = any(_is_sampled(row) for row in inputs)
    rows = _checked([row if isinstance(row, str | bytes) else _stored(row, background) for row in inputs])
    kind: Modality = modality or ("audio" if sampled else "image" if isinstance(rows[0], bytes) else "text")
    candidate = next(iter(listing.named([model], Query(), kind)))
    if isinstance(candidate, Skipped):
        raise CheckpointError(f"{model}: {candidate.reason}")
    request = EncodingRequest(pooling, prompt, layers, max_seconds=max_seconds, background=background)
    for flag in candidate.flags:  # such as the commit that a cache has
        log.warning("%s: %s", model, flag)
    with disk.explained():
        folder = fetch(candidate).folder
    keep_main(candidate.model, candidate.revision)
    encoder = encoders.load(folder, kind, request, dtype=dtype)
    try:
        found_layers = list(extract(encoder, rows).layers.values())
    except (images.ImageError, audio.AudioError) as error:
        raise RecipeError(f"an input cannot be read: {error}") from error
    if layers != "each":
        return found_layers[0]
    if len({matrix.shape for matrix in found_layers}) > 1:
        raise CheckpointError(f"{model}: its layers have different widths; pass layers='last'")
    return np.stack(found_layers, axis=1)


def _checked(rows: list[Input]) -> list[Input]:
    """Refuse inputs of mixed kinds, and tuples that are not pairs of texts."""
    if not rows:
        raise RecipeError("inputs is empty")
    if len({type(row) for row in rows}) > 1:
        raise RecipeError("inputs mixes texts, pairs of texts and files; embed one kind at a time")
    pairs = [row for row in rows if isinstance(row, tuple)]
    if any(len(pair) != 2 or not all(isinstance(text, str) for text in pair) for pair in pairs):
        raise RecipeError(
            "inputs has a tuple that is neither a pair of texts nor audio samples with their rate"
        )
    return rows


def _stored(row: Any, background: str) -> Input:
    """Return an image or an audio clip as a lossless file, and a pair of texts unchanged."""
    import io

    from hubscan.media import images

    if isinstance(row, tuple):
        return _audio_file(*row) if _is_sampled(row) else row
    stored = io.BytesIO()
    try:
        images.flat(row, background).image.save(stored, "PNG")
    except images.ImageError as error:
        raise RecipeError(f"an input cannot be read: {error}") from error
    return stored.getvalue()


def _is_sampled(row: object) -> bool:
    """Return whether *row* is an audio clip: samples and their rate."""
    import numpy as np

    return isinstance(row, tuple) and len(row) == 2 and isinstance(row[0], np.ndarray)


def _audio_file(samples: npt.NDArray[Any], rate: int) -> bytes:
    audio.require()
    try:
        return audio.encode(samples, rate)
    except (RuntimeError, ValueError, TypeError) as error:
        raise RecipeError(
            f"an audio input needs samples, (n,) or (n, channels), and a rate: {error}"
        ) from error

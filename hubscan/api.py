"""The library's front door: `hubscan.rank` and `hubscan.embed`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubscan import recipe as recipes
from hubscan.errors import CheckpointError, RecipeError
from hubscan.media import audio
from hubscan.records import EncodingRequest, Input, Layers, Modality, Precision, Query, Ranking, Skipped

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image


def rank(
    dataset: str,
    task: str | None = None,
    *,
    models: Iterable[str] | None = None,
    run: str | Path | None = None,
    **recipe_keys: Any,
) -> Ranking:
    """Rank checkpoints for *dataset*, and return the ranking.

    Args:
        dataset: an id on the Hub; a local csv, tsv, jsonl, parquet, arrow or tar file, or folder; a URL.
        task: a pipeline tag, such as "image-classification"; by default what the columns say.
        models: ids, `id@revision` or local folders; by default the Hub is asked.
        run: where the run folder is to be; by default it is temporary and gone afterwards.
        **recipe_keys: any other key of a recipe, such as `samples=500`, `limit=10`, `seed=1`.

    Raises:
        HubscanError: whatever the caller can fix, in one line.
    """
    from hubscan.scan import scan

    asked = {"dataset": dataset, "task": task, "models": tuple(models or ()), **recipe_keys}
    recipe = recipes.resolve({key: value for key, value in asked.items() if value is not None})
    with tempfile.TemporaryDirectory(prefix="hubscan-run-") as temporary:
        *_, ranking = scan(recipe, Path(run or temporary))
    assert isinstance(ranking, Ranking)
    return ranking


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
) -> npt.NDArray[np.float32]:
    """Return the pooled features of *inputs* in float32, as a scan computes them.

    They are (n, width), or (n, layers, width) with layers="each", from the embeddings to the last layer.

    Args:
        model: an id on the Hub, `id@revision`, or a local folder.
        inputs: texts, pairs of texts (read together in one pass), PIL images, the bytes of image or sound
            files, or sounds as their samples, (n,) or (n, channels), and their rate in Hz, whatever the
            model's own rate is.
        modality: "text", "image" or "audio"; by default what the inputs are, and bytes are images.
        pooling: "auto" does what the checkpoint declares.
        prompt: what stands before every text: "auto" for the declared one, "none", a name, or its words.
        layers: "last", the "mean" of all but the embeddings, or "each".
        dtype: what the network computes in.
        max_seconds: of a sound, from its beginning.

    Raises:
        HubscanError: if the model cannot be found or used, or an input cannot be read.
    """
    import numpy as np

    from hubscan import encoders
    from hubscan.hub import listing
    from hubscan.media import torchvision

    torchvision.require_whole()
    from hubscan.extract import extract
    from hubscan.hub.fetch import fetch
    from hubscan.media.images import ImageError

    sampled = any(_is_sampled(row) for row in inputs)
    rows = _checked([row if isinstance(row, str | bytes) else _stored(row) for row in inputs])
    kind: Modality = modality or ("audio" if sampled else "image" if isinstance(rows[0], bytes) else "text")
    candidate = next(iter(listing.named([model], Query(), kind)))
    if isinstance(candidate, Skipped):
        raise CheckpointError(f"{model}: {candidate.reason}")
    request = EncodingRequest(pooling, prompt, layers, max_seconds=max_seconds)
    encoder = encoders.load(fetch(candidate).folder, kind, request, dtype=dtype)
    try:
        found_layers = list(extract(encoder, rows).layers.values())
    except (ImageError, audio.AudioError) as error:
        raise RecipeError(f"inputs: one of them cannot be read: {error}") from error
    if layers != "each":
        return found_layers[0]
    if len({matrix.shape for matrix in found_layers}) > 1:
        raise CheckpointError(f"{model}: its layers are not equally wide; embed them with layers='last'")
    return np.stack(found_layers, axis=1)


def _checked(rows: list[Input]) -> list[Input]:
    """Refuse rows that are not all alike, or pairs that are none."""
    if not rows:
        raise RecipeError("inputs: there are none")
    if len({type(row) for row in rows}) > 1:
        raise RecipeError("inputs: texts, pairs of texts and files are mixed; embed them one kind at a time")
    pairs = [row for row in rows if isinstance(row, tuple)]
    if any(len(pair) != 2 or not all(isinstance(text, str) for text in pair) for pair in pairs):
        raise RecipeError(
            "inputs: a tuple is a pair of texts, or samples and their rate, and one of these is neither"
        )
    return rows


def _stored(row: Any) -> Input:
    """Return a picture or a sound as a file without loss; a pair of texts as it is."""
    import io

    if isinstance(row, tuple):
        return _audio_file(*row) if _is_sampled(row) else row
    stored = io.BytesIO()
    row.convert("RGB").save(stored, "PNG")
    return stored.getvalue()


def _is_sampled(row: object) -> bool:
    """Return whether *row* is a sound as its samples and their rate."""
    import numpy as np

    return isinstance(row, tuple) and len(row) == 2 and isinstance(row[0], np.ndarray)


def _audio_file(samples: npt.NDArray[Any], rate: int) -> bytes:
    audio.require()
    try:
        return audio.encode(samples, rate)
    except (RuntimeError, ValueError, TypeError) as error:
        raise RecipeError(
            f"inputs: a sound is samples, (n,) or (n, channels), and a rate: {error}"
        ) from error

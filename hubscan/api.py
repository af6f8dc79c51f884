"""The library's front door: `hubscan.rank` and `hubscan.embed`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubscan import recipe as recipes
from hubscan.errors import CheckpointError, RecipeError
from hubscan.records import Input, Layers, Modality, Precision, Ranking, Skipped

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
    inputs: Sequence[str] | Sequence[tuple[str, str]] | Sequence[bytes] | Sequence[Image],
    *,
    modality: Modality | None = None,
    pooling: str = "auto",
    prompt: str = "auto",
    layers: Layers = "last",
    dtype: Precision = "float32",
) -> npt.NDArray[np.float32]:
    """Return the pooled features of *inputs* in float32, as a scan computes them.

    They are (n, width), or (n, layers, width) with layers="each", from the embeddings to the last layer.

    Args:
        model: an id on the Hub, `id@revision`, or a local folder.
        inputs: texts, pairs of texts (read together in one pass), PIL images, or the bytes of image files.
        modality: "text" or "image"; by default what the inputs are.
        pooling: "auto" does what the checkpoint declares.
        prompt: what stands before every text: "auto" for the declared one, "none", a name, or its words.
        layers: "last", the "mean" of all but the embeddings, or "each".
        dtype: what the network computes in.

    Raises:
        HubscanError: if the model cannot be found or used.
    """
    import numpy as np

    from hubscan import catalog, encoders
    from hubscan.extract import extract
    from hubscan.fetch import fetch

    rows = _checked([row if isinstance(row, str | tuple | bytes) else _file_of(row) for row in inputs])
    kind: Modality = modality or ("image" if isinstance(rows[0], bytes) else "text")
    found = next(iter(catalog.named([model], recipes.Recipe(), kind)))
    if isinstance(found, Skipped):
        raise CheckpointError(f"{model}: {found.reason}")
    encoder = encoders.load(fetch(found).folder, kind, pooling, layers=layers, dtype=dtype, prompt=prompt)
    found_layers = list(extract(encoder, rows).layers.values())
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
        raise RecipeError("inputs: texts, pairs of texts and images are mixed; embed them one kind at a time")
    pairs = [row for row in rows if isinstance(row, tuple)]
    if any(len(pair) != 2 or not all(isinstance(text, str) for text in pair) for pair in pairs):
        raise RecipeError("inputs: a tuple is a pair of texts, and one of these is not two strings")
    return rows


def _file_of(picture: Image) -> bytes:
    import io

    stored = io.BytesIO()
    picture.convert("RGB").save(stored, "PNG")
    return stored.getvalue()

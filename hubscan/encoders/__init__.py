"""Load a checkpoint's folder as an `Encoder`, which brings its own preprocessing and pooling.

Only the encoders import `transformers`, and the demo, which makes checkpoints with it. Whoever uses an
`Encoder` need not know whether it reads text, images or audio.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from hubscan.encoders.protocols import Encoder
from hubscan.records import EncodingRequest, Modality, Precision

if TYPE_CHECKING:
    from hubscan.records import Rows

VERSION: Final = 3  # goes up when a checkpoint, read as before, gives other vectors: the cache keeps by it


def parameters(encoder: Encoder) -> int:
    """Return the number of weights of the network that runs; of a static table, all numbers in it."""
    return sum(weight.numel() for weight in encoder.model.parameters())


def load(
    folder: Path,
    modality: Modality,
    request: EncodingRequest = EncodingRequest(),  # noqa: B008 (frozen)
    *,
    dtype: Precision = "float32",
    places: Rows | None = None,
) -> Encoder:
    """Return the encoder in *folder*, reading weights from safetensors alone and running no code from it.

    Args:
        folder: of the checkpoint.
        modality: of the inputs; of a dual encoder the tower that reads it is returned.
        request: how inputs are read and pooled. With its layers "each" the encoder gives the features of
            all layers, from the embeddings (0) to the last; with "mean", their mean without the
            embeddings. Of audio it reads the first `max_seconds`, or what the checkpoint's window holds.
        dtype: what the network computes in, whatever it was stored in; states are pooled in float32.
        places: (n, 2), which of the inputs and which of its words. Inputs are sentences as their words
            then, and the encoder gives a vector for each place.

    Raises:
        CheckpointError: saying what is missing, broken or not to be trusted.
    """
    if places is not None:
        from hubscan.encoders.word_vectors import WordEncoder

        return WordEncoder.load(folder, request, dtype, places)
    if modality == "text":
        from hubscan.encoders.static import StaticEncoder, is_static

        if is_static(folder):
            return StaticEncoder.load(folder, request)
        from hubscan.encoders.text import TextEncoder

        return TextEncoder.load(folder, request, dtype)
    if modality == "audio":
        from hubscan.encoders.audio import AudioEncoder

        return AudioEncoder.load(folder, request, dtype)
    from hubscan.encoders.image import ImageEncoder

    return ImageEncoder.load(folder, request, dtype)

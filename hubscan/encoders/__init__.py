"""Load the checkpoint in a folder as an `Encoder`, with its own preprocessing and pooling.

Only the encoders and the demo, which creates checkpoints, import `transformers`. Code that uses an `Encoder`
need not know whether it reads text, images or audio.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from hubscan.encoders.protocols import Encoder
from hubscan.hub.damage import refuse_damaged
from hubscan.records import EncodingRequest, Modality, Precision

if TYPE_CHECKING:
    from hubscan.records import Rows

VERSION: Final = 4  # raise it when a change gives a checkpoint other vectors: it is part of the cache's key


def parameters(encoder: Encoder) -> int:
    """Return the number of weights of the network that runs; for static embeddings, the table's size."""
    return sum(weight.numel() for weight in encoder.model.parameters())


def load(
    folder: Path,
    modality: Modality,
    request: EncodingRequest = EncodingRequest(),  # noqa: B008 (frozen)
    *,
    dtype: Precision = "float32",
    places: Rows | None = None,
) -> Encoder:
    """Return the encoder in *folder*. Read weights only from safetensors, and run no code from the folder.

    Args:
        folder: of the checkpoint.
        modality: of the inputs; it selects the tower of a dual encoder.
        request: how inputs are read and pooled. With layers "each" the encoder gives the features of all
            layers, from the embeddings (0) to the last; with "mean", their mean without the embeddings.
            It reads the first `max_seconds` of an audio clip, or what fits the checkpoint's window.
        dtype: precision of the network, however it was stored; states are pooled in float32.
        places: (n, 2), an input and one of its words each. Inputs are then sentences as lists of words, and
            the encoder gives a vector for each place.

    Raises:
        CheckpointError: if something is missing, broken or unsafe.
    """
    refuse_damaged(folder)
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

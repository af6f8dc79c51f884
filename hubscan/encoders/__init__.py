"""A checkpoint's folder in, an `Encoder` out, which brings its own preprocessing and pooling.

The only importer of `transformers`. After this room nobody asks what kind of input it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from hubscan.encoders.protocols import Encoder
from hubscan.records import Layers, Modality, Precision

if TYPE_CHECKING:
    from hubscan.records import Rows

VERSION: Final = 2  # goes up when a checkpoint, read as before, gives other vectors: the cache keeps by it


def parameters(encoder: Encoder) -> int:
    """Return the number of weights of the network that runs; of a static table, all numbers in it."""
    return sum(weight.numel() for weight in encoder.model.parameters())


def load(
    folder: Path,
    modality: Modality,
    pooling: str = "auto",
    max_length: int | None = None,
    layers: Layers = "last",
    places: Rows | None = None,
    dtype: Precision = "float32",
    max_seconds: float = 30.0,
    prompt: str = "auto",
) -> Encoder:
    """Return the encoder in *folder*, reading weights from safetensors alone and running no code from it.

    Of *layers* "each" gives the features of all, from the embeddings (0) to the last, and "mean" their
    mean without the embeddings. With *places* (n, 2), which of the inputs and which of its words, inputs
    are sentences as their words, and it gives a vector for each place. The network computes in *dtype*,
    whatever it was stored in; states are pooled in float32. The *prompt* stands before every text:
    "auto" for the declared one, "none", the name of one, or its words. Of a sound the first
    *max_seconds* are read, or as many of them as the checkpoint's window holds.

    Raises:
        CheckpointError: saying what is missing, broken or not to be trusted.
    """
    if places is not None:
        from hubscan.encoders.word_vectors import WordEncoder

        return WordEncoder.load(folder, pooling, max_length, layers, dtype, places)
    if modality == "text":
        from hubscan.encoders.static import StaticEncoder, is_static

        if is_static(folder):
            return StaticEncoder.load(folder, pooling, max_length, layers, prompt)
        from hubscan.encoders.text import TextEncoder

        return TextEncoder.load(folder, pooling, max_length, layers, dtype, prompt)
    if modality == "audio":
        from hubscan.encoders.audio import AudioEncoder

        return AudioEncoder.load(folder, pooling, layers, dtype, max_seconds)
    from hubscan.encoders.image import ImageEncoder

    return ImageEncoder.load(folder, pooling, layers, dtype)

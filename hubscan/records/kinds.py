"""The closed lists of words that records and recipes share, and what one input is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:  # numpy costs 0.1 s, and the command line reads these records before it needs an array
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.int64]
    Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64] | npt.NDArray[np.uint8]
    Matrix = npt.NDArray[np.float32]

Modality = Literal["text", "image", "audio"]
Layers = Literal["last", "mean", "each"]
Precision = Literal["float32", "bfloat16", "float16"]
LabelKind = Literal["class", "multilabel", "number", "token"]
WORD_POOLINGS = ("mean", "max", "last")  # those that also make one vector of a word's sub-words
Input = str | tuple[str, ...] | bytes
"""A text; a pair of texts, or a sentence as its words; an image or a sound as it lay in its file."""

TASKS: Final[Mapping[str, Modality]] = {
    "text-classification": "text",
    "token-classification": "text",
    "image-classification": "image",
    "audio-classification": "audio",
}
"""What the Hub calls a task, and what its inputs are."""

"""The types and fixed sets of values that records and recipes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:  # importing numpy takes 0.1 s, and the command line needs these records before any array
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.int64]
    Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64] | npt.NDArray[np.uint8]
    Matrix = npt.NDArray[np.float32]

Modality = Literal["text", "image", "audio"]
Layers = Literal["last", "mean", "each"]
Precision = Literal["float32", "bfloat16", "float16"]
LabelKind = Literal["class", "multilabel", "number", "token"]
WORD_POOLINGS = ("mean", "max", "last")  # those that can also pool the sub-words of one word
Input = str | tuple[str, ...] | bytes
"""A text; a pair of texts or the words of a sentence; an image or an audio clip, as the bytes of its file."""

TASKS: Final[Mapping[str, Modality]] = {
    "text-classification": "text",
    "token-classification": "text",
    "image-classification": "image",
    "audio-classification": "audio",
}
"""The Hub's tasks, and the modality of each."""

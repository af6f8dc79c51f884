"""Pictures in, pooled patch states or feature maps out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoImageProcessor

from hubscan.encoders import Batch, Pooled
from hubscan.encoders.pooling import as_sequence, chosen, pool, pooled_layers, refuse_made_up_pooler
from hubscan.encoders.weights import load_errors, load_model
from hubscan.errors import CheckpointError
from hubscan.pictures import decode
from hubscan.records import Input, Layers, Pooling, Precision

PATCH_PIXELS: Final = 16 * 16  # a patch of a usual vision transformer costs about what a token does
ASSUMED_SIDE: Final = 224


@dataclass(frozen=True)
class PreparedPictures:
    """The files of the pictures, decoded and resized when their batch comes."""

    processor: Any
    files: Sequence[bytes]
    lengths: Sequence[int]

    def batch(self, rows: Sequence[int]) -> Batch:
        """Decode and preprocess *rows*."""
        pictures = [decode(self.files[row]) for row in rows]
        return {"pixel_values": self.processor(pictures, return_tensors="pt")["pixel_values"]}

    def vectors(self, rows: Sequence[int]) -> Sequence[int]:
        """Return *rows*: each gives one vector."""
        return rows


@dataclass(frozen=True)
class ImageEncoder:
    """A vision checkpoint: image processor, network, pooling."""

    model: torch.nn.Module
    image_processor: Any
    pooling: Pooling
    layers: Layers

    @classmethod
    def load(cls, folder: Path, asked: str, layers: Layers, dtype: Precision) -> ImageEncoder:
        """Return the encoder in *folder*."""
        if not (folder / "preprocessor_config.json").exists():
            raise CheckpointError("no preprocessor_config.json, so it does not say how it reads pictures")
        model, missing = load_model(folder, "image", dtype)
        pooling = chosen(asked, None, _convention(model, missing))
        if pooling.name == "pooler":
            refuse_made_up_pooler(missing)
        with load_errors():
            processor = AutoImageProcessor.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        return cls(model, processor, pooling, layers)

    @property
    def parameters(self) -> int:
        """Return the number of weights of the network that runs."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def processor(self) -> str:
        """Return the image processor's class; its backends differ in pixels."""
        return type(self.image_processor).__name__

    def prepare(self, inputs: Sequence[Input]) -> PreparedPictures:
        """Take the files as they are: decoded, a sample would fill the memory."""
        files = [content for content in inputs if isinstance(content, bytes)]
        length = max(1, self._pixels() // PATCH_PIXELS)
        return PreparedPictures(self.image_processor, files, [length] * len(files))

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers."""
        output = self.model(**batch, output_hidden_states=self.layers != "last")
        return pooled_layers(output, self.layers, self.pooling, _pooled)

    def _pixels(self) -> int:
        size = getattr(self.image_processor, "crop_size", None) or getattr(self.image_processor, "size", None)
        sides = [side for side in dict(size or {}).values() if isinstance(side, int)] or [ASSUMED_SIDE]
        return sides[0] * sides[-1]


def _pooled(states: torch.Tensor, how: str) -> torch.Tensor:
    states = as_sequence(states, how)
    mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
    return pool(states, mask, how)


def _convention(model: Any, missing_pooler: frozenset[str]) -> str | None:
    """Return how the family reads its features: a class token if it has one, a trained head if not."""
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_parameters()}
    if names & {"cls_token", "class_embedding", "class_token"}:
        return "cls"
    has_trained_head = hasattr(model, "head") and not missing_pooler
    return "pooler" if has_trained_head and getattr(model, "use_head", False) else None

"""Pictures in, pooled patch states or feature maps out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoImageProcessor

from hubscan.encoders import Batch, Pooled
from hubscan.encoders.conventions import accepted
from hubscan.encoders.image_conventions import before, reading, tokens_in_front
from hubscan.encoders.pooling import chosen, pool, pooled_layers, refuse_made_up_pooler
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
        read = self.processor(pictures, return_tensors="pt")
        return {name: made for name, made in read.items() if isinstance(made, torch.Tensor)}

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
        if not any((folder / f"{name}_config.json").exists() for name in ("preprocessor", "processor")):
            raise CheckpointError("no preprocessor_config.json, so it does not say how it reads pictures")
        model, missing = load_model(folder, "image", dtype)
        known = reading(model, missing)
        pooling = chosen(asked, None, known.last if known else None)
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
        patches = getattr(self.image_processor, "max_num_patches", None)  # of any picture, padded
        length = patches or max(1, self._pixels() // PATCH_PIXELS)
        return PreparedPictures(self.image_processor, files, [length] * len(files))

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers."""
        taken = accepted(self.model, batch)
        output = self.model(**taken, output_hidden_states=self.layers != "last")
        if self.pooling.name == "cls" and "cls_token_value" in output:  # CvT gives it beside its map
            output["last_hidden_state"] = output["cls_token_value"]
        mask = batch.get("pixel_attention_mask")  # where pictures keep their shape, and have fewer patches
        in_front = tokens_in_front(self.model)

        def pooled(states: torch.Tensor, how: str) -> torch.Tensor:
            return _pooled(states, how, in_front, mask)

        return pooled_layers(output, self.layers, self.pooling, pooled, before(self.model, self.pooling.name))

    def _pixels(self) -> int:
        size = getattr(self.image_processor, "crop_size", None) or getattr(self.image_processor, "size", None)
        sides = [side for side in dict(size or {}).values() if isinstance(side, int)] or [ASSUMED_SIDE]
        return sides[0] * sides[-1]


def _pooled(states: torch.Tensor, how: str, in_front: int, mask: torch.Tensor | None) -> torch.Tensor:
    """Return (rows, width); the mean and the maximum are over places of the picture alone.

    Args:
        states: (rows, length, width), or a map (rows, width, height, breadth) of which every place is one.
        how: name of a pooling.
        in_front: states of no place in the picture.
        mask: (rows, length), 1 for a patch that is of the picture; None if all are.
    """
    if states.ndim == 4:
        if how in ("cls", "last"):
            raise CheckpointError(f"gives feature maps, without a {how} state; use mean or max")
        states = states.flatten(2).transpose(1, 2)
    if how in ("mean", "max"):
        states = states[:, in_front:]
    if mask is None or mask.shape != states.shape[:2]:
        mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
    return pool(states, mask, how)

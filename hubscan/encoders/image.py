"""Encode images with a checkpoint, pooling its patch states or feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoImageProcessor

from hubscan.encoders.conventions import accepted
from hubscan.encoders.image_conventions import prefix_length, reading
from hubscan.encoders.pooling import as_sequence, choose_pooling, pool, pooled_layers, refuse_made_up_pooler
from hubscan.encoders.protocols import Batch, Pooled
from hubscan.encoders.weights import load_errors, load_model
from hubscan.errors import CheckpointError
from hubscan.media.images import decode
from hubscan.records import EncodingRequest, Input, Layers, Pooling, Precision

PATCH_PIXELS: Final = 16 * 16  # a patch of a common vision transformer costs about as much as a token
ASSUMED_SIDE: Final = 224
PATCH_MASK: Final = "pixel_attention_mask"  # from processors that vary the number of patches


@dataclass(frozen=True)
class PreparedImages:
    """Image files, which are decoded and resized when their batch is made."""

    processor: Any
    files: Sequence[bytes]
    lengths: Sequence[int]
    background: str = "white"

    def batch(self, rows: Sequence[int]) -> Batch:
        """Decode and preprocess *rows*."""
        images = [decode(self.files[row], self.background) for row in rows]
        read = self.processor(images, return_tensors="pt")
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
    before: str | None  # the pooling of the layers before the last, if it differs
    prefix: int  # number of states before those of the patches
    background: str = "white"  # under transparent pixels

    @classmethod
    def load(cls, folder: Path, request: EncodingRequest, dtype: Precision) -> ImageEncoder:
        """Return the encoder in *folder*."""
        if not any((folder / f"{name}_config.json").exists() for name in ("preprocessor", "processor")):
            raise CheckpointError("no preprocessor_config.json, so its image preprocessing is unknown")
        model, missing = load_model(folder, "image", dtype)
        known = reading(model, missing)
        pooling = choose_pooling(request.pooling, None, known and known.last)
        if pooling.name == "pooler":
            refuse_made_up_pooler(missing)
        with load_errors():
            processor = AutoImageProcessor.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
        before = known.before if known and known.last == pooling.name else None
        return cls(
            model, processor, pooling, request.layers, before, prefix_length(model), request.background
        )

    @property
    def processor(self) -> str:
        """Return the image processor's class; its backends give different pixels."""
        return type(self.image_processor).__name__

    def prepare(self, inputs: Sequence[Input]) -> PreparedImages:
        """Return the files as they are: a whole sample, decoded, would not fit in memory."""
        files = [content for content in inputs if isinstance(content, bytes)]
        patches = getattr(self.image_processor, "max_num_patches", None)  # every image is padded to it
        length = patches or max(1, self._pixels() // PATCH_PIXELS)
        return PreparedImages(self.image_processor, files, [length] * len(files), self.background)

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers."""
        output = self.model(**accepted(self.model, batch), output_hidden_states=self.layers != "last")
        if self.pooling.name == "cls" and "cls_token_value" in output:  # CvT returns it apart from its map
            output["last_hidden_state"] = output["cls_token_value"]
        patches = batch.get(PATCH_MASK)

        def pooled(states: torch.Tensor, how: str) -> torch.Tensor:
            return self._pooled(states, how, patches)

        return pooled_layers(output, self.layers, self.pooling, pooled, self.before)

    def _pooled(self, states: torch.Tensor, how: str, patches: torch.Tensor | None) -> torch.Tensor:
        """Return (rows, width) from the *states* of a layer; "mean" and "max" pool only the patches."""
        if "+" in how:
            return torch.cat([self._pooled(states, part, patches) for part in how.split("+")], dim=1)
        if states.ndim != 4 and how in ("mean", "max"):
            states = states[:, self.prefix :]
        states = as_sequence(states, how)
        if patches is None:
            patches = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
        return pool(states, patches, how)

    def _pixels(self) -> int:
        size = getattr(self.image_processor, "crop_size", None) or getattr(self.image_processor, "size", None)
        sides = [side for side in dict(size or {}).values() if isinstance(side, int)] or [ASSUMED_SIDE]
        return sides[0] * sides[-1]

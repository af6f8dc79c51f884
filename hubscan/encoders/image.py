"""Encode images with a checkpoint, pooling its patch states or feature maps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoImageProcessor

from hubscan.encoders.config import config_for_processor
from hubscan.encoders.conventions import accepted
from hubscan.encoders.image_conventions import prefix_length, reading
from hubscan.encoders.pixels import PART, PreparedImages, channels_read, parts, prepared
from hubscan.encoders.pooling import as_sequence, choose_pooling, pool, pooled_layers, refuse_made_up_pooler
from hubscan.encoders.protocols import Batch, Pooled
from hubscan.encoders.weights import load_errors, load_model
from hubscan.errors import CheckpointError
from hubscan.records import EncodingRequest, Input, Layers, Pooling, Precision

PATCH_MASK: Final = "pixel_attention_mask"  # from processors that vary the number of patches
LARGEST_SIDE: Final = 8_192  # pixels; the largest public encoders read about 2,000
SIZE_ERROR: Final = re.compile("size|shape|match", re.IGNORECASE)


@dataclass(frozen=True)
class ImageEncoder:
    """A vision checkpoint: image processor, network, pooling."""

    model: torch.nn.Module
    image_processor: Any
    pooling: Pooling
    layers: Layers
    before: str | None  # the pooling of the layers before the last, if it differs
    prefix: int  # number of states before those of the patches
    channels: int  # 1 for a network that reads grey images
    background: str = "white"  # under transparent pixels

    @classmethod
    def load(cls, folder: Path, request: EncodingRequest, dtype: Precision) -> ImageEncoder:
        """Return the encoder in *folder*."""
        if not any((folder / f"{name}_config.json").exists() for name in ("preprocessor", "processor")):
            raise CheckpointError(
                "no preprocessor_config.json, so its image preprocessing is unknown; add that of its base"
            )
        model, missing = load_model(folder, "image", dtype)
        known = reading(model, missing)
        pooling = choose_pooling(request.pooling, None, known and known.last)
        if pooling.name == "pooler":
            refuse_made_up_pooler(missing)
        with load_errors("its preprocessing cannot be read from preprocessor_config.json"):
            processor = AutoImageProcessor.from_pretrained(
                folder, config=config_for_processor(folder), trust_remote_code=False, local_files_only=True
            )
        _refuse_large(processor)
        before = known.before if known and known.last == pooling.name else None
        channels = channels_read(model, processor)
        prefix = prefix_length(model)
        return cls(model, processor, pooling, request.layers, before, prefix, channels, request.background)

    @property
    def processor(self) -> str:
        """Return the image processor's class; its backends give different pixels."""
        return type(self.image_processor).__name__

    def prepare(self, inputs: Sequence[Input]) -> PreparedImages:
        """Return the files as they are: a whole sample, decoded, would not fit in memory."""
        files = [content for content in inputs if isinstance(content, bytes)]
        return prepared(self.image_processor, self.channels, files, self.background)

    def encode(self, batch: Batch) -> Pooled:
        """Return the pooled states of the layers; images of one shape share a forward pass."""
        pooled: dict[str, torch.Tensor] = {}
        for rows, inputs in parts(batch):
            made = self._encoded(inputs)
            if rows is None:
                return made
            for name, vectors in made.items():
                if name not in pooled:
                    pooled[name] = vectors.new_empty((len(batch[PART]), vectors.shape[1]))
                pooled[name][rows] = vectors
        return pooled

    def _encoded(self, batch: Batch) -> Pooled:
        try:
            output = self.model(**accepted(self.model, batch), output_hidden_states=self.layers != "last")
        except (ValueError, RuntimeError) as error:
            self._refuse_other_size(batch, error)
            raise
        if self.pooling.name == "cls" and "cls_token_value" in output:  # CvT returns it apart from its map
            output["last_hidden_state"] = output["cls_token_value"]
        patches = batch.get(PATCH_MASK)

        def pooled(states: torch.Tensor, how: str) -> torch.Tensor:
            return self._pooled(states, how, patches)

        return pooled_layers(output, self.layers, self.pooling, pooled, self.before)

    def _refuse_other_size(self, batch: Batch, error: Exception) -> None:
        """Refuse images of another size than that of the network, if that is why it fails."""
        stated, pixels = getattr(self.model.config, "image_size", None), batch.get("pixel_values")
        if stated is None or pixels is None or not SIZE_ERROR.search(str(error)):
            return
        sides = tuple(stated) if isinstance(stated, list | tuple) else (stated, stated)
        found = tuple(pixels.shape[-2:])
        if found != sides and not isinstance(error, torch.OutOfMemoryError):
            raise CheckpointError(
                f"its processor makes images of {found[0]} × {found[1]} pixels, its network reads "
                f"{sides[0]} × {sides[-1]}; correct size in its preprocessor_config.json"
            ) from error

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


def _refuse_large(processor: Any) -> None:
    """Refuse preprocessing that would enlarge every image beyond what any network reads."""
    settings = processor.to_dict()
    for name in ("size", "crop_size", "pad_size"):
        stated = settings.get(name)
        sides = stated.values() if isinstance(stated, dict) else [stated]
        largest = max((side for side in sides if isinstance(side, int | float)), default=0)
        if largest > LARGEST_SIDE:
            raise CheckpointError(
                f"its preprocessor_config.json states {name} {largest:,.0f}, but images of more than "
                f"{LARGEST_SIDE:,} pixels a side are not supported; correct it"
            )

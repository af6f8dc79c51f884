"""Choose the class of transformers that loads a checkpoint's network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers import MODEL_MAPPING, AutoModel

from hubscan.encoders.config import read_config
from hubscan.errors import CheckpointError
from hubscan.families import family_of
from hubscan.records import Modality


def network_class(folder: Path, modality: Modality) -> tuple[Any, Any]:
    """Return the class that loads the checkpoint in *folder*, and its config.

    For the encoder-decoder of a text that is the class of its encoder alone, if there is one. It needs half
    the memory, and repositories that contain only the encoder (most are T5's) load too.
    """
    config = read_config(folder)
    family = family_of(config.model_type)
    if family.unusable:
        raise CheckpointError(f"{config.model_type} {family.unusable}; choose another checkpoint")
    for name, value in family.config.items():
        setattr(config, name, value)
    whole = getattr(MODEL_MAPPING.get(type(config), None), "__name__", "")
    # Do not check config.is_encoder_decoder: it is false in repositories that contain only the encoder.
    alone = getattr(transformers, whole.removesuffix("Model") + "EncoderModel", None)
    if modality != "text" or alone is None:
        return AutoModel, config
    config.is_encoder_decoder = False
    return alone, config

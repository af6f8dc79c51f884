"""A folder in, the class of transformers that loads its network out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers import MODEL_MAPPING, AutoConfig, AutoModel

from hubscan.errors import CheckpointError
from hubscan.families import family_of
from hubscan.records import Modality


def network_class(folder: Path, modality: Modality) -> tuple[Any, Any]:
    """Return the class to load the checkpoint in *folder* with, and its config.

    Of a text's encoder-decoder that is the class of its encoder alone, where there is one: half the
    memory, and repositories that hold nothing but the encoder (T5's, most of them) load too.
    """
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    family = family_of(config.model_type)
    if family.unusable:
        raise CheckpointError(f"{config.model_type} {family.unusable}")
    for name, value in family.config.items():
        setattr(config, name, value)
    whole = getattr(MODEL_MAPPING.get(type(config), None), "__name__", "")
    # The config of such a repository says that it is no encoder-decoder, and so cannot be asked.
    alone = getattr(transformers, whole.removesuffix("Model") + "EncoderModel", None)
    if modality != "text" or alone is None:
        return AutoModel, config
    config.is_encoder_decoder = False
    return alone, config

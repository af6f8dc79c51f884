"""What a checkpoint's small files say in, the reason why it cannot be used out, before its weights come.

The listing of the Hub has the part of the config that decides, so that much is known from there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from hubscan.errors import CheckpointError
from hubscan.families import family_of
from hubscan.hub.architectures import table
from hubscan.media import torchvision
from hubscan.records import Modality

Config = Mapping[str, Any]

CUSTOM_CODE: Final = "needs custom code, which hubscan never runs"
ADAPTER: Final = "an adapter, not a whole checkpoint"
NO_SAFETENSORS: Final = "no safetensors weights"
NO_CONFIG: Final = "no config.json, so transformers cannot tell what it is"
NO_PROCESSOR: Final = "no preprocessor_config.json, so it does not say how it reads pictures"

CONFIG, PREPROCESSOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
WEIGHTS: Final = ("model.safetensors", "model-*.safetensors", "0_*/model.safetensors")
OTHER_WEIGHTS: Final[Mapping[str, str]] = {
    "*.gguf": "GGUF weights, no safetensors",
    "*.onnx": "ONNX weights, no safetensors",
    "adapter_config.json": ADAPTER,
}

TAGS: Final[Mapping[str, str]] = {
    "custom_code": CUSTOM_CODE,
    "peft": ADAPTER,
    "adapter-transformers": ADAPTER,
    "diffusers": "a diffusion pipeline, and no encoder",
    "reinforcement-learning": "of reinforcement learning, and no encoder",
    "mlx": "MLX weights",
    "gptq": "quantised (GPTQ)",
    "awq": "quantised (AWQ)",
    "bitsandbytes": "quantised (bitsandbytes)",
    "compressed-tensors": "quantised (compressed-tensors)",
    "4-bit": "quantised to 4 bit",
    "8-bit": "quantised to 8 bit",
}
WITHOUT_SAFETENSORS: Final[Mapping[str, str]] = {"gguf": "GGUF weights", "onnx": "ONNX weights"}
LIBRARIES: Final[Mapping[str, str]] = {
    "peft": ADAPTER,
    "timm": "a timm checkpoint, which needs torchvision",
    "open_clip": "an open_clip checkpoint, which needs torchvision",
    "diffusers": TAGS["diffusers"],
    **dict.fromkeys(("stable-baselines3", "ml-agents", "sample-factory"), TAGS["reinforcement-learning"]),
    **{"mlx": "MLX weights", "gguf": "GGUF weights", "transformers.js": "ONNX weights"},
}
"""What the Hub says of a repository beside its config, and why it cannot be used then."""

FOR_OTHER_TASKS: Final[Mapping[str, str]] = {
    "TEXT_TO_WAVEFORM": "speaking",
    "TEXT_TO_SPECTROGRAM": "speaking",
    "TIME_SERIES_PREDICTION": "forecasts",
    "TIME_SERIES_CLASSIFICATION": "time series",
}
FOR_IMAGES: Final[Mapping[str, str]] = {
    "OBJECT_DETECTION": "finding objects",
    "ZERO_SHOT_OBJECT_DETECTION": "finding objects",
    "UNIVERSAL_SEGMENTATION": "segmentation",
    "INSTANCE_SEGMENTATION": "segmentation",
    "SEMANTIC_SEGMENTATION": "segmentation",
    "MASK_GENERATION": "segmentation",
    "DEPTH_ESTIMATION": "estimating depth",
    "POSE_ESTIMATION": "estimating poses",
    "KEYPOINT_DETECTION": "finding points",
    "KEYPOINT_MATCHING": "finding points",
    "IMAGE_MATTING": "cutting out",
    "IMAGE_TO_IMAGE": "making pictures",
    "TEXT_RECOGNITION": "reading letters",
    "TABLE_RECOGNITION": "reading tables",
    "VIDEO_CLASSIFICATION": "videos",
    "IMAGE_TEXT_TO_TEXT": "writing about pictures",
}
"""Tables of transformers by what their types are made for, where that is no vector of an input."""


def reason(config: Config, modality: Modality) -> str | None:
    """Return why a checkpoint with this `config.json`, or the listed part of it, cannot be used."""
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else None
        return f"quantised ({method or 'method not stated'})"
    if config.get("auto_map"):
        return CUSTOM_CODE
    kind = config.get("model_type")
    if not isinstance(kind, str) or family_of(kind).static or not table("CONFIG"):
        return None
    if kind not in table("CONFIG"):
        return f"of type {kind}, which this transformers does not know"
    if kind not in table("MODEL"):
        return f"of type {kind}, of which transformers has no encoder"
    return _made_for_else(kind, modality)


def _made_for_else(kind: str, modality: Modality) -> str | None:
    family = family_of(kind)
    if family.is_dual:
        return None
    purpose = _purposes(FOR_OTHER_TASKS).get(kind, family.purpose)
    if purpose:
        return f"of type {kind}, made for {purpose}, and no encoder"
    writes = kind in table("MODEL_FOR_IMAGE_TEXT_TO_TEXT") or kind in table("MODEL_FOR_CAUSAL_LM")
    if modality == "text" and kind in table("MODEL_FOR_IMAGE") and not writes:
        return f"of type {kind}, which reads no texts"
    if modality != "image" or any(
        kind in table(f"MODEL_FOR_{name}IMAGE_CLASSIFICATION") for name in ("", "ZERO_SHOT_")
    ):
        return None
    purpose = _purposes(FOR_IMAGES).get(kind)
    return f"of type {kind}, made for {purpose}, and no encoder" if purpose else None


def _purposes(tables: Mapping[str, str]) -> dict[str, str]:
    """Return what each model type of *tables* is made for; of several the one that is named first."""
    return {
        kind: purpose for name, purpose in reversed([*tables.items()]) for kind in table(f"MODEL_FOR_{name}")
    }


def reason_in_tags(tags: Collection[str], library: str | None) -> str | None:
    """Return why a repository with these *tags* on the Hub cannot be used; else None."""
    if any(tag.startswith("base_model:adapter:") for tag in tags):
        return ADAPTER
    known = TAGS if "safetensors" in tags else {**TAGS, **WITHOUT_SAFETENSORS}
    return LIBRARIES.get(library or "") or next((why for tag, why in known.items() if tag in tags), None)


def reason_in_names(files: Collection[str]) -> str | None:
    """Return why a repository with *files* cannot be used; else None."""
    if any(fnmatch(name, kind) for name in files for kind in WEIGHTS):
        return None
    reasons = (why for kind, why in OTHER_WEIGHTS.items() if any(fnmatch(name, kind) for name in files))
    return next(reasons, NO_SAFETENSORS)


def check(folder: Path, modality: Modality) -> None:
    """Refuse the checkpoint in *folder* by its small files, whether or not its weights are there.

    Raises:
        CheckpointError: saying what is missing, or why it cannot be used.
    """
    modules = (folder / "modules.json").exists()  # of which the first may have its files in a folder
    if not modules and not (folder / CONFIG).exists():
        raise CheckpointError(NO_CONFIG)
    config = _read(folder / CONFIG)
    why = reason(config, modality)
    if why is None and modality == "image":
        why = _reason_of_processor(folder, config)
    if why:
        raise CheckpointError(why)


def _reason_of_processor(folder: Path, config: Config) -> str | None:
    """Return why the pictures cannot be read: transformers has some processors for torchvision alone."""
    if not any((folder / name).exists() for name in (PREPROCESSOR, PROCESSOR)):
        return NO_PROCESSOR
    nested = _read(folder / PROCESSOR).get("image_processor")
    for stated in (nested if isinstance(nested, Mapping) else {}, _read(folder / PREPROCESSOR)):
        if stated.get("auto_map"):
            return CUSTOM_CODE
        named = str(stated.get("image_processor_type") or "").removesuffix("Fast")
        if named:
            return _reason_of_torchvision(named) if named in _for_torchvision_alone() else None
    own = table("IMAGE_PROCESSOR").get(str(config.get("model_type")), {})
    return _reason_of_torchvision(own["torchvision"]) if "pil" not in own and own else None


def _reason_of_torchvision(processor: str) -> str | None:
    return None if torchvision.installed() else f"its {processor} needs torchvision: pip install torchvision"


def _for_torchvision_alone() -> set[str]:
    by_backend = [classes for classes in table("IMAGE_PROCESSOR").values() if "torchvision" in classes]
    with_pil = {classes["torchvision"] for classes in by_backend if "pil" in classes}
    return {classes["torchvision"] for classes in by_backend} - with_pil


def _read(file: Path) -> Config:
    """Return the object in *file*, empty if it is not there.

    Raises:
        CheckpointError: if it is no JSON object.
    """
    if not file.exists():
        return {}
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file.name} is no JSON: {error}") from error
    if not isinstance(stated, dict):
        raise CheckpointError(f"{file.name} holds no object")
    return stated

"""Decide from a checkpoint's small files whether it can be used, before its weights are fetched.

The Hub's listing contains the relevant part of the config, so most checkpoints are rejected there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from hubscan.errors import CheckpointError
from hubscan.families import family_of
from hubscan.hub.architectures import table
from hubscan.hub.deciding import bases
from hubscan.media import torchvision
from hubscan.records import Modality
from hubscan.untrusted import Malformed, bytes_of, json_of

Config = Mapping[str, Any]

CUSTOM_CODE: Final = "needs custom code, which hubscan never runs"
ADAPTER: Final = "an adapter, not a complete checkpoint"
EMBEDDED_ADAPTER: Final = (
    "has an adapter beside its weights; merge it into them and remove adapter_config.json"
)
NO_SAFETENSORS: Final = "no safetensors weights"
NO_CONFIG: Final = "no config.json, so its model type is unknown"
NO_PROCESSOR: Final = "no preprocessor_config.json, so its image preprocessing is unknown"

CONFIG, PREPROCESSOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
ADAPTER_CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = ("model.safetensors", "model-*.safetensors", "0_*/model.safetensors")
OTHER_WEIGHTS: Final[Mapping[str, str]] = {
    "*.gguf": "only GGUF weights, no safetensors",
    "*.onnx": "only ONNX weights, no safetensors",
    ADAPTER_CONFIG: ADAPTER,
}

TAGS: Final[Mapping[str, str]] = {
    "custom_code": CUSTOM_CODE,
    "peft": ADAPTER,
    "adapter-transformers": ADAPTER,
    "diffusers": "a diffusion pipeline, not an encoder",
    "reinforcement-learning": "a reinforcement learning policy, not an encoder",
    "mlx": "MLX weights",
    "gptq": "quantised (GPTQ)",
    "awq": "quantised (AWQ)",
    "bitsandbytes": "quantised (bitsandbytes)",
    "compressed-tensors": "quantised (compressed-tensors)",
    "4-bit": "quantised (4-bit)",
    "8-bit": "quantised (8-bit)",
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
"""Tags and libraries on the Hub, and why a repository that has one cannot be used."""

FOR_OTHER_TASKS: Final[Mapping[str, str]] = {
    "TEXT_TO_WAVEFORM": "a text-to-speech model",
    "TEXT_TO_SPECTROGRAM": "a text-to-speech model",
    "TIME_SERIES_PREDICTION": "a forecasting model",
    "TIME_SERIES_CLASSIFICATION": "a time series model",
}
FOR_IMAGES: Final[Mapping[str, str]] = {
    "OBJECT_DETECTION": "an object detection model",
    "ZERO_SHOT_OBJECT_DETECTION": "an object detection model",
    "UNIVERSAL_SEGMENTATION": "a segmentation model",
    "INSTANCE_SEGMENTATION": "a segmentation model",
    "SEMANTIC_SEGMENTATION": "a segmentation model",
    "MASK_GENERATION": "a segmentation model",
    "DEPTH_ESTIMATION": "a depth estimation model",
    "POSE_ESTIMATION": "a pose estimation model",
    "KEYPOINT_DETECTION": "a keypoint model",
    "KEYPOINT_MATCHING": "a keypoint model",
    "IMAGE_MATTING": "an image matting model",
    "IMAGE_TO_IMAGE": "an image-to-image model",
    "TEXT_RECOGNITION": "a text recognition model",
    "TABLE_RECOGNITION": "a table recognition model",
    "VIDEO_CLASSIFICATION": "a video model",
    "IMAGE_TEXT_TO_TEXT": "a vision-language model",
}
"""Tables of transformers, and what their model types are where they do not encode an input."""


def reason(config: Config, modality: Modality) -> str | None:
    """Return why a checkpoint with this `config.json`, or the listed part, cannot be used; else None."""
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method") if isinstance(quantised, Mapping) else None
        return f"quantised ({method or 'unknown method'})"
    if config.get("auto_map"):
        return CUSTOM_CODE
    kind = config.get("model_type")
    if not isinstance(kind, str) or family_of(kind).static or not table("CONFIG"):
        return None
    if kind not in table("CONFIG"):
        return f"the installed transformers does not know model type {kind}"
    if kind not in table("MODEL"):
        return f"transformers has no encoder for model type {kind}"
    return _made_for_else(kind, modality)


def _made_for_else(kind: str, modality: Modality) -> str | None:
    family = family_of(kind)
    if family.is_dual:
        return None
    purpose = _purposes(FOR_OTHER_TASKS).get(kind, family.purpose)
    if purpose:
        return f"{kind} is {purpose}, not an encoder"
    writes = kind in table("MODEL_FOR_IMAGE_TEXT_TO_TEXT") or kind in table("MODEL_FOR_CAUSAL_LM")
    if modality == "text" and kind in table("MODEL_FOR_IMAGE") and not writes:
        return f"model type {kind} is not a supported text encoder"
    if modality != "image" or any(
        kind in table(f"MODEL_FOR_{name}IMAGE_CLASSIFICATION") for name in ("", "ZERO_SHOT_")
    ):
        return None
    purpose = _purposes(FOR_IMAGES).get(kind)
    return f"{kind} is {purpose}, not an encoder" if purpose else None


def _purposes(tables: Mapping[str, str]) -> dict[str, str]:
    """Return what each model type in *tables* is; the first table wins."""
    return {
        kind: purpose for name, purpose in reversed([*tables.items()]) for kind in table(f"MODEL_FOR_{name}")
    }


def reason_in_tags(tags: Collection[str], library: str | None) -> str | None:
    """Return why a repository with these *tags* and *library* on the Hub cannot be used; else None."""
    if any(tag.startswith("base_model:adapter:") for tag in tags):
        return ADAPTER
    known = TAGS if "safetensors" in tags else {**TAGS, **WITHOUT_SAFETENSORS}
    return LIBRARIES.get(library or "") or next((why for tag, why in known.items() if tag in tags), None)


def reason_in_names(files: Collection[str]) -> str | None:
    """Return why a repository with *files* cannot be used; else None."""
    weights = (*WEIGHTS, "*/model.safetensors") if "modules.json" in files else WEIGHTS
    if any(fnmatch(name, kind) for name in files for kind in weights):
        return EMBEDDED_ADAPTER if ADAPTER_CONFIG in files else None
    reasons = (why for kind, why in OTHER_WEIGHTS.items() if any(fnmatch(name, kind) for name in files))
    return next(reasons, NO_SAFETENSORS)


def check(folder: Path, modality: Modality) -> None:
    """Check the small files of the checkpoint in *folder*; its weights need not be there yet.

    Raises:
        CheckpointError: if a file is missing, or the checkpoint cannot be used.
    """
    # transformers applies it if peft is installed, and ignores it if not.
    if any((base / ADAPTER_CONFIG).exists() for base in bases(folder)):
        raise CheckpointError(EMBEDDED_ADAPTER if (folder / CONFIG).exists() else ADAPTER)
    modules = (folder / "modules.json").exists()  # the first module may have a folder of its own
    if not modules and not (folder / CONFIG).exists():
        raise CheckpointError(NO_CONFIG)
    config = _read(folder / CONFIG)
    why = reason(config, modality)
    if why is None and modality == "image":
        why = _reason_of_processor(folder, config)
    if why:
        raise CheckpointError(why)


def _reason_of_processor(folder: Path, config: Config) -> str | None:
    """Return why images cannot be preprocessed: some processors of transformers need torchvision."""
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
        CheckpointError: if it is not a JSON object.
    """
    if not file.exists():
        return {}
    try:
        stated = json_of(bytes_of(file))
    except (OSError, Malformed) as error:
        raise CheckpointError(f"{file.name} cannot be read: {error}; correct or download it again") from error
    if not isinstance(stated, dict):
        raise CheckpointError(f"{file.name} is not a JSON object; correct or download it again")
    return stated

"""Derive the facts of the Hub's listing from the files of a repository: tags, task, size.

The rules are those of the Hub, as far as clients can observe them: the card takes precedence, files fill the
gaps, and facts from unreadable files are omitted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

HEADER_LIMIT_BYTES = 100_000_000  # limit of the format; a longer header means a damaged file
CONFIG_KEYS = ("architectures", "auto_map", "model_type", "quantization_config")
FORMATS = {".safetensors": "safetensors", ".bin": "pytorch", ".onnx": "onnx", ".gguf": "gguf"}
TASK_OF_HEAD = {
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForImageClassification": "image-classification",
    "ForCTC": "automatic-speech-recognition",
    "WhisperForConditionalGeneration": "automatic-speech-recognition",
    "ForAudioClassification": "audio-classification",
}
# From card key to the prefix of its values as tags. Languages of a model have none.
MODEL_TAGS = {"tags": "", "language": "", "license": "license:", "datasets": "dataset:"}
DATASET_TAGS = {
    "tags": "",
    "language": "language:",
    "license": "license:",
    "task_categories": "task_categories:",
    "size_categories": "size_categories:",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts derived from the files of a commit."""

    card: dict[str, Any] | None  # front matter of README.md
    config: dict[str, Any] | None  # the listed part of config.json
    safetensors: dict[str, Any] | None  # {"parameters": {"F32": 123}, "total": 123}
    pipeline_tag: str | None
    library_name: str | None
    tags: tuple[str, ...]


def describe(kind: str, files: Mapping[str, Path]) -> Facts:
    """Derive the facts for the listing of *kind* from *files*, a mapping from repository path to file."""
    card = _front_matter(files.get("README.md"))
    if kind == "datasets":
        tags = tuple(dict.fromkeys(_card_tags(card or {}, DATASET_TAGS)))
        return Facts(card, None, None, None, None, tags)
    config = _json_object(files.get("config.json"))
    library = (card or {}).get("library_name") or _library(files, config)
    task = (card or {}).get("pipeline_tag") or _task(files, config)
    tags = tuple(dict.fromkeys(_model_tags(files, card or {}, config, library, task)))
    listed = {key: config[key] for key in CONFIG_KEYS if key in config}
    return Facts(card, listed or None, _parameters(files), task, library, tags)


def _model_tags(
    files: Mapping[str, Path],
    card: Mapping[str, Any],
    config: Mapping[str, Any],
    library: str | None,
    task: str | None,
) -> Iterator[str]:
    yield from filter(None, (library, "transformers" if "model_type" in config else None))
    suffixes = {PurePosixPath(path).suffix for path in files}
    yield from (name for suffix, name in FORMATS.items() if suffix in suffixes)
    yield from filter(None, (config.get("model_type"), task))
    yield from _card_tags(card, MODEL_TAGS)
    relation = card.get("base_model_relation", "finetune")
    for base in _as_list(card.get("base_model")):
        yield from (f"base_model:{base}", f"base_model:{relation}:{base}")
    if "auto_map" in config:
        yield "custom_code"


def _card_tags(card: Mapping[str, Any], prefixes: Mapping[str, str]) -> Iterator[str]:
    for key, prefix in prefixes.items():
        yield from (f"{prefix}{value}" for value in _as_list(card.get(key)))


def _library(files: Mapping[str, Path], config: Mapping[str, Any]) -> str | None:
    if "modules.json" in files:
        return "sentence-transformers"
    return "transformers" if "model_type" in config else None


def _task(files: Mapping[str, Path], config: Mapping[str, Any]) -> str | None:
    if "modules.json" in files:
        return "sentence-similarity"
    for architecture in _as_list(config.get("architectures")):
        for head, task in TASK_OF_HEAD.items():
            if architecture.endswith(head):
                return task
    if "image_processor_type" in _json_object(files.get("preprocessor_config.json")):
        return "image-feature-extraction"
    return "feature-extraction" if "model_type" in config else None


def _parameters(files: Mapping[str, Path]) -> dict[str, Any] | None:
    """Count parameters by dtype from the headers of the weight files in the top folder."""
    weights = [path for path in files if re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors", path)]
    by_dtype: dict[str, int] = {}
    for path in weights:
        for tensor in _safetensors_header(files[path]):
            elements = 1
            for length in tensor["shape"]:
                elements *= length
            by_dtype[tensor["dtype"]] = by_dtype.get(tensor["dtype"], 0) + elements
    return {"parameters": by_dtype, "total": sum(by_dtype.values())} if by_dtype else None


def _safetensors_header(file: Path) -> list[dict[str, Any]]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        text = stream.read(length) if length <= HEADER_LIMIT_BYTES else b""
    try:
        header = json.loads(text)
    except ValueError:
        return []
    return [tensor for name, tensor in header.items() if name != "__metadata__"]


def _front_matter(readme: Path | None) -> dict[str, Any] | None:
    if readme is None:
        return None
    text = readme.read_text("utf-8", errors="replace")
    match = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    try:
        card = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        return None
    # YAML has dates, JSON does not: the Hub returns them as text.
    return json.loads(json.dumps(card, default=str)) if isinstance(card, dict) else None


def _json_object(file: Path | None) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes()) if file else None
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

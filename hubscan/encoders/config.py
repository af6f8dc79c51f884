"""Read a checkpoint's config without what only says how the network was run, or what it returned.

The same weights are read the same way wherever they were trained: a config that asks for flash attention,
tuples or a dtype describes another machine or another caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

from hubscan.encoders.declared import stated
from hubscan.families import loaded_as

HOW_IT_WAS_RUN: Final = (
    # what it returned
    *("return_dict", "use_return_dict", "torchscript", "output_hidden_states", "output_attentions"),
    *("output_scores", "output_router_logits"),
    # with which kernels, and how it saved memory
    *("*attn_implementation*", "*experts_implementation*", "*flash_attn*", "use_flash_attention*"),
    *("use_memory_efficient_attention", "unpad_inputs", "reference_compile", "use_kernels"),
    *("gradient_checkpointing", "chunk_size_feed_forward", "torch_dtype", "dtype"),
    # what a head on top was trained for
    *("problem_type",),
)
"""Keys, or patterns of keys, of a config and of those nested in it."""

LABELS: Final = ("id2label", "label2id", "num_labels")
EAGER: Final = "eager"  # the one attention that is always there; some configs state it for its exactness


def read_config(folder: Path) -> Any:
    """Return the config in *folder*, of the class that `AutoConfig` takes.

    Raises:
        Exception: whatever transformers raises for a damaged config.
    """
    whole, _ = PreTrainedConfig.get_config_dict(folder, local_files_only=True)
    config = essential(whole)
    kind = loaded_as(config)
    if kind not in CONFIG_MAPPING or config.get("auto_map"):
        # It says why not.
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    return CONFIG_MAPPING[kind].from_dict({**config, "model_type": kind}, name_or_path=str(folder))


def config_for_processor(folder: Path) -> Any:
    """Return the config if it has to tell the class of the processor; None if the processor's files do.

    With a config, transformers would replace a class that is not available by the usual one of the family.
    """
    both = stated(folder / "processor_config.json")
    nested = [both.get(part) for part in ("image_processor", "feature_extractor")]
    own = [stated(folder / "preprocessor_config.json"), *(part for part in nested if isinstance(part, dict))]
    kinds = ("image_processor_type", "feature_extractor_type")
    return None if any(part.get(kind) for part in own for kind in kinds) else read_config(folder)


def essential(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a config that decides features, with a padding token that the network has."""
    kept = {key: _nested(key, value) for key, value in config.items() if not _says_how(key, value)}
    if not _numbered(kept.get("id2label", {})):
        kept = {key: value for key, value in kept.items() if key not in LABELS}
    if kept.get("num_labels", 0) is None:
        del kept["num_labels"]
    if not kept.get("quantization_config", True):  # empty: nothing is quantised
        del kept["quantization_config"]
    if kept.get("auto_map", True) is None:
        del kept["auto_map"]
    return _with_a_padding_token(kept)


def _nested(key: str, value: Any) -> Any:
    return essential(value) if isinstance(value, dict) and key not in LABELS else value


def _says_how(key: str, value: Any) -> bool:
    exact = value == EAGER and key in ("_attn_implementation", "attn_implementation")
    return not exact and any(fnmatch(key, pattern) for pattern in HOW_IT_WAS_RUN)


def _numbered(labels: Any) -> bool:
    return labels is None or (isinstance(labels, dict) and all(str(key).isdigit() for key in labels))


def _with_a_padding_token(config: dict[str, Any]) -> dict[str, Any]:
    """Return *config*, with its family's padding token instead of none or one outside the vocabulary.

    The network would not be built, or could not count positions. Of a negative one, torch makes the last row.
    """
    kind = config.get("model_type")
    known = CONFIG_MAPPING[kind] if isinstance(kind, str) and kind in CONFIG_MAPPING else None
    token, rows = config.get("pad_token_id", 0), config.get("vocab_size", getattr(known, "vocab_size", None))
    if not isinstance(rows, int) or (isinstance(token, int) and token < rows):
        return config
    rest = {key: value for key, value in config.items() if key != "pad_token_id"}
    usual = getattr(known, "pad_token_id", None)
    fits = known is None or (isinstance(usual, int) and usual < rows)
    return rest if fits else {**rest, "pad_token_id": None}

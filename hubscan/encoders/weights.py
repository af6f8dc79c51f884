"""Load a checkpoint's network, and refuse it if weights are missing, left over or of the wrong shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils import logging

from hubscan.encoders.network import network_class
from hubscan.encoders.stated_sizes import refuse_other_sizes
from hubscan.errors import CheckpointError
from hubscan.families import ATTRIBUTES, family_of
from hubscan.records import Modality, Precision

EXPLAINED: Final = (ValueError, ImportError, ModuleNotFoundError)
"""What transformers raises with an explanation; for an unexpected value Python raises anything."""
UNUSED: Final = ("mask_token", "masked_spec_embed")
"""Weights that replace masked inputs in pretraining; features are computed without masking."""
BUFFERS: Final = (
    *("position_ids", "token_type_ids", "inv_freq", "relative_position_index", "relative_coords_table"),
    *("attn.bias", "masked_bias", "num_batches_tracked"),
)
"""What older versions of transformers stored with the weights; newer ones compute it."""


def load_model(folder: Path, modality: Modality, dtype: Precision) -> tuple[torch.nn.Module, frozenset[str]]:
    """Return the encoder's network in evaluation mode, and the names of the pooler weights that it lacks.

    From a dual encoder, return the tower of *modality*; from an encoder-decoder, its encoder. *dtype*
    overrides the checkpoint's own.

    Raises:
        CheckpointError: naming the weights, if any that features depend on are missing, have the wrong shape,
            or do not belong to the network. Transformers initialises missing weights at random and ignores
            surplus ones, with a log line at most.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with load_errors("its network cannot be built from config.json"):
        network, config = network_class(folder, modality)
        refuse_other_sizes(folder, network, config)
        model, report = network.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **family_of(config.model_type).arguments,
            ignore_mismatched_sizes=True,  # or the error would not name them; they are refused below
        )
    tower = _tower(model, modality)
    missing = frozenset(
        key for key in report["missing_keys"] if not key.endswith(UNUSED) and _reached(model, tower, key)
    )
    poolers = frozenset(key for key in missing if "pooler" in key.split("."))
    if lost := _first_of(missing - poolers):
        raise CheckpointError(f"weights missing from the file: {lost}; save the whole model again")
    if misfits := _first_of(key for key, *_ in report["mismatched_keys"]):
        raise CheckpointError(f"weights whose shape contradicts the config: {misfits}; correct config.json")
    if surplus := _first_of(_surplus(model, report["unexpected_keys"])):
        raise CheckpointError(f"weights that the config does not provide for: {surplus}; correct config.json")
    return tower.eval().requires_grad_(False), poolers


def _reached(model: torch.nn.Module, tower: torch.nn.Module, key: str) -> bool:
    """Return whether the weight *key* of *model* is one of *tower*, or shared with it.

    Weights outside the tower may be missing: an audio classifier made from Whisper has only the encoder.
    """
    weight = dict(model.named_parameters(remove_duplicate=False)).get(key)
    return weight is None or any(weight is own for own in tower.parameters())


def _surplus(model: Any, unexpected: Iterable[str]) -> list[str]:
    """Return those of *unexpected* that belong to the encoder, and not to a head on top of it.

    They are inside a part that the network has, such as a thirteenth layer if the config states twelve.
    """
    parts = {name for name, part in model.named_children()}
    prefix = f"{model.base_model_prefix}."
    return [
        key
        for key in unexpected
        if key.removeprefix(prefix).partition(".")[0] in parts and not key.endswith(BUFFERS)
    ]


def _first_of(keys: Iterable[str]) -> str:
    """Return the first three of *keys* for a message, "" if there are none."""
    named = sorted(keys)
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")


def _tower(model: PreTrainedModel, modality: Modality) -> torch.nn.Module:
    for name in ATTRIBUTES[modality]:
        tower = getattr(model, name, None)
        if isinstance(tower, torch.nn.Module):
            return tower
    if getattr(model.config, "is_encoder_decoder", False):
        encoder: torch.nn.Module = model.get_encoder()
        return encoder
    return model


@contextmanager
def load_errors(what: str) -> Iterator[None]:
    """Turn any exception that transformers raises for a broken folder into a one-line `CheckpointError`.

    *what* says what failed; it is used where the exception itself is no explanation.

    The folder comes from a stranger, and its config can make any line of a model's constructor fail. So every
    `Exception` counts as the checkpoint's fault, except our own errors and running out of memory.
    """
    try:
        yield
    except (CheckpointError, MemoryError, torch.OutOfMemoryError):
        raise
    except SafetensorError as error:
        raise CheckpointError(f"weights are damaged: {error}; download or save them again") from error
    except Exception as error:
        raise CheckpointError(_reason(error, what)) from error


def _reason(error: Exception, what: str) -> str:
    """Return the line of *error* that says what is wrong: the rest is advice for callers of transformers.

    That is the first, unless it only introduces the next ("Validation error for field 'x':") or begins the
    print of a module.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    text = (
        " ".join(lines[:2]) if lines[0].endswith(":") else lines[-1] if lines[0].endswith("(") else lines[0]
    )
    if text and (type(error) in EXPLAINED or isinstance(error, OSError)):
        return text[:300]
    cause = f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
    return f"{what} ({cause}); correct it, or choose another checkpoint"

"""A folder in, a model in float32 out, with every weight accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModel
from transformers.utils import logging

from hubscan.errors import CheckpointError
from hubscan.records import Modality

TOWERS = {"text": "text_model", "image": "vision_model"}


def load_model(folder: Path, modality: Modality) -> tuple[torch.nn.Module, frozenset[str]]:
    """Return the encoder's network in evaluation mode, and the names of the pooler weights it lacks.

    Of a dual encoder the tower of *modality* is returned, of an encoder-decoder its encoder. The
    checkpoint's own dtype is overruled: covariances of bfloat16 features are wrong.

    Raises:
        CheckpointError: if weights other than a pooler's are missing or do not fit, since
            transformers makes those up at random and says so in a log line at most.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with load_errors():
        model, report = AutoModel.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    missing = frozenset(report["missing_keys"])
    poolers = frozenset(key for key in missing if "pooler" in key.split("."))
    made_up = sorted(missing - poolers) + sorted(str(key) for key in report["mismatched_keys"])
    if made_up:
        more = f" and {len(made_up) - 3} more" if len(made_up) > 3 else ""
        raise CheckpointError(f"weights missing from the file: {', '.join(made_up[:3])}{more}")
    return _tower(model, modality).eval().requires_grad_(False), poolers


def _tower(model: Any, modality: Modality) -> torch.nn.Module:
    tower = getattr(model, TOWERS[modality], None)
    if isinstance(tower, torch.nn.Module):
        return tower
    if getattr(model.config, "is_encoder_decoder", False):
        encoder: torch.nn.Module = model.get_encoder()
        return encoder
    network: torch.nn.Module = model
    return network


@contextmanager
def load_errors() -> Iterator[None]:
    """Turn whatever transformers raises on a broken folder into one line.

    The folder is a stranger's: its config can make any line of a model's constructor fail, so
    every `Exception` is the checkpoint's fault here, except our own and running out of memory.
    """
    try:
        yield
    except (CheckpointError, MemoryError, torch.OutOfMemoryError):
        raise
    except SafetensorError as error:
        raise CheckpointError(f"weights are damaged: {error}") from error
    except Exception as error:
        raise CheckpointError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Return the first sentence of *error*: the rest is advice for callers of transformers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    kind = "" if isinstance(error, OSError | ValueError | ImportError) else f"{type(error).__name__}: "
    return (kind + text)[:300] or type(error).__name__

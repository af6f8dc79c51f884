"""Decide how to read a text network that declares no pooling: by its family's entry, or by a test run."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Final

import torch

from hubscan.families import Padding, tower_of

CLOSE: Final = 1e-4
ANY_VOCABULARY: Final = 200  # token ids that exist even if the config states no vocabulary: bytes, letters


def is_causal(model: Any) -> bool:
    """Return whether a token's state is independent of all later tokens.

    Run the network on two rows that differ only in their last token, because configs state it in many ways
    or not at all (`is_decoder`, `is_causal`, `use_bidirectional_attention`, or the class itself).

    In a causal network only the last state depends on the whole text, and a classifier reads that one:
    `ForSequenceClassification` of the decoders in transformers does, according to their docstrings, and so
    does sentence-transformers with a causal model that declares no pooling.
    """
    middle = (getattr(model.config, "vocab_size", None) or ANY_VOCABULARY) // 2
    rows = torch.full((2, 4), middle)
    rows[1, -1] += 1
    with torch.inference_mode():
        states = model(**accepted(model, {"input_ids": rows, "attention_mask": torch.ones_like(rows)}))[0]
    one, other = states.float()
    moved = (one - other).abs().amax(1) > CLOSE * one.abs().max()
    return bool(moved[-1] and not moved[:-1].any())  # moved[-1]: the two tokens have different vectors


def accepted(model: Any, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of *batch* that the network accepts by name; a tokenizer may give more."""
    names = signature(model.forward).parameters
    return {name: tensor for name, tensor in batch.items() if name in names}


def padding(model: Any) -> Padding:
    """Return how the network treats the padding of a batch.

    FNet's Fourier transform takes no mask, and its documentation asks for the length used in training.
    SigLIP was trained without a mask, and its documentation asks for `padding="max_length"`.
    """
    if "attention_mask" not in signature(model.forward).parameters:
        return "read"
    known = tower_of(model.config.model_type, "text")
    return known.padding if known else "masked"


def convention(model: Any, missing_pooler: frozenset[str]) -> str | None:
    """Return the pooling for a text network that declares none; None stands for the mean.

    The family's pooler is ignored if *missing_pooler* names weights that are not in the file. In a causal
    model only the last token's state depends on the whole text.
    """
    known = tower_of(model.config.model_type, "text")
    if known and known.pooling and not (known.pooling == "pooler" and missing_pooler):
        return known.pooling
    return "last" if is_causal(model) else None

"""How a text network that declares nothing is read: by its family's entry, or by what it is seen to do."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Final

import torch

from hubscan.families import Padding, tower_of

CLOSE: Final = 1e-4
ANY_VOCABULARY: Final = 200  # token ids that there are where a config does not say how many: bytes, letters


def is_causal(model: Any) -> bool:
    """Return whether a token's state depends on nothing behind it.

    This is tried out, with two rows that differ in their last token alone. Configs say it in many
    ways, or not at all (`is_decoder`, `is_causal`, `use_bidirectional_attention`, or the class itself).

    The last state is the only one that has seen the whole text then, and what a classifier on top reads:
    the `ForSequenceClassification` of transformers' decoders do, as their docstrings say, and so does
    sentence-transformers with a causal model that declares no pooling.
    """
    middle = (getattr(model.config, "vocab_size", None) or ANY_VOCABULARY) // 2
    rows = torch.full((2, 4), middle)
    rows[1, -1] += 1
    with torch.inference_mode():
        states = model(**accepted(model, {"input_ids": rows, "attention_mask": torch.ones_like(rows)}))[0]
    one, other = states.float()
    moved = (one - other).abs().amax(1) > CLOSE * one.abs().max()
    return bool(moved[-1] and not moved[:-1].any())  # two tokens with one vector would show nothing


def accepted(model: Any, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return what of *batch* the network takes by name; a tokenizer may make more."""
    names = signature(model.forward).parameters
    return {name: tensor for name, tensor in batch.items() if name in names}


def padding(model: Any) -> Padding:
    """Return how the network takes the padding of a batch.

    FNet's Fourier transform takes no mask, and its documentation asks for the length of training;
    SigLIP's asks for `padding="max_length"`, and was trained without a mask.
    """
    if "attention_mask" not in signature(model.forward).parameters:
        return "read"
    known = tower_of(model.config.model_type, "text")
    return known.padding if known else "masked"


def convention(model: Any, missing_pooler: frozenset[str]) -> str | None:
    """Return how the family reads a text that declares nothing, None if the mean serves.

    A pooler that was trained is left aside if *missing_pooler* says that it is not in the file; of a
    causal model the last token alone has seen the text.
    """
    known = tower_of(model.config.model_type, "text")
    if known and known.pooling and not (known.pooling == "pooler" and missing_pooler):
        return known.pooling
    return "last" if is_causal(model) else None

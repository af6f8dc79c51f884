"""What is known of families of text encoders and not said in their files."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Final

import torch

SET: Final[Mapping[str, Mapping[str, object]]] = {
    # Pretraining hides three patches of four by chance, and so would every forward pass.
    "vit_mae": {"mask_ratio": 0.0},
    # Its text tower is causal, but for a batch without padding: other kernels than this one get no mask then.
    "aimv2": {"_attn_implementation": "eager"},
    # Its sparse attention is full attention in batches of short rows, and stays so from the first such
    # batch on: a row's features would depend on what went before.
    "big_bird": {"attention_type": "original_full"},
}
"""What is set in the config of a model type, so that a row has the same features in any company."""

READS_PADDING: Final = frozenset({"canine", "convbert", "funnel", "mobilebert", "nystromformer", "yoso"})
"""Model types whose states depend on how far a row is padded, mask or no mask: a convolution or the
neighbours' embeddings run into the padding, strides are taken over it, or the mask does not reach the
attention. Rows of one length go in together."""

SIGLIP: Final = frozenset({"siglip_text_model", "siglip2_text_model"})
"""Model types of text towers that were trained on padding, and through a head at the last place."""

TEXT_TOWERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("chinese_clip_text_model", "blip_text_model", "align_text_model"), "cls"),
    **dict.fromkeys(("flava_text_model", "altclip_text_model"), "cls"),
    **dict.fromkeys(("clip_text_model", "metaclip_2_text_model", "clipseg_text_model"), "last"),
    **dict.fromkeys(("owlvit_text_model", "owlv2_text_model", "groupvit_text_model"), "last"),
    "aimv2_text_model": "last",
}
"""The state that the contrastive head of a dual encoder projects: of the first token, or of the end's."""

UNUSABLE: Final[Mapping[str, str]] = {
    "mra": "attends to nothing without a CUDA kernel of its own, which hubscan does not download",
}
"""Model types that run and give no features."""

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


def fills_up(model: Any) -> bool:
    """Return whether rows are padded to the limit and the padding is read, as it was in training.

    FNet's Fourier transform takes no mask, and its documentation asks for the length of training;
    SigLIP's asks for `padding="max_length"`, and was trained without a mask.
    """
    unmasked = model.config.model_type in SIGLIP
    return unmasked or "attention_mask" not in signature(model.forward).parameters


def convention(model: Any, missing_pooler: frozenset[str]) -> str | None:
    """Return how the family reads a text that declares nothing, None if the mean serves.

    SigLIP's text tower was trained through its head, unless *missing_pooler* says that this is not in
    the file; of a causal model the last token alone has seen the text.
    """
    if model.config.model_type in SIGLIP and not missing_pooler:
        return "pooler"
    if model.config.model_type in TEXT_TOWERS:
        return TEXT_TOWERS[model.config.model_type]
    return "last" if is_causal(model) else None

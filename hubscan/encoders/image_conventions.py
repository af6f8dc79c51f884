"""Which vector of a vision network was trained: what its family's entry says, or the general rule.

A network without an entry that says so is read by its class token if it has one, and by the mean over its
patches, or over the places of its last feature map, if it has none.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hubscan.families import tower_of

PREFIXES: Final = ("cls_token", "class_embedding", "distillation_token", "register_tokens")
"""Weights of the embeddings that become states in front of the patches'."""


class Reading(NamedTuple):
    """How the last layer becomes a vector, and how the layers before it do."""

    last: str
    before: str | None = None  # as the last, if none; where that is a pooler, the mean


def reading(model: Any, missing_pooler: frozenset[str]) -> Reading | None:
    """Return how the family of *model* is read, None if the mean serves for want of anything known.

    Args:
        model: the tower that runs.
        missing_pooler: weights of its pooler that are not in the file, so that it cannot be used.
    """
    known = tower_of(model.config.model_type, "image")
    if known and known.pooler_if and not getattr(model.config, known.pooler_if, True):
        known = None  # its pooler takes the class token then, and the norm stands before that
    if known and known.pooling:
        made_up = known.pooling == "pooler" and missing_pooler
        return Reading("mean") if made_up else Reading(known.pooling, known.layers_pooling)
    return Reading("cls") if prefix_length(model) else None


def prefix_length(model: Any) -> int:
    """Return how many states stand in front of the patches': class, distillation and register tokens."""
    tokens = (
        1 if weight.ndim == 1 else weight.shape[1]
        for name, weight in model.named_parameters()
        if name.startswith("embeddings.") and name.rsplit(".", 1)[-1] in PREFIXES
    )
    return sum(tokens)

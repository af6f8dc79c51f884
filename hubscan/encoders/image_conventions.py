"""Decide which vector of a vision network was trained: by its family's entry, or by the general rule.

The general rule is the class token if the network has one, and otherwise the mean over its patches or over
the positions of its last feature map.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hubscan.families import tower_of

PREFIXES: Final = ("cls_token", "class_embedding", "distillation_token", "register_tokens")
"""Weights of the embeddings that become states before those of the patches."""


class Reading(NamedTuple):
    """The pooling of the last layer, and of the layers before it."""

    last: str
    before: str | None = None  # None: as the last layer, or the mean if that has a pooler


def reading(model: Any, missing_pooler: frozenset[str]) -> Reading | None:
    """Return how to read *model*, None (the mean) if nothing is known.

    Args:
        model: the tower that runs.
        missing_pooler: weights of its pooler that are not in the file; the pooler is then not used.
    """
    known = tower_of(model.config.model_type, "image")
    if known and known.pooler_if and not getattr(model.config, known.pooler_if, True):
        known = None  # its pooler then takes the class token, and the norm comes before it
    if known and known.pooling:
        made_up = known.pooling == "pooler" and missing_pooler
        return Reading("mean") if made_up else Reading(known.pooling, known.layers_pooling)
    return Reading("cls") if prefix_length(model) else None


def prefix_length(model: Any) -> int:
    """Return how many states come before those of the patches: class, distillation and register tokens."""
    tokens = (
        1 if weight.ndim == 1 else weight.shape[1]
        for name, weight in model.named_parameters()
        if name.startswith("embeddings.") and name.rsplit(".", 1)[-1] in PREFIXES
    )
    return sum(tokens)

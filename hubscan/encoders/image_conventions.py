"""What is known of families of image encoders and not said in their files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Reading(NamedTuple):
    """How a family's states become one vector."""

    last: str  # of the last layer
    before: str  # of the layers before it, which lack what the last one has


# The class token behind the final norm: what the contrastive head projects, and the linear probe of
# the CLIP paper reads. The states that the network gives out beside it are not normed.
NORMED_CLASS: Final = Reading("pooler", "cls")
# The mean of the patches or of the map behind the norm that the trained classifier read it through.
NORMED_MEAN: Final = Reading("pooler", "mean")

READINGS: Final[Mapping[str, Reading]] = {
    **dict.fromkeys(
        (
            *("clip_vision_model", "chinese_clip_vision_model", "altclip_vision_model"),
            *("metaclip_2_vision_model", "clipseg_vision_model", "owlvit_vision_model"),
            *("owlv2_vision_model", "mlcd_vision_model", "mlcd"),
        ),
        NORMED_CLASS,
    ),
    **dict.fromkeys(
        ("beit", "data2vec-vision", "hiera", "convnext", "convnextv2", "dinov3_convnext"), NORMED_MEAN
    ),
    "pixio": Reading("pooler", "mean"),  # the mean of its eight class tokens
    # Its loss reads the patches, and no class token is trained.
    "vit_mae": Reading("mean", "mean"),
    # These put their class token in front of the last stage alone.
    "pvt": Reading("cls", "mean"),
    "cvt": Reading("cls", "mean"),
}
"""How model types are read whose way cannot be seen from their networks."""

MADE_WITH: Final[Mapping[str, Mapping[str, bool]]] = {"data2vec-vision": {"add_pooling_layer": True}}
"""What a network has to be told to have the pooler that its family's classifiers read."""

TOKENS: Final = ("cls_token", "class_embedding", "distillation_token", "register_tokens")


def tokens_in_front(model: Any) -> int:
    """Return how many states before the patches are of no place in the picture.

    Only those that the embeddings put there: a class token that comes later, in a head or before the
    last stage, is no state of every layer.
    """
    found = (
        weight
        for name, weight in model.named_parameters()
        if name.split(".")[-2:-1] == ["embeddings"] and name.endswith(TOKENS)
    )
    return sum(weight.shape[-2] if weight.ndim > 1 else 1 for weight in found)


def reading(model: Any, missing_pooler: frozenset[str]) -> Reading | None:
    """Return how the family is read, None if the mean of all places serves.

    A type that is not in the table: by its class token if it has one in front of the patches, else
    through a head that pools by attention, as SigLIP's and AIMv2's do. What is not in the file
    (*missing_pooler*) reads nothing.
    """
    known = READINGS.get(model.config.model_type)
    # Without the mean, BEiT's pooler is its class token, and the norm stands before it.
    if known and (known.last != "pooler" or getattr(model.config, "use_mean_pooling", True)):
        return None if known.last == "pooler" and missing_pooler else known
    if tokens_in_front(model):
        return Reading("cls", "cls")
    has_head = getattr(model, "use_head", False) and hasattr(model, "head") and not missing_pooler
    return Reading("pooler", "mean") if has_head else None


def before(model: Any, pooling: str) -> str:
    """Return how the layers before the last are pooled where that is by *pooling*."""
    known = READINGS.get(model.config.model_type)
    if known and known.last == pooling:
        return known.before
    return "mean" if pooling == "pooler" else pooling

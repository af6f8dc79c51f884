"""What is known of families of vision encoders and not said in their files: which vector was trained.

A family that is not named here is read by its class token if it has one, and by the mean over its
patches, or over the places of its last feature map, if it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

PREFIXES: Final = ("cls_token", "class_embedding", "distillation_token", "register_tokens")
"""Weights of the embeddings that become states in front of the patches'."""


MADE_WITH: Final[Mapping[str, Mapping[str, bool]]] = {"data2vec-vision": {"add_pooling_layer": True}}
"""What a network is told, to have the pooler that the classifiers of its family read."""


class Reading(NamedTuple):
    """How the last layer becomes a vector, and how the layers before it do."""

    last: str
    before: str


NORMED_CLASS: Final = Reading("pooler", "cls")
HEAD: Final = Reading("pooler", "mean")
MEAN: Final = Reading("mean", "mean")

READINGS: Final[Mapping[str, Reading]] = {
    # CLIP and its relatives norm the class token alone, behind the last layer: that is what the text's
    # vector was held to, and before its projection what the CLIP paper's linear probes read (Radford et
    # al., 2021, arXiv 2103.00020, appendix A.3).
    **dict.fromkeys(
        [
            *("clip_vision_model", "chinese_clip_vision_model", "altclip_vision_model"),
            *("metaclip_2_vision_model", "clipseg_vision_model", "owlvit_vision_model", "owlv2_vision_model"),
            "mlcd_vision_model",
        ],
        NORMED_CLASS,
    ),
    # A head of one attention over the patches, trained with the rest (SigLIP: Zhai et al., 2023, arXiv
    # 2303.15343; AIMv2: Fini et al., 2024, arXiv 2411.14402).
    **dict.fromkeys(["siglip_vision_model", "siglip2_vision_model", "aimv2_vision_model"], HEAD),
    # The mean of the patches, or of the map, behind a norm that the classifier was trained on.
    **dict.fromkeys(["beit", "data2vec-vision", "convnext", "convnextv2", "dinov3_convnext", "hiera"], HEAD),
    # The class token and the mean of the patches side by side, as the classifiers of transformers read
    # them, and linear probes of the paper that joined the two (Oquab et al., 2023, arXiv 2304.07193). The
    # patches say what the token alone does not: see benchmarks/README.md.
    **dict.fromkeys(["dinov2", "dinov2_with_registers"], Reading("cls+mean", "cls+mean")),
    "pixio": HEAD,  # eight class tokens, of which it gives the mean
    "internvl_vision": MEAN,  # its projector drops the class token, which nothing else was trained to read
    # The class token comes in with the last stage; CvT's stands apart from the map.
    **dict.fromkeys(["pvt", "cvt"], Reading("cls", "mean")),
}


def reading(model: Any, missing_pooler: frozenset[str]) -> Reading | None:
    """Return how the family of *model* is read, None if the mean serves for want of anything known.

    Args:
        model: the tower that runs.
        missing_pooler: weights of its pooler that are not in the file, so that it cannot be used.
    """
    known = READINGS.get(model.config.model_type)
    if known is HEAD and not getattr(model.config, "use_mean_pooling", True):
        known = None  # BEiT's pooler is its class token then, and the norm stands before it
    if known is not None:
        return MEAN if known.last == "pooler" and missing_pooler else known
    return Reading("cls", "cls") if prefix_length(model) else None


def prefix_length(model: Any) -> int:
    """Return how many states stand in front of the patches': class, distillation and register tokens."""
    tokens = (
        1 if weight.ndim == 1 else weight.shape[1]
        for name, weight in model.named_parameters()
        if name.startswith("embeddings.") and name.rsplit(".", 1)[-1] in PREFIXES
    )
    return sum(tokens)

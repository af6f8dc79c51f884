"""What hubscan knows about families of encoders beyond what a checkpoint's own files state.

The general rules of `hubscan.encoders` cover every model type that transformers knows; an entry here states
where a family departs from them. The listing uses this table too, so it imports neither torch nor
transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from hubscan.records import Modality

Padding = Literal["masked", "avoided", "read"]
"""How a text tower treats the padding of a batch.

- "masked": the mask keeps the padding out of the states.
- "avoided": states depend on the amount of padding despite the mask: a convolution, the embeddings of
  neighbours or a stride reaches into it, or the attention ignores the mask. A batch gets rows of one length.
- "read": rows are padded to the limit without a mask, as in training.
"""

ATTRIBUTES: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("text_model",),
    "image": ("vision_model", "image_model"),
    "audio": ("audio_model",),
}
"""Names of a model's towers in transformers, also for families without an entry, such as BLIP-2."""


@dataclass(frozen=True)
class Tower:
    """The network of a family that reads one modality.

    Without a pooling the general rule applies: the last token of a causal text network, the class token of a
    vision network that has one, and otherwise the mean.
    """

    model_type: str  # as in the tower's own config, not the dual encoder's
    pooling: str | None = None
    layers_pooling: str | None = (
        None  # of earlier layers; None: as the last layer, or mean if it has a pooler
    )
    pooler_if: str | None = None  # a setting of the config; if it is false, the pooler was not trained
    padding: Padding = "masked"
    hops_a_state: int | None = None  # of audio padded with silence to a window: hops that one state covers
    inputs: Mapping[str, bool] = field(default_factory=dict)  # further inputs, the same for every row


@dataclass(frozen=True)
class Family:
    """A model type, as the `config.json` of its checkpoints states it."""

    model_type: str
    towers: Mapping[Modality, Tower] = field(default_factory=dict)
    config: Mapping[str, object] = field(
        default_factory=dict
    )  # settings that make each row's features its own
    arguments: Mapping[str, bool] = field(default_factory=dict)  # of the network's constructor
    static: bool = False  # a table of token vectors, which transformers does not know
    unusable: str | None = None  # why its network runs but gives no features
    purpose: str | None = None  # what it is instead of an encoder, if transformers does not say

    @property
    def is_dual(self) -> bool:
        """Return whether it has several encoders, which were trained to agree."""
        return len(self.towers) > 1


def _image(model_type: str, pooling: str, layers_pooling: str | None = None) -> Family:
    return Family(model_type, {"image": Tower(model_type, pooling, layers_pooling)})


_DUAL_ENCODERS: Final = (
    # CLIP and its relatives normalise only the class token after the last layer: the contrastive loss
    # compares it, projected, with the text's vector, and the linear probes of the CLIP paper read it before
    # the projection (Radford et al., 2021, arXiv 2103.00020, appendix A.3). For a text, the contrastive head
    # projects one state: that of the end token or of the first.
    *(
        Family(
            model_type,
            {
                "image": Tower(f"{model_type}_vision_model", "pooler", layers_pooling="cls"),
                "text": Tower(f"{model_type}_text_model", text),
            },
        )
        for model_type, text in (
            *(("clip", "last"), ("metaclip_2", "last"), ("clipseg", "last"), ("owlvit", "last")),
            *(("owlv2", "last"), ("chinese_clip", "cls"), ("altclip", "cls")),
        )
    ),
    # The pooler is an attention over the patches, trained with the rest (Zhai et al., 2023, arXiv
    # 2303.15343). The text tower was trained on padded texts, with a head on the last position.
    *(
        Family(
            model_type,
            {
                "image": Tower(f"{model_type}_vision_model", "pooler"),
                "text": Tower(f"{model_type}_text_model", "pooler", padding="read"),
            },
        )
        for model_type in ("siglip", "siglip2")
    ),
    Family(
        "aimv2",
        {
            # A head like SigLIP's (Fini et al., 2024, arXiv 2411.14402).
            "image": Tower("aimv2_vision_model", "pooler"),
            "text": Tower("aimv2_text_model", "last"),
        },
        # Its text tower is causal, but kernels other than this one get no mask if a batch has no padding.
        config={"_attn_implementation": "eager"},
    ),
    # Their contrastive heads read the state of one token of a text; their vision towers follow the rules.
    Family("align", {"image": Tower("align_vision_model"), "text": Tower("align_text_model", "cls")}),
    Family("blip", {"image": Tower("blip_vision_model"), "text": Tower("blip_text_model", "cls")}),
    Family("flava", {"image": Tower("flava_image_model"), "text": Tower("flava_text_model", "cls")}),
    Family(
        "groupvit", {"image": Tower("groupvit_vision_model"), "text": Tower("groupvit_text_model", "last")}
    ),
    Family(
        "clap",
        {
            "audio": Tower(
                "clap_audio_model",
                "pooler",  # the mean over its map
                # All clips are cut to its window. Its own extractor marks a random one of a batch as longer.
                inputs={"is_longer": False},
            ),
            "text": Tower("clap_text_model"),
        },
    ),
)

_IMAGE_ENCODERS: Final = (
    _image("mlcd_vision_model", "pooler", layers_pooling="cls"),  # as CLIP's vision tower
    # The mean of the patches or of the feature map, normalised as the classifier was trained on.
    *(_image(model_type, "pooler") for model_type in ("convnext", "convnextv2", "dinov3_convnext", "hiera")),
    # As those, unless the config says that the class token was trained; the norm then comes before it.
    Family("beit", {"image": Tower("beit", "pooler", pooler_if="use_mean_pooling")}),
    Family(
        "data2vec-vision",
        {"image": Tower("data2vec-vision", "pooler", pooler_if="use_mean_pooling")},
        arguments={"add_pooling_layer": True},  # without it there is no pooler, which its classifier reads
    ),
    # The class token and the mean of the patches, concatenated, as the classifiers of transformers and the
    # paper's linear probes on both read them (Oquab et al., 2023, arXiv 2304.07193). The patches contain
    # information that the token lacks: see docs/research-log.md.
    *(_image(model_type, "cls+mean") for model_type in ("dinov2", "dinov2_with_registers")),
    _image("pixio", "pooler"),  # the mean of its eight class tokens
    # Its projector drops the class token, which nothing else was trained to read.
    _image("internvl_vision", "mean"),
    # The class token enters at the last stage; CvT returns it separately from the feature map.
    *(_image(model_type, "cls", layers_pooling="mean") for model_type in ("pvt", "cvt")),
    Family(
        "vit_mae",
        {"image": Tower("vit_mae")},
        config={"mask_ratio": 0.0},  # pretraining hides three of four patches at random
    ),
)

_TEXT_ENCODERS: Final = (
    *(
        Family(model_type, {"text": Tower(model_type, padding="avoided")})
        for model_type in ("canine", "convbert", "funnel", "mobilebert", "nystromformer", "yoso")
    ),
    Family(
        "big_bird",
        {"text": Tower("big_bird")},
        # In a batch of short rows its sparse attention becomes full attention, and stays so: a row's features
        # would depend on earlier batches.
        config={"attention_type": "original_full"},
    ),
    Family(
        "mra",
        {"text": Tower("mra")},
        unusable="needs its own CUDA kernel for attention, which hubscan does not download",
    ),
    Family("model2vec", {"text": Tower("model2vec")}, static=True),
)

_AUDIO_ENCODERS: Final = (
    # These read waveforms and give a state every 20 or 40 ms, none of which summarises the clip.
    *(
        Family(model_type, {"audio": Tower(model_type)})
        for model_type in (
            *("wav2vec2", "wav2vec2-conformer", "wav2vec2-bert", "hubert", "wavlm"),
            *("unispeech", "unispeech-sat", "data2vec-audio", "sew", "sew-d"),
        )
    ),
    # These read a spectrogram of a fixed width, their window, as CLAP does.
    Family("whisper", {"audio": Tower("whisper", hops_a_state=2)}),
    Family(
        "audio-spectrogram-transformer",
        # The mean of its class and its distillation token.
        {"audio": Tower("audio-spectrogram-transformer", "pooler")},
    ),
)

_NO_ENCODERS: Final = (
    Family("decision_transformer", purpose="a reinforcement learning policy"),
    *(Family(model_type, purpose="a vocoder") for model_type in ("univnet", "fastspeech2_conformer_hifigan")),
)

FAMILIES: Final[Mapping[str, Family]] = {
    family.model_type: family
    for family in (*_DUAL_ENCODERS, *_IMAGE_ENCODERS, *_TEXT_ENCODERS, *_AUDIO_ENCODERS, *_NO_ENCODERS)
}
"""By the model type of a checkpoint's `config.json`. Only audio encoders need an entry to be usable."""

_TOWERS: Final[Mapping[tuple[str, Modality], Tower]] = {
    (tower.model_type, modality): tower
    for family in FAMILIES.values()
    for modality, tower in family.towers.items()
}


def loaded_as(config: Mapping[str, object]) -> str:
    """Return the model type that transformers takes for *config*, which may not be the stated one."""
    stated = str(config.get("model_type"))
    return "ministral" if stated == "mistral" and "layer_types" in config else stated


def family_of(model_type: object) -> Family:
    """Return the entry of the type that a `config.json` states; an empty one for a type without an entry."""
    family = FAMILIES.get(model_type) if isinstance(model_type, str) else None
    return family or Family(str(model_type))


def tower_of(model_type: object, modality: Modality) -> Tower | None:
    """Return the entry of a network by the type in its own config and *modality*; None without an entry."""
    return _TOWERS.get((model_type, modality)) if isinstance(model_type, str) else None

"""List what hubscan knows of each family of encoders that a checkpoint's own files do not say.

A checkpoint needs no entry to be read: the general rules of `hubscan.encoders` hold for every type that
transformers knows. An entry says where a family departs from them. The listing asks this table as the
encoders do, so it imports neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from hubscan.records import Modality

Padding = Literal["masked", "avoided", "read"]
"""How a text tower takes the padding of a batch.

- "masked": the mask keeps it out of the states.
- "avoided": states depend on how far a row is padded, mask or no mask: a convolution or the neighbours'
  embeddings run into the padding, strides are taken over it, or the mask does not reach the attention.
  Rows of one length go in together.
- "read": rows are padded to the limit and no mask is given, as in training.
"""

ATTRIBUTES: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("text_model",),
    "image": ("vision_model", "image_model"),
    "audio": ("audio_model",),
}
"""What transformers calls the towers of a model; also in families without an entry, such as BLIP-2."""


@dataclass(frozen=True)
class Tower:
    """The network of a family that reads one modality.

    Without a pooling the general rule holds: the last token where a text network is causal, the class token
    where a vision network has one, and else the mean.
    """

    model_type: str  # in the config of the network that runs: a tower's own, not the dual encoder's
    pooling: str | None = None
    layers_pooling: str | None = None  # of the layers before the last; None: as the last, a pooler's the mean
    pooler_if: str | None = None  # a setting of the config; false says that no pooler was trained
    padding: Padding = "masked"
    hops_a_state: int | None = None  # of audio, where silence fills the window: what one state covers
    inputs: Mapping[str, bool] = field(default_factory=dict)  # beside the row, and the same for every row


@dataclass(frozen=True)
class Family:
    """A model type, as the `config.json` of its checkpoints states it."""

    model_type: str
    towers: Mapping[Modality, Tower] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)  # set, so that no row depends on its company
    arguments: Mapping[str, bool] = field(default_factory=dict)  # of the network's constructor
    static: bool = False  # a table of vectors by token, read without transformers, which does not know it
    unusable: str | None = None  # why its network runs and gives no features
    purpose: str | None = None  # what it is made for instead of encoding, where transformers does not say

    @property
    def is_dual(self) -> bool:
        """Return whether it holds several encoders, which were trained to agree."""
        return len(self.towers) > 1


def _image(model_type: str, pooling: str, layers_pooling: str | None = None) -> Family:
    return Family(model_type, {"image": Tower(model_type, pooling, layers_pooling)})


_DUAL_ENCODERS: Final = (
    # CLIP and its relatives norm the class token alone, behind the last layer: that is what the text's
    # vector was held to, and before its projection what the CLIP paper's linear probes read (Radford et
    # al., 2021, arXiv 2103.00020, appendix A.3). Of a text the contrastive head projects one state: of the
    # end, or of the first token.
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
    # A head of one attention over the patches, trained with the rest (Zhai et al., 2023, arXiv 2303.15343).
    # The text tower was trained on padding, and through a head at the last place.
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
        # Its text tower is causal, but for a batch without padding: other kernels than this one get no
        # mask then.
        config={"_attn_implementation": "eager"},
    ),
    # Their contrastive heads read the state of one token of a text; their vision towers go by the rules.
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
                # All are cut to its window. Its own extractor calls one of a batch longer, by chance.
                inputs={"is_longer": False},
            ),
            "text": Tower("clap_text_model"),
        },
    ),
)

_IMAGE_ENCODERS: Final = (
    _image("mlcd_vision_model", "pooler", layers_pooling="cls"),  # as CLIP's vision tower
    # The mean of the patches, or of the map, behind a norm that the classifier was trained on.
    *(_image(model_type, "pooler") for model_type in ("convnext", "convnextv2", "dinov3_convnext", "hiera")),
    # As those, unless the config says that the class token was trained, before which the norm stands then.
    Family("beit", {"image": Tower("beit", "pooler", pooler_if="use_mean_pooling")}),
    Family(
        "data2vec-vision",
        {"image": Tower("data2vec-vision", "pooler", pooler_if="use_mean_pooling")},
        arguments={"add_pooling_layer": True},  # else it has no pooler, which its classifier reads
    ),
    # The class token and the mean of the patches side by side, as the classifiers of transformers read
    # them, and linear probes of the paper that joined the two (Oquab et al., 2023, arXiv 2304.07193). The
    # patches say what the token alone does not: see benchmarks/README.md.
    *(_image(model_type, "cls+mean") for model_type in ("dinov2", "dinov2_with_registers")),
    _image("pixio", "pooler"),  # eight class tokens, of which it gives the mean
    # Its projector drops the class token, which nothing else was trained to read.
    _image("internvl_vision", "mean"),
    # The class token comes in with the last stage; CvT's stands apart from the map.
    *(_image(model_type, "cls", layers_pooling="mean") for model_type in ("pvt", "cvt")),
    Family(
        "vit_mae",
        {"image": Tower("vit_mae")},
        config={"mask_ratio": 0.0},  # pretraining hides three patches of four by chance
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
        # Its sparse attention is full attention in batches of short rows, and stays so from the first such
        # batch on: a row's features would depend on what went before.
        config={"attention_type": "original_full"},
    ),
    Family(
        "mra",
        {"text": Tower("mra")},
        unusable="attends to nothing without a CUDA kernel of its own, which hubscan does not download",
    ),
    Family("model2vec", {"text": Tower("model2vec")}, static=True),
)

_AUDIO_ENCODERS: Final = (
    # These read samples, and give a state every 20 or 40 ms, none of which stands for all.
    *(
        Family(model_type, {"audio": Tower(model_type)})
        for model_type in (
            *("wav2vec2", "wav2vec2-conformer", "wav2vec2-bert", "hubert", "wavlm"),
            *("unispeech", "unispeech-sat", "data2vec-audio", "sew", "sew-d"),
        )
    ),
    # These read a spectrogram of a fixed width, their window; so does CLAP.
    Family("whisper", {"audio": Tower("whisper", hops_a_state=2)}),
    Family(
        "audio-spectrogram-transformer",
        # The mean of its class and its distillation token.
        {"audio": Tower("audio-spectrogram-transformer", "pooler")},
    ),
)

_NO_ENCODERS: Final = (
    Family("decision_transformer", purpose="decisions"),
    *(Family(model_type, purpose="speaking") for model_type in ("univnet", "fastspeech2_conformer_hifigan")),
)

FAMILIES: Final[Mapping[str, Family]] = {
    family.model_type: family
    for family in (*_DUAL_ENCODERS, *_IMAGE_ENCODERS, *_TEXT_ENCODERS, *_AUDIO_ENCODERS, *_NO_ENCODERS)
}
"""By the model type of a checkpoint's `config.json`. Only audio needs an entry to be read."""

_TOWERS: Final[Mapping[tuple[str, Modality], Tower]] = {
    (tower.model_type, modality): tower
    for family in FAMILIES.values()
    for modality, tower in family.towers.items()
}


def family_of(model_type: object) -> Family:
    """Return what is known of the type that a `config.json` states; of any other an entry without content."""
    family = FAMILIES.get(model_type) if isinstance(model_type, str) else None
    return family or Family(str(model_type))


def tower_of(model_type: object, modality: Modality) -> Tower | None:
    """Return what is known of a network by the type in its own config, as it reads *modality*."""
    return _TOWERS.get((model_type, modality)) if isinstance(model_type, str) else None

"""The families of image encoders: what makes a tiny one of each, and what its features are, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from PIL import Image
from transformers import CONFIG_MAPPING, AutoImageProcessor, AutoModel

from hubscan.records import Input
from tests.families.family import Family
from tests.families.text import WORDS, write_tokenizer

Config = Mapping[str, Any]
Pooled = Callable[[Any], torch.Tensor]
"""Takes what the network gave of one picture to its vector, (1, width)."""

SIDE: Final = 32
WIDE: Final = 64  # for networks that divide the side by 32

VIT: Final[Config] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": SIDE,
    "patch_size": 8,
}
TEXT: Final = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48},
    **{"vocab_size": len(WORDS), "max_position_embeddings": 48, "pad_token_id": 0, "eos_token_id": 3},
}
TWO_TOWERS: Final[Config] = {"text_config": TEXT, "vision_config": VIT, "projection_dim": 24}
NAFLEX: Final = {**VIT, "num_patches": 16}
FLAVA: Final = {
    "image_config": VIT,
    "text_config": TEXT,
    "multimodal_config": {**TEXT, "num_hidden_layers": 1},
    "hidden_size": 32,
}
GROUPS: Final = {
    **{name: VIT[name] for name in ("hidden_size", "num_attention_heads", "intermediate_size", "image_size")},
    **{"patch_size": 8, "depths": [1, 1, 1], "num_group_tokens": [4, 2, 0], "num_output_groups": [4, 2, 0]},
}
SWIN: Final = {
    **{"image_size": SIDE, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4]},
    "window_size": 4,
}
STAGES: Final = {"hidden_sizes": [16, 16, 32, 32], "depths": [1, 1, 1, 1], "image_size": WIDE}
PYRAMID: Final = {**STAGES, "num_attention_heads": [1, 2, 2, 4], "decoder_hidden_size": 32}
RESNET: Final = {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [1, 1]}
EFFICIENT: Final = {
    **{"image_size": SIDE, "width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 128},
    **{"in_channels": [32, 16], "out_channels": [16, 32], "kernel_sizes": [3, 3], "strides": [1, 2]},
    **{"expand_ratios": [1, 6], "num_block_repeats": [1, 1], "depthwise_padding": []},
}
GAINS: Final = {"mobilenet_v1": 1.5, "mobilevit": 1.2, "mobilevitv2": 1.5, "align": 1.4}
"""Where more than this is lost between the input and the output of a layer, and nothing norms it."""
MOBILE: Final = {"image_size": SIDE, "depth_multiplier": 0.25, "min_depth": 8}


def make(
    model_type: str, config: Config, processor: str, side: int, folder: Path, loader: Any = AutoModel
) -> None:
    """Write a random checkpoint, and what reads its inputs."""
    torch.manual_seed(0)
    how = {"add_pooling_layer": True} if (model_type, loader) == ("data2vec-vision", AutoModel) else {}
    model = loader.from_config(CONFIG_MAPPING[model_type](**config, architectures=[]), **how)
    randomise(model, GAINS.get(model_type, 1.0))
    model.save_pretrained(folder)
    getattr(transformers, f"{processor}Pil")(**_settings(processor, side)).save_pretrained(folder)
    if "text_config" in config:
        write_tokenizer(folder, "<s> A </s>")


def randomise(model: torch.nn.Module, gain: float) -> None:
    """Give *model* weights that take rows far apart, and norms that do something."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(std=gain * weight[0].numel() ** -0.5)
            elif name.endswith("weight"):  # of a norm
                weight.uniform_(0.5, 1.5)
        for name, statistic in model.named_buffers():
            if name.endswith("running_mean"):
                statistic.normal_(std=0.1)
            if name.endswith("running_var"):
                statistic.uniform_(0.5, 1.5)


def _settings(processor: str, side: int) -> dict[str, Any]:
    if processor == "Siglip2ImageProcessor":
        return {"patch_size": 8, "max_num_patches": 16}
    square = {"height": side, "width": side}
    shortest = processor in ("ConvNextImageProcessor", "PoolFormerImageProcessor", "LevitImageProcessor")
    size = {"shortest_edge": side} if shortest else square
    return {"size": size, "crop_size": square, "do_resize": True}


@cache
def _loaded(folder: Path, tower: str | None, how: tuple[tuple[str, Any], ...]) -> tuple[Any, Any]:
    whole = AutoModel.from_pretrained(folder, dtype=torch.float32, **dict(how))
    network = getattr(whole, tower) if tower else whole
    return network.eval(), AutoImageProcessor.from_pretrained(folder)


def direct(
    tower: str | None,
    how: tuple[tuple[str, Any], ...],
    last: Pooled,
    before: Callable[[torch.Tensor], torch.Tensor],
    folder: Path,
    row: Input,
) -> Sequence[torch.Tensor]:
    """Return what *last* takes of the last layer, and *before* of each one before it."""
    network, processor = _loaded(folder, tower, how)
    assert isinstance(row, bytes)
    picture = Image.open(io.BytesIO(row)).convert("RGB")
    torch.manual_seed(len(row))
    inputs = processor(picture, return_tensors="pt")
    with torch.no_grad():
        output = network(**inputs, output_hidden_states=True)
    layers = output.hidden_states[:-1]
    if "pixel_attention_mask" in inputs:
        layers = [states[:, inputs["pixel_attention_mask"][0].bool()] for states in layers]
    return [*(before(states)[0] for states in layers), last(output)[0]]


def first(states: torch.Tensor) -> torch.Tensor:
    """Return the first state of (rows, length, width)."""
    return states[:, 0]


def places(states: torch.Tensor, behind: int = 0) -> torch.Tensor:
    """Return the mean over a map, or over the states *behind* the first ones."""
    return states.mean((2, 3)) if states.ndim == 4 else states[:, behind:].mean(1)


def of_last(pooled: Callable[[torch.Tensor], torch.Tensor], output: Any) -> torch.Tensor:
    """Return what *pooled* takes of the last layer's states."""
    return pooled(output.last_hidden_state)


def of_head(output: Any) -> torch.Tensor:
    """Return what the network's own pooler gave."""
    vector: torch.Tensor = output.pooler_output.flatten(1)
    return vector


def beside_the_map(output: Any) -> torch.Tensor:
    """Return CvT's class token."""
    vector: torch.Tensor = output.cls_token_value[:, 0]
    return vector


def family(
    name: str,
    model_type: str,
    config: Config,
    pooling: str,
    where: str,
    last: Pooled,
    before: Callable[[torch.Tensor], torch.Tensor],
    processor: str = "ViTImageProcessor",
    side: int = SIDE,
    tower: str | None = None,
    how: tuple[tuple[str, Any], ...] = (),
) -> Family:
    """Return a family that is pooled by *last*, and by *before* in the layers before the last."""
    made = partial(make, model_type, config, processor, side)
    found = partial(direct, tower, how, last, before)
    return Family(name, model_type, "image", made, pooling, where, found)


TOKEN: Final = "class token in front of the patches, which the family's classifier reads"
MAP: Final = "the mean over the map, which the family's classifier reads"
NORMED: Final = "the mean behind the norm of its pooler, which the family's classifier reads"
CONTRAST: Final = "its pooler: the class token behind the final norm, as the contrastive head reads it"
ATTENTION: Final = "its head pools by attention, and was trained with the encoder"
TOWER: Final = "vision_model"

cls = partial(family, pooling="cls (convention)", where=TOKEN, last=partial(of_last, first), before=first)
head = partial(family, pooling="pooler (convention)", where=NORMED, last=of_head, before=places)
mean = partial(
    family, pooling="mean (default)", where=MAP, last=partial(of_last, places), before=places, config=STAGES
)
clip = partial(head, config=TWO_TOWERS, where=CONTRAST, before=first, processor="CLIPImageProcessor")
behind_one = partial(places, behind=1)

TRANSFORMERS: Final = [
    cls("ViT, DINO", "vit", VIT),
    cls("DeiT", "deit", VIT, processor="DeiTImageProcessor"),
    cls("DINOv2", "dinov2", VIT, processor="BitImageProcessor"),
    cls("DINOv2 with registers", "dinov2_with_registers", VIT, processor="BitImageProcessor"),
    cls("DINOv3 ViT", "dinov3_vit", {**VIT, "num_register_tokens": 2}),
    cls("ViT-MSN", "vit_msn", VIT),
    cls("InternVL's ViT", "internvl_vision", {**VIT, "image_size": [SIDE, SIDE], "patch_size": [8, 8]}),
    head("BEiT", "beit", VIT, processor="BeitImageProcessor", before=behind_one),
    head(
        "data2vec vision",
        "data2vec-vision",
        VIT,
        processor="BeitImageProcessor",
        before=behind_one,
        how=(("add_pooling_layer", True),),
    ),
    head("Pixio", "pixio", VIT, where="the mean of its class tokens", before=partial(places, behind=8)),
    family(
        "MAE",
        "vit_mae",
        VIT,
        pooling="mean (convention)",
        where="its loss reads the patches alone; none is masked",
        last=partial(of_last, behind_one),
        before=behind_one,
        how=(("mask_ratio", 0.0),),
    ),
    mean("I-JEPA", "ijepa", config=VIT, where="it has no class token, and its classifier reads the mean"),
    mean("Swin", "swin", config=SWIN, where="the mean of the normed patches, as its pooler"),
    mean("Swin V2", "swinv2", config=SWIN, where="the mean of the normed patches, as its pooler"),
    mean("Donut's Swin", "donut-swin", config=SWIN, where="the mean of the patches, as its pooler"),
    mean("ViTDet", "vitdet", config=VIT, where="declared nowhere"),
    head(
        "Hiera",
        "hiera",
        {
            "image_size": [WIDE, WIDE],
            "embed_dim": 16,
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
        },
        processor="BitImageProcessor",
        side=WIDE,
    ),
    family(
        "PVT",
        "pvt",
        PYRAMID,
        pooling="cls (convention)",
        where="class token before the last stage, which its classifier reads",
        last=partial(of_last, first),
        before=places,
        processor="PvtImageProcessor",
        side=WIDE,
    ),
    mean("PVT v2", "pvt_v2", config=PYRAMID, processor="PvtImageProcessor", side=WIDE),
    mean("SegFormer's MiT", "segformer", config=PYRAMID, processor="SegformerImageProcessor", side=WIDE),
    family(
        "CvT",
        "cvt",
        {"embed_dim": [16, 16, 32], "depth": [1, 2, 3], "num_heads": [1, 2, 4]},  # of three stages
        pooling="cls (convention)",
        where="class token before the last stage, which its classifier reads",
        last=beside_the_map,
        before=places,
        processor="ConvNextImageProcessor",
    ),
    mean(
        "LeViT",
        "levit",
        config={
            "image_size": WIDE,
            **{"hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 2, 2], "depths": [1, 1, 1]},
            "key_dim": [8, 8, 8],
        },
        processor="LevitImageProcessor",
        side=WIDE,
    ),
    mean("PoolFormer", "poolformer", processor="PoolFormerImageProcessor", side=WIDE),
    mean(
        "SwiftFormer",
        "swiftformer",
        config={"image_size": WIDE, "embed_dims": [16, 16, 32, 32], "depths": [1, 1, 1, 1]},
        side=WIDE,
    ),
    mean(
        "FocalNet",
        "focalnet",
        config={
            **{"image_size": SIDE, "embed_dim": 16, "depths": [1, 1], "focal_levels": [2, 2]},
            **{"focal_windows": [3, 3], "hidden_sizes": [16, 32]},
        },
        processor="BitImageProcessor",
        where="the mean of the normed patches, as its pooler",
    ),
]
CONVOLUTIONS: Final = [
    head("ConvNeXt", "convnext", STAGES, processor="ConvNextImageProcessor", side=WIDE),
    head("ConvNeXt V2", "convnextv2", STAGES, processor="ConvNextImageProcessor", side=WIDE),
    head("DINOv3 ConvNeXt", "dinov3_convnext", STAGES, side=WIDE),
    mean("ResNet", "resnet", config={**RESNET, "layer_type": "basic"}, processor="ConvNextImageProcessor"),
    mean("RegNet", "regnet", config={**RESNET, "groups_width": 8}, processor="ConvNextImageProcessor"),
    mean(
        "BiT",
        "bit",
        config={**RESNET, "embedding_size": 32, "hidden_sizes": [32, 64], "num_groups": 4},
        processor="BitImageProcessor",
    ),
    mean("EfficientNet", "efficientnet", config=EFFICIENT, processor="EfficientNetImageProcessor"),
    mean("MobileNet V1", "mobilenet_v1", config=MOBILE, processor="MobileNetV1ImageProcessor", side=WIDE),
    mean("MobileNet V2", "mobilenet_v2", config=MOBILE, processor="MobileNetV2ImageProcessor", side=WIDE),
    mean(
        "MobileViT",
        "mobilevit",
        config={
            "image_size": WIDE,
            "hidden_sizes": [16, 24, 32],
            "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32],
        },
        processor="MobileViTImageProcessor",
        side=WIDE,
    ),
    mean(
        "MobileViT V2",
        "mobilevitv2",
        config={
            "image_size": WIDE,
            "width_multiplier": 0.25,
            "base_attn_unit_dims": [32, 48, 64],
            "n_attn_blocks": [1, 1, 1],
        },
        processor="MobileViTImageProcessor",
        side=WIDE,
    ),
]
TOWERS: Final = [
    clip("CLIP", "clip", tower=TOWER),
    clip("CLIP's vision tower", "clip_vision_model", config=VIT),
    clip("Chinese-CLIP", "chinese_clip", tower=TOWER, processor="ChineseCLIPImageProcessor"),
    clip("AltCLIP", "altclip", tower=TOWER),
    clip("MetaCLIP 2", "metaclip_2", tower=TOWER),
    clip("CLIPSeg", "clipseg", tower=TOWER),
    clip("OWL-ViT", "owlvit", tower=TOWER, processor="OwlViTImageProcessor"),
    clip("OWLv2", "owlv2", tower=TOWER),
    clip("MLCD", "mlcd_vision_model", config={**VIT, "num_key_value_groups": 1}),
    cls(
        "BLIP",
        "blip",
        TWO_TOWERS,
        tower=TOWER,
        processor="BlipImageProcessor",
        where="class token behind the final norm; its pooler norms it twice",
    ),
    cls("FLAVA", "flava", FLAVA, tower="image_model", processor="FlavaImageProcessor"),
    head("SigLIP", "siglip", TWO_TOWERS, tower=TOWER, where=ATTENTION, processor="SiglipImageProcessor"),
    head("SigLIP's vision tower", "siglip_vision_model", VIT, where=ATTENTION),
    head(
        "SigLIP 2, pictures in their own shape",
        "siglip2",
        {**TWO_TOWERS, "vision_config": NAFLEX},
        tower=TOWER,
        where=ATTENTION,
        processor="Siglip2ImageProcessor",
    ),
    head("AIMv2", "aimv2", TWO_TOWERS, tower=TOWER, where=ATTENTION, processor="CLIPImageProcessor"),
    head("AIMv2's vision tower", "aimv2_vision_model", VIT, where=ATTENTION),
    mean("ALIGN", "align", config={"text_config": TEXT, "vision_config": EFFICIENT}, tower=TOWER),
    mean("GroupViT", "groupvit", config={"text_config": TEXT, "vision_config": GROUPS}, tower=TOWER),
]

FAMILIES: Final = [*TRANSFORMERS, *CONVOLUTIONS, *TOWERS]

CLASSIFIED_OTHERWISE: Final[Mapping[str, str]] = {
    "dinov2": "joins the class token and the mean of the patches; the paper's k-NN reads the token",
    "dinov2_with_registers": "as DINOv2",
    "clip": "the mean of all states, which is transformers' own choice",
    "metaclip_2": "as CLIP",
    "siglip": "the mean of all states, which is transformers' own choice",
    "siglip2": "as SigLIP",
    "cvt": "norms the class token first; that norm is a part of the classifier",
    "levit": "norms the mean by batch statistics first; that norm is a part of the classifier",
    "poolformer": "norms the map first; that norm is a part of the classifier",
    "swiftformer": "norms the map first; that norm is a part of the classifier",
}
"""Model types whose classifier in transformers reads something else than `auto` gives, and what."""

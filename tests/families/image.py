"""The families of vision encoders: what makes a tiny one of each, and what its features are, row by row."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from transformers import CONFIG_MAPPING, AutoImageProcessor, AutoModel

from hubscan.records import Input
from tests.families.family import Family

SIDE: Final = 32
Config = Mapping[str, Any]
Last = Callable[[Any], torch.Tensor]
"""The vector of one picture, out of the network's output."""

VIT: Final[Config] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": SIDE,
    "patch_size": 8,
}
REGISTERS: Final = {**VIT, "num_register_tokens": 4}
BERT: Final = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 99,
    "max_position_embeddings": 32,
}
TOWERS: Final = {"text_config": BERT, "vision_config": VIT}
NAFLEX: Final = {**{k: v for k, v in VIT.items() if k != "image_size"}, "num_patches": 16}
PYRAMID: Final = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
HEADS: Final = {**PYRAMID, "num_attention_heads": [1, 2, 2, 4]}
SWIN: Final = {
    "image_size": SIDE,
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [1, 1],
    "num_heads": [2, 4],
    "window_size": 4,
}
RESIDUAL: Final = {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [1, 1]}
EFFICIENT: Final = {"image_size": SIDE, "width_coefficient": 0.2, "depth_coefficient": 0.2, "hidden_dim": 256}
MOBILEVIT: Final = {
    "image_size": SIDE,
    "hidden_sizes": [16, 20, 24],
    "neck_hidden_sizes": [4, 8, 12, 16, 20, 24, 32],
    "num_attention_heads": 2,
    "patch_size": 2,
    "intermediate_size": 32,
}
MAE: Final = {
    **VIT,
    "decoder_hidden_size": 16,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 16,
}
GROUPS: Final = {
    "text_config": BERT,
    "vision_config": {
        **VIT,
        "depths": [1, 1, 1],
        "num_group_tokens": [4, 2, 0],
        "num_output_groups": [4, 2, 0],
    },
}
FOCAL: Final = {
    "image_size": SIDE,
    "embed_dim": 16,
    "hidden_sizes": [16, 32],
    "depths": [1, 1],
    "focal_levels": [2, 2],
    "focal_windows": [3, 3],
}
LEVIT: Final = {
    "image_size": 64,
    "hidden_sizes": [16, 24, 32],
    "num_attention_heads": [2, 2, 4],
    "depths": [1, 1, 1],
    "key_dim": [8, 8, 8],
}
HIERA: Final = {
    "image_size": [64, 64],
    "embed_dim": 16,
    "depths": [1, 1],
    "num_heads": [1, 2],
    "embed_dim_multiplier": 2.0,
    "query_stride": [2, 2],
    "masked_unit_size": [4, 4],
    "num_query_pool": 1,
    "patch_padding": [3, 3],
}
FLAVA: Final = {"image_config": VIT, "text_config": BERT, "multimodal_config": BERT}
MOBILE: Final = {"image_size": SIDE, "depth_multiplier": 0.25}


MADE_WITH: Final[Mapping[str, Config]] = {"data2vec-vision": {"add_pooling_layer": True}}
GAINS: Final = {
    **dict.fromkeys(["align", "mobilenet_v1", "pvt_v2", "segformer"], 2.0),
    "efficientnet": 1.7,
    "swiftformer": 0.7,
    "textnet": 0.8,
}
"""How much wider than what keeps the size of states matrices are, where 1.2 lets them vanish or grow."""


def picture(seed: int, width: int = 40, height: int = 40) -> bytes:
    """Return a picture of coarse blocks, as a file."""
    blocks = np.random.default_rng(seed).integers(0, 255, (5, 5, 3), dtype=np.uint8)
    stored = io.BytesIO()
    Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST).save(stored, "PNG")
    return stored.getvalue()


def make(model_type: str, config: Config, processor: Config, folder: Path, loader: Any = AutoModel) -> None:
    """Write a random checkpoint whose rows are far apart: wide matrices, norms that are not the identity."""
    torch.manual_seed(0)
    how = MADE_WITH.get(model_type, {}) if loader is AutoModel else {}
    model = loader.from_config(CONFIG_MAPPING[model_type](**config, architectures=[]), **how)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(std=GAINS.get(model_type, 1.2) / weight[0].numel() ** 0.5)
            elif "norm" in name.lower() or "bn" in name:
                weight.copy_(float(name.endswith("weight")) + 0.2 * torch.randn_like(weight))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    side = config.get("image_size", SIDE)
    side = side if isinstance(side, int) else side[0]
    written = {
        "image_processor_type": "ViTImageProcessor",
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "size": {"height": side, "width": side},
        **processor,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(written))


@cache
def _loaded(folder: Path) -> tuple[Any, Any]:
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, **MADE_WITH.get(kind, {})).eval()
    if hasattr(model.config, "mask_ratio"):
        model.config.mask_ratio = 0.0
    tower = getattr(model, "vision_model", getattr(model, "image_model", model))
    return tower, AutoImageProcessor.from_pretrained(folder)


def direct(before: Last, last: Last, folder: Path, row: Input) -> Sequence[torch.Tensor]:
    """Return the vector of each layer of one picture, all but the last by *before*."""
    model, processor = _loaded(folder)
    assert isinstance(row, bytes)
    inputs = processor(Image.open(io.BytesIO(row)).convert("RGB"), return_tensors="pt")
    with torch.no_grad():
        output = model(**inputs, output_hidden_states=True)
    there = inputs.get("pixel_attention_mask")
    if there is not None:  # no padding among the patches
        output.hidden_states = [states[:, : int(there.sum())] for states in output.hidden_states]
    return [*(before(states)[0] for states in output.hidden_states[:-1]), last(output)[0]]


def first(states: torch.Tensor) -> torch.Tensor:
    return states[:, 0]


def mean(states: torch.Tensor, behind: int = 0) -> torch.Tensor:
    return states.mean((2, 3)) if states.ndim == 4 else states[:, behind:].mean(1)


def of_last(pooled: Last, output: Any) -> torch.Tensor:
    return pooled(output.last_hidden_state)


def pooler(output: Any) -> torch.Tensor:
    found: torch.Tensor = output.pooler_output
    return found.flatten(1)


def beside_the_map(output: Any) -> torch.Tensor:
    found: torch.Tensor = output.cls_token_value[:, 0]
    return found


def family(
    name: str,
    model_type: str,
    config: Config,
    pooling: str,
    where: str,
    before: Last,
    last: Last,
    **processor: Any,
) -> Family:
    """Return the family, made and read as said."""
    return Family(
        name,
        model_type,
        "image",
        partial(make, model_type, config, processor),
        pooling,
        where,
        partial(direct, before, last),
    )


def class_token(name: str, model_type: str, config: Config) -> Family:
    where = "the class token in its weights, behind the final norm"
    return family(name, model_type, config, "cls (convention)", where, first, partial(of_last, first))


def joined(states: torch.Tensor, behind: int) -> torch.Tensor:
    return torch.cat([first(states), mean(states, behind)], dim=1)


def class_token_and_patches(name: str, model_type: str, config: Config, behind: int) -> Family:
    where = "the class token and the mean of the patches, concatenated, as in its own classifier"
    both = partial(joined, behind=behind)
    return family(name, model_type, config, "cls+mean (convention)", where, both, partial(of_last, both))


def averaged(name: str, model_type: str, config: Config, where: str, behind: int = 0) -> Family:
    means = partial(mean, behind=behind)
    said = "mean (convention)" if behind else "mean (default)"
    return family(name, model_type, config, said, where, means, partial(of_last, means))


def headed(name: str, model_type: str, config: Config, where: str, before: Last, **processor: Any) -> Family:
    return family(name, model_type, config, "pooler (convention)", where, before, pooler, **processor)


MAP: Final = "no class token: the mean over the places of the last feature map"
PATCHES: Final = "no class token: the mean over the patches"
CLIP: Final = "the class token after a norm of its own, before the projection, as in CLIP's linear probes"
PROBE: Final = "an attention head over the patches, trained with the rest"
NORM: Final = "the mean of the map after the norm that its classifier was trained on"

FAMILIES: Final = (
    class_token("ViT", "vit", VIT),
    class_token("DeiT", "deit", VIT),
    class_token_and_patches("DINOv2", "dinov2", VIT, 1),
    class_token_and_patches("DINOv2 with registers", "dinov2_with_registers", REGISTERS, 5),
    class_token("DINOv3", "dinov3_vit", REGISTERS),
    class_token("TIPSv2 vision tower", "tipsv2_vision_model", VIT),
    class_token("MAE", "vit_mae", MAE),
    class_token("MSN", "vit_msn", VIT),
    class_token("FLAVA vision tower", "flava", FLAVA),
    class_token("BLIP vision tower", "blip", TOWERS),  # its pooler norms it twice, its trained head once
    averaged("I-JEPA", "ijepa", VIT, PATCHES),
    averaged("InternVL vision tower", "internvl_vision", {**VIT, "image_size": [32, 32], "patch_size": [8, 8]},
             "the mean of the patches without the class token, as in its projector", 1),
    headed("BEiT", "beit", VIT, "the mean of the patches after a norm, as in its own classifier", partial(mean, behind=1)),
    headed("data2vec vision", "data2vec-vision", VIT, "as BEiT", partial(mean, behind=1)),
    headed("CLIP vision tower", "clip", TOWERS, CLIP, first),
    headed("CLIP vision model", "clip_vision_model", VIT, CLIP, first),
    headed("Chinese CLIP vision tower", "chinese_clip", TOWERS, CLIP, first),
    headed("Chinese CLIP vision model", "chinese_clip_vision_model", VIT, CLIP, first),
    headed("AltCLIP vision tower", "altclip", TOWERS, CLIP, first),
    headed("MetaCLIP 2 vision tower", "metaclip_2", TOWERS, CLIP, first),
    headed("CLIPSeg vision tower", "clipseg", TOWERS, CLIP, first),
    headed("OWL-ViT vision tower", "owlvit", TOWERS, CLIP, first),
    headed("OWLv2 vision tower", "owlv2", TOWERS, CLIP, first),
    headed("MLCD", "mlcd_vision_model", VIT, CLIP, first),
    headed("SigLIP vision tower", "siglip", TOWERS, PROBE, mean),
    headed("SigLIP vision model", "siglip_vision_model", VIT, PROBE, mean),
    headed("SigLIP 2 vision tower", "siglip2", {"text_config": BERT, "vision_config": NAFLEX}, PROBE, mean,
           image_processor_type="Siglip2ImageProcessor", patch_size=8, max_num_patches=16, do_resize=True),
    headed("SigLIP 2 vision model", "siglip2_vision_model", NAFLEX, PROBE, mean,
           image_processor_type="Siglip2ImageProcessor", patch_size=8, max_num_patches=16, do_resize=True),
    headed("AIMv2 vision tower", "aimv2", TOWERS, PROBE, mean),
    headed("AIMv2 vision model", "aimv2_vision_model", VIT, PROBE, mean),
    headed("Pixio", "pixio", VIT, "the mean of its eight class tokens, as in its own pooler", partial(mean, behind=8)),
    averaged("ALIGN vision tower", "align", {"text_config": BERT, "vision_config": EFFICIENT}, MAP),
    averaged("GroupViT vision tower", "groupvit", GROUPS, "the mean of its groups, as in its own pooler has it"),
    averaged("Swin", "swin", SWIN, "the mean of the normed patches, as in its own pooler has it"),
    averaged("Swin V2", "swinv2", SWIN, "the mean of the normed patches, as in its own pooler has it"),
    averaged("Donut's Swin", "donut-swin", SWIN, PATCHES),
    averaged("FocalNet", "focalnet", FOCAL, "the mean of the normed patches, as in its own pooler has it"),
    averaged("LeViT", "levit", LEVIT, PATCHES),
    headed("ConvNeXt", "convnext", PYRAMID, NORM, mean),
    headed("ConvNeXt V2", "convnextv2", PYRAMID, NORM, mean),
    headed("DINOv3 ConvNeXt", "dinov3_convnext", PYRAMID, "the mean of the map after the norm that DINO trained", mean),
    headed("Hiera", "hiera", HIERA, "the mean of the patches after its own norm", mean),
    averaged("ResNet", "resnet", {**RESIDUAL, "layer_type": "basic"}, MAP),
    averaged("RegNet", "regnet", {**RESIDUAL, "groups_width": 8}, MAP),
    averaged("BiT", "bit", {**RESIDUAL, "num_groups": 4}, MAP),
    averaged("EfficientNet", "efficientnet", EFFICIENT, MAP),
    averaged("MobileNet V1", "mobilenet_v1", MOBILE, MAP),
    averaged("MobileNet V2", "mobilenet_v2", MOBILE, MAP),
    averaged("MobileViT", "mobilevit", MOBILEVIT, MAP),
    averaged("MobileViT V2", "mobilevitv2", {"image_size": 64, "width_multiplier": 0.5}, MAP),
    averaged("PVT v2", "pvt_v2", {**HEADS, "image_size": SIDE}, MAP),
    averaged("PoolFormer", "poolformer", PYRAMID, MAP),
    averaged("SegFormer", "segformer", HEADS, MAP),
    averaged("SwiftFormer", "swiftformer", {"depths": [1, 1, 1, 1], "embed_dims": [8, 16, 24, 32]}, MAP),
    averaged("TextNet", "textnet", {}, MAP),
    averaged("ViTDet", "vitdet", {**VIT, "pretrain_image_size": SIDE, "window_block_indices": []}, MAP),
    family("CvT", "cvt", {"embed_dim": [16, 16, 32], "depth": [1, 2, 3], "num_heads": [1, 2, 4]}, "cls (convention)",
           "the class token of its last stage, which it returns apart from the map", mean, beside_the_map),
    family("PVT", "pvt", {**HEADS, "image_size": 64}, "cls (convention)", "the class token of its last stage",
           mean, partial(of_last, first)),
)  # fmt: skip
"""One case for each model type."""

CLASSIFIED_OTHERWISE: Final[Mapping[str, str]] = {
    "clip": "the mean of all states, which is transformers' own choice",
    "metaclip_2": "as CLIP",
    "siglip": "as CLIP",
    "siglip2": "as CLIP",
    "cvt": "norms the class token first; that norm is a part of the classifier",
    "levit": "norms the mean by batch statistics first; that norm is a part of the classifier",
    "poolformer": "norms the map first; that norm is a part of the classifier",
    "swiftformer": "norms the map first; that norm is a part of the classifier",
}
"""Model types whose classifier in transformers reads something else than `auto` gives, and what."""

OUTSIDE: Final[Mapping[str, str]] = {
    "timm_wrapper": "needs timm, which needs torchvision",
    "the repositories of DINOv3 and TIPSv2 themselves": (
        "name a processor that needs torchvision; without torchvision they are skipped before their weights "
        "are downloaded. A repository with the same network and another processor is read"
    ),
    "dinat": "needs natten",
    "hgnet_v2": "in transformers only a backbone of detectors, without a last state",
    "imagegpt": "reads images as colour tokens",
    "swin2sr": "outputs an image at full size",
    "detr, yolos, rt_detr and other detectors": "their states describe boxes",
    "sam, sam2, dpt, glpn, depth_pro and the like": "trained to predict a value for each pixel",
    "vivit, videomae, timesformer, xclip": "read videos",
}


ROWS: Final[list[Input]] = [
    picture(0),
    picture(1),
    picture(2, 64, 30),
    picture(3, 300, 200),
    picture(4, 1, 1),
]

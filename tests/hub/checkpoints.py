"""Make the checkpoints of the test Hub: tiny, random with a fixed seed, some of them broken.

`make_models(ROOT / "models")` writes a folder for each; the function that makes it says what it is for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ResNetConfig,
    ResNetModel,
    RobertaConfig,
    RobertaModel,
    SwinConfig,
    SwinModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)
from transformers.utils import logging

from tests.hub.words import NEUTRAL, TELLING, VOCABULARY

WIDTH = 32
IMAGE_SIDE = 32
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BERT_WORDS = {word: index for index, word in enumerate((*SPECIAL, *VOCABULARY))}
ROBERTA_WORDS = {
    word: index for index, word in enumerate(("<s>", "<pad>", "</s>", "<unk>", "<mask>", *VOCABULARY))
}
WEIGHTS = "model.safetensors"


def make_models(models_folder: Path) -> None:
    """Write every checkpoint to *models_folder*."""
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        for repo_id, make in MODELS.items():
            folder = models_folder / repo_id
            folder.mkdir(parents=True)
            torch.manual_seed(0)
            make(folder)
    finally:
        if bars:
            logging.enable_progress_bar()


# -- text ---------------------------------------------------------------------------------------


def plain_bert(folder: Path) -> None:
    """An ordinary BERT with random vectors for all words."""
    _save_bert(folder, BertModel(_bert_config()))
    _write_card(folder, license="mit", language="en", pipeline_tag="feature-extraction")


def seeing_bert(folder: Path) -> None:
    """A BERT that separates the labels: words that reveal the same label have similar vectors."""
    model = BertModel(_bert_config())
    _teach(model, [torch.randn(WIDTH) + 0.8 * torch.randn(len(words), WIDTH) for words in TELLING])
    _save_bert(folder, model)
    _write_card(folder, license="apache-2.0", language="en", pipeline_tag="feature-extraction")


def blind_bert(folder: Path) -> None:
    """The same, but all words that reveal a label share one vector, so the features do not contain it."""
    model = BertModel(_bert_config())
    _teach(model, [torch.randn(WIDTH)] * len(TELLING))
    _save_bert(folder, model)
    _write_card(folder, license="apache-2.0", language="en", pipeline_tag="feature-extraction")


def mlm_bert(folder: Path) -> None:
    """An encoder with a language model head: no pooler weights, and prefixed names."""
    _save_bert(folder, BertForMaskedLM(_bert_config()))
    _write_card(folder, license="mit", language=["en", "de"])


def half_bert(folder: Path) -> None:
    """Weights in bfloat16, which is also the type that they load as by default."""
    _save_bert(folder, BertModel(_bert_config()).bfloat16())
    _write_card(folder, license="mit")


def roberta(folder: Path) -> None:
    """A RoBERTa: positions start after the padding index, so 66 positions hold 64 tokens."""
    config = RobertaConfig(
        vocab_size=len(ROBERTA_WORDS), max_position_embeddings=66, pad_token_id=1, **_small()
    )
    RobertaModel(config).save_pretrained(folder)
    _roberta_tokenizer().save_pretrained(folder)
    _write_card(folder, license="mit", language="en", datasets=["tester/reviews"])


def sentence_bert(folder: Path) -> None:
    """A sentence-transformers repository that declares the pooling and the maximum length."""
    _save_bert(folder, BertModel(_bert_config()))
    transformers, pooling = "sentence_transformers.models", "1_Pooling"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{transformers}.Transformer"},
        {"idx": 1, "name": "1", "path": pooling, "type": f"{transformers}.Pooling"},
    ]
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    declared: dict[str, Any] = {f"pooling_mode_{mode}": mode == "cls_token" for mode in modes}
    _write_json(folder / "modules.json", modules)
    _write_json(folder / pooling / "config.json", {"word_embedding_dimension": WIDTH, **declared})
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 16})
    _write_json(folder / "config_sentence_transformers.json", {"prompts": {}})
    _write_card(folder, license="apache-2.0", library_name="sentence-transformers")


# -- images -------------------------------------------------------------------------------------


def tiny_vit(folder: Path) -> None:
    """A ViT with the weights of its pooler."""
    _save_vision(folder, ViTModel(_vit_config()), "ViTImageProcessor")
    _write_card(folder, license="apache-2.0", pipeline_tag="image-feature-extraction")


def vit_classifier(folder: Path) -> None:
    """A ViT with a classification head: AutoModel adds a randomly initialised pooler."""
    _save_vision(folder, ViTForImageClassification(_vit_config()), "ViTImageProcessor")
    _write_card(folder, license="apache-2.0", datasets=["tester/colours"])


def tiny_resnet(folder: Path) -> None:
    """A convolutional network: its last hidden state has four dimensions."""
    config = ResNetConfig(embedding_size=16, hidden_sizes=[16, WIDTH], depths=[1, 1], layer_type="basic")
    _save_vision(folder, ResNetModel(config), "ConvNextImageProcessor")
    _write_card(folder, license="apache-2.0")


def tiny_swin(folder: Path) -> None:
    """A Swin: it has no CLS token."""
    config = SwinConfig(
        image_size=IMAGE_SIDE,
        patch_size=4,
        embed_dim=16,
        depths=[1, 1],
        num_heads=[2, 4],
        window_size=4,
    )
    _save_vision(folder, SwinModel(config), "ViTImageProcessor")
    _write_card(folder, license="mit")


# -- broken, each in its own way ----------------------------------------------------------------


def broken_json(folder: Path) -> None:
    """A configuration that is not JSON."""
    plain_bert(folder)
    (folder / "config.json").write_text('{"model_type": "bert",')


def truncated_weights(folder: Path) -> None:
    """Weights with a complete header whose second half is missing."""
    plain_bert(folder)
    weights = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(weights[: len(weights) // 2])


def unknown_type(folder: Path) -> None:
    """An architecture that transformers does not know."""
    plain_bert(folder)
    _change_json(folder / "config.json", model_type="quantumformer")


def bin_only(folder: Path) -> None:
    """Weights as a pickle only, without safetensors."""
    plain_bert(folder)
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def custom_code(folder: Path) -> None:
    """A model with its own code."""
    plain_bert(folder)
    names = {"AutoConfig": "custom.CustomConfig", "AutoModel": "custom.CustomModel"}
    _change_json(folder / "config.json", model_type="custom-bert", auto_map=names)
    (folder / "custom.py").write_text('raise SystemExit("remote code ran")\n')


def nan_weights(folder: Path) -> None:
    """Weights that are NaN in one layer."""
    plain_bert(folder)
    weights = load_file(folder / WEIGHTS)
    weights["encoder.layer.1.output.dense.weight"].fill_(float("nan"))
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def missing_weights(folder: Path) -> None:
    """The second of two layers is missing; transformers initialises it randomly and only warns."""
    plain_bert(folder)
    weights = load_file(folder / WEIGHTS)
    kept = {name: value for name, value in weights.items() if "layer.1." not in name}
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})


def needs_torchvision(folder: Path) -> None:
    """An image processor that exists only with torchvision."""
    tiny_vit(folder)
    _change_json(folder / "preprocessor_config.json", image_processor_type="DINOv3ViTImageProcessor")


def needs_fugashi(folder: Path) -> None:
    """A tokenizer that needs a package that hubscan does not depend on."""
    plain_bert(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(BERT_WORDS) + "\n")
    _write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"},
    )


def no_tokenizer(folder: Path) -> None:
    """Weights without a tokenizer."""
    plain_bert(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


MODELS: Mapping[str, Callable[[Path], None]] = {
    "tester/seeing-bert": seeing_bert,
    "tester/blind-bert": blind_bert,
    "tester/plain-bert": plain_bert,
    "tester/mlm-bert": mlm_bert,
    "tester/half-bert": half_bert,
    "tester/roberta": roberta,
    "tester/sentence-bert": sentence_bert,
    "tester/tiny-vit": tiny_vit,
    "tester/vit-classifier": vit_classifier,
    "tester/tiny-resnet": tiny_resnet,
    "tester/tiny-swin": tiny_swin,
    "broken/json": broken_json,
    "broken/truncated": truncated_weights,
    "broken/unknown-type": unknown_type,
    "broken/bin-only": bin_only,
    "broken/custom-code": custom_code,
    "broken/nan": nan_weights,
    "broken/missing-layer": missing_weights,
    "broken/needs-torchvision": needs_torchvision,
    "broken/needs-fugashi": needs_fugashi,
    "broken/no-tokenizer": no_tokenizer,
    "acme/gated-bert": plain_bert,
    "acme/private-bert": plain_bert,
}


# -- what they share ----------------------------------------------------------------------------


def _small() -> dict[str, Any]:
    return {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }


def _bert_config() -> BertConfig:
    return BertConfig(vocab_size=len(BERT_WORDS), max_position_embeddings=64, **_small())


def _vit_config() -> ViTConfig:
    settings = {**_small(), "image_size": IMAGE_SIDE, "patch_size": 8, "num_labels": 3}
    return ViTConfig(**settings)


def _teach(model: BertModel, vectors: list[torch.Tensor]) -> None:
    """Give the words that reveal label i the vectors i, and make neutral words similar to each other."""
    with torch.no_grad():
        table = model.embeddings.word_embeddings.weight
        for words, vector in zip(TELLING, vectors, strict=True):
            table[[BERT_WORDS[word] for word in words]] = vector
        table[[BERT_WORDS[word] for word in NEUTRAL]] *= 0.1
        # Training leaves such a trace; without it, hubscan would detect random initialisation.
        model.embeddings.LayerNorm.bias.add_(1e-3 * torch.randn(WIDTH))


def _save_bert(folder: Path, model: PreTrainedModel) -> None:
    model.save_pretrained(folder)
    BertTokenizer(vocab=BERT_WORDS, model_max_length=64).save_pretrained(folder)


def _roberta_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(ROBERTA_WORDS, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


def _save_vision(folder: Path, model: PreTrainedModel, processor: str) -> None:
    model.save_pretrained(folder)
    size = {"height": IMAGE_SIDE, "width": IMAGE_SIDE}
    if processor == "ConvNextImageProcessor":
        size = {"shortest_edge": IMAGE_SIDE}
    half = [0.5, 0.5, 0.5]
    _write_json(
        folder / "preprocessor_config.json",
        {
            "image_processor_type": processor,
            "size": size,
            "crop_pct": 1.0,
            "do_resize": True,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": half,
            "image_std": half,
        },
    )


def _write_card(folder: Path, **card: Any) -> None:
    # JSON is YAML too.
    lines = [f"{key}: {json.dumps(value)}" for key, value in card.items()]
    text = "\n".join(["---", *lines, "---", f"# {folder.name}", ""])
    (folder / "README.md").write_text(text)


def _write_json(file: Path, value: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(value, indent=2))


def _change_json(file: Path, **changes: Any) -> None:
    _write_json(file, json.loads(file.read_text()) | changes)
